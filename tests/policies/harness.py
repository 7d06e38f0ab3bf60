"""Runs resources through the real `pulumi_policy` servicer, in process, as the engine would over gRPC."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path as FilePath
from typing import Any

import yaml
from google.protobuf import json_format
from pulumi.runtime.proto import analyzer_pb2 as proto
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE as UNKNOWN

from policies import pack
from policies.controls.governance.gov_04_unresolved import NAME as UNRESOLVED
from policies.framework.control import Control
from policies.framework.record import Record
from policies.pack import CONTROLS
from policies.runner import offline as shown

FIXTURES = FilePath(__file__).parent / "fixtures"
# libyaml's, where it is: a tenth of the time.
SAFE = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Path = Sequence[str | int]


@dataclass
class Shown:
    """One resource, as the engine shows it. `sources` are the URNs that each property is made from."""

    type: str
    props: dict[str, Any]
    name: str = "it"
    provider: dict[str, Any] | None = None
    sources: Mapping[str, list[str]] = field(default_factory=dict)
    outputs: dict[str, Any] | None = None

    @property
    def urn(self) -> str:
        return f"urn:pulumi:test::project::{self.type}::{self.name}"

    @property
    def shown(self) -> shown.AnalyzedResource:
        package = f"pulumi:providers:{self.type.split(':')[0]}"
        provider = shown.Provider(f"urn:pulumi:test::project::{package}::p", self.provider or {})
        given = provider if self.provider is not None else None
        return shown.AnalyzedResource(
            self.type, self.urn, self.props, self.outputs or {}, given, self.sources
        )


@cache
def fixtures() -> dict[str, list[dict[str, Any]]]:
    """The rows of every file in `fixtures`, by control; the first file says what a row is."""
    found: dict[str, list[dict[str, Any]]] = {}
    for file in sorted(FIXTURES.glob("*.yaml")):
        for control, rows in yaml.load(file.read_bytes(), SAFE).items():
            found.setdefault(control, []).extend(rows)
    return found


def run(*resources: Shown, config: shown.Config | None = None) -> list[proto.AnalyzeDiagnostic]:
    """Analyse each resource, then the stack, as one preview does; every diagnostic, with the URN filled in."""
    return run_and_record(*resources, config=config)[0]


def run_and_record(
    *resources: Shown, config: shown.Config | None = None
) -> tuple[list[proto.AnalyzeDiagnostic], Record]:
    """The same, and the record of the run."""
    return shown.analyse([resource.shown for resource in resources], config)


def run_alone(control: str, resource: Shown) -> list[proto.AnalyzeDiagnostic]:
    """What one control says of a resource, and what stays unresolved of it: a fraction of the time of the pack."""
    asked, config = _alone(control)
    return shown.analyse([resource.shown], config, controls=asked)[0]


@cache
def _alone(control: str) -> tuple[Sequence[Control], shown.Config]:
    """The control, and a policy config without those that report what others found, but for unresolved values."""
    asked = [one for one in CONTROLS if one.id == control]
    own = {asked[0].policy_name, f"{asked[0].policy_name}-stack", UNRESOLVED}
    others = {policy.name for policy in pack.run(asked).policies} - own
    return asked, dict.fromkeys(others, "disabled")


def remediated(resource: Shown, config: shown.Config) -> dict[str, Any]:
    """What the engine would make the resource with; its own properties where nothing is filled in."""
    changes = shown.remediate(resource.shown, config).remediations
    assert not [one.diagnostic for one in changes if one.diagnostic]
    return json_format.MessageToDict(changes[-1].properties) if changes else resource.props


def of(diagnostics: Sequence[proto.AnalyzeDiagnostic], control_id: str) -> list[str]:
    """The messages of one control: failures and unresolved values alike."""
    return [
        line for one in diagnostics for line in one.message.splitlines() if line.startswith(f"[{control_id}]")
    ]


def failures(diagnostics: Sequence[proto.AnalyzeDiagnostic], control_id: str) -> list[str]:
    return of([one for one in diagnostics if one.policyName != UNRESOLVED], control_id)


def unresolved(diagnostics: Sequence[proto.AnalyzeDiagnostic], control_id: str) -> list[str]:
    return of([one for one in diagnostics if one.policyName == UNRESOLVED], control_id)


def put(props: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """A copy of `props` with `value` at `path`; levels that are missing are made."""
    changed = copy.deepcopy(props)
    holder: Any = changed
    for part, following in pairwise(path):
        empty = [] if isinstance(following, int) else {}
        if isinstance(part, int):
            holder.extend(copy.deepcopy(empty) for _ in range(part + 1 - len(holder)))
            holder = holder[part]
        else:
            holder = holder.setdefault(part, empty)
    if isinstance(path[-1], int):
        holder.extend(None for _ in range(path[-1] + 1 - len(holder)))
    holder[path[-1]] = value
    return changed


__all__ = [
    "UNKNOWN",
    "UNRESOLVED",
    "Shown",
    "failures",
    "of",
    "put",
    "remediated",
    "run",
    "run_alone",
    "unresolved",
]
