"""The SDK whose servicer is replaced is the one that was read: a new version fails here first.

Then compare what changed in pulumi_policy/policy.py with policies/runner/servicer.py, see docs/decisions/0005, and put
the new version and digests here.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pulumi_policy.policy as sdk
import pytest
from pulumi_policy.deserialize import deserialize_properties
from pulumi_policy.proxy import unknown_checking_proxy

from policies.runner.servicer import Servicer

READ = "1.21.0"
PROJECT = Path(__file__).parents[3]
PINS = ("requirements.in", "requirements.txt", "policies/requirements.txt", "policies/pyproject.toml")
REPLACED = sdk._PolicyAnalyzerServicer
DIGESTS: dict[Callable[..., Any], str] = {
    REPLACED.Configure: "785e6599c03e67da",
    REPLACED.Analyze: "75db9cf8fc9d1585",
    REPLACED.AnalyzeStack: "3917a008482c2387",
    REPLACED.Remediate: "c4060524d4ad777f",
    REPLACED._create_report_violation: "0be23b1e3ebae615",
    REPLACED._get_enforcement_level: "e766403ef7ab7cdf",
    REPLACED._get_policy_config: "bd59507ff3226701",
    REPLACED._get_provider_resource: "5db736069fc8d3d6",
    REPLACED._get_resource_options: "986051047b696f0f",
    REPLACED._map_enforcement_level: "1e5d4aa735645680",
    sdk.PolicyPack.__init__: "34256ae3a291d0b4",
    sdk._NotApplicableError: "1b0c8e2a38deeaff",
    deserialize_properties: "2ef45163513f6cc9",
    unknown_checking_proxy: "760d27c0d09666ff",
}


@pytest.mark.parametrize("file", PINS)
def test_one_version_is_pinned(file: str) -> None:
    assert re.findall(r"pulumi-policy==([\w.]+)", (PROJECT / file).read_text()) == [READ]
    assert version("pulumi-policy") == READ


@pytest.mark.parametrize(
    ("part", "digest"), DIGESTS.items(), ids=lambda part: getattr(part, "__qualname__", "")
)
def test_what_is_replaced_or_used_is_what_was_read(part: Callable[..., Any], digest: str) -> None:
    assert hashlib.sha256(inspect.getsource(part).encode()).hexdigest()[:16] == digest


def test_nothing_else_of_the_servicer_is_replaced() -> None:
    own = {name for name in vars(Servicer) if name in vars(REPLACED)}
    assert own == {"__init__", "__doc__", "__module__", "Configure", "Analyze", "AnalyzeStack"}
