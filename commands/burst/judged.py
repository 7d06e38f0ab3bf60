"""The policy pack's word on files that no engine shows it: each is a resource whose properties are what it says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from infra.stacks import PROJECT
from policies.framework.record import ReportedFinding
from policies.runner.offline import AnalyzedResource, analyse

# Asks of stores of which nothing says where they are; the lake's have been judged in their stack.
STORES = "dpdp-res-18-data-movers-point-to-india-stack"


def findings(stack: str, to: str, files: Mapping[str, str], buckets: Iterable[str]) -> list[ReportedFinding]:
    """What of these files would stop a preview. `buckets` are addresses of the lake's. Programs are this repository's
    own, and take their places from the other files."""
    told = {path: text for path, text in files.items() if not path.endswith(".py")}
    names = [address.partition("://")[2] for address in buckets]
    resources = [_resource(stack, to, path, text) for path, text in told.items()]
    _, record = analyse(resources, {STORES: {"buckets": names}})
    return [finding for finding in record.open if finding.stops]


def _resource(stack: str, to: str, path: str, text: str) -> AnalyzedResource:
    kind = f"burst:{to}:File"
    return AnalyzedResource(kind, f"urn:pulumi:{stack}::{PROJECT}::{kind}::{path}", _properties(path, text))


def _properties(path: str, text: str) -> dict[str, Any]:
    if path.endswith(".json"):
        return json.loads(text)
    return yaml.safe_load(text) if path.endswith(".yaml") else {"text": text}
