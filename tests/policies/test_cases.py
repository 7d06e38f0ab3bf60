"""Resources as real stacks have them, found before anybody looked at the code that judges them: cases/README.md.

A leak is caught by a mandatory finding about residency; a clean resource has none. Rows marked `soft` are judgement
calls, and judged by nobody.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime.proto.analyzer_pb2 import EnforcementLevel

from policies.runner.offline import UNKNOWN, AnalyzedResource, Provider, analyse
from tests.policies.cases.odd_shapes import odd_cases

FOLDER = Path(__file__).parent / "cases"
ABOUT_RESIDENCY = re.compile(r"\[DPDP-(?:RES-\d+|K8S-\d+|GOV-0[45]|SDF-01|LOG-07)\]")
STOPS = (EnforcementLevel.MANDATORY, EnforcementLevel.REMEDIATE)


def rows() -> Iterator[Any]:
    for file in sorted(FOLDER.glob("*.json")):
        for row in json.loads(file.read_text()):
            if not row["soft"]:
                yield pytest.param(row, id=f"{row['id']} {file.stem} {row['type']}")


def urn(type_: str, name: str) -> str:
    return f"urn:pulumi:prod::cases::{type_}::{name}"


def hide(props: dict[str, Any], path: str) -> None:
    """Make the value at a path one that can't be known."""
    *way, last = (int(part) if part.isdigit() else part for part in path.split("."))
    holder: Any = props
    for part in way:
        holder = holder[part]
    holder[last] = UNKNOWN


def shown(
    type_: str, props: dict[str, Any], name: str, sources: Any, region: str = "ap-south-1"
) -> AnalyzedResource:
    cloud = type_.partition(":")[0]
    inputs = {"aws": {"region": region}, "gcp": {"region": "asia-south1"}}.get(cloud, {})
    provider = Provider(urn(f"pulumi:providers:{cloud}", "default"), inputs)
    return AnalyzedResource(type_, urn(type_, name), props, provider=provider, sources=sources or {})


def about_residency(*resources: AnalyzedResource) -> dict[bool, list[str]]:
    """What a preview says about residency: what would stop it, and what would not."""
    found, _ = analyse(resources)
    told = [one for one in found if ABOUT_RESIDENCY.search(one.message)]
    return {
        stops: [one.message for one in told if (one.enforcementLevel in STOPS) is stops]
        for stops in (True, False)
    }


@pytest.mark.parametrize("row", list(rows()))
def test_leaks_are_caught_and_clean_resources_pass(row: dict[str, Any]) -> None:
    props = copy.deepcopy(row["props"])
    for path in row["unknown"]:
        hide(props, path)
    resource = shown(row["type"], props, f"case-{row['id']}", row.get("sources"), row["provider_region"])
    beside = [shown(one["type"], one["props"], one["name"], one["sources"]) for one in row.get("with", ())]
    found = about_residency(resource, *beside)
    if row["expect"] == "leak":
        assert found[True], row["why"]
    else:
        assert found == {True: [], False: []}, row["why"]


@pytest.mark.slow
@pytest.mark.parametrize("row", list(odd_cases()), ids=lambda row: row["id"])
def test_odd_shapes_break_nothing(row: dict[str, Any]) -> None:
    found = about_residency(shown(row["type"], row["props"], "case", None))[True]
    assert row["want"] == "alive" or bool(found) == (row["want"] == "found")
