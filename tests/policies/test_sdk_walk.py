"""Every property of the installed SDKs that says where something is, is read by some control, or is reviewed.

After an upgrade of a provider a new property turns up here: claim it in a control, or add its name to `not_places.txt`
with the reason why it names no place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from policies.framework.control import Finding
from policies.framework.resources import Resource
from policies.pack import CONTROLS
from policies.readers.exceptions import HOME, lets_through
from policies.readers.values.reading import names_no_destination
from tests.policies import provider_blocks
from tests.policies.harness import put

pytestmark = pytest.mark.slow

PLACES = {"region", "regions", "location", "locations", "zone", "zones"}
LEADS = {"endpoint", "endpoints", "url", "urls", "destination", "destinations"}
ABROAD = {"aws": ["eu-west-1", "eu-west-1a"], "gcp": ["us-central1", "us-central1-a"]}
BY_ARN = "arn:aws:sqs:eu-west-1:000000000000:q"
BY_HOST = "x.eu-west-1.amazonaws.com"
REVIEWED = {
    tuple(line.partition(":")[0].split())
    for line in (Path(__file__).parent / "not_places.txt").read_text().splitlines()
    if not line.startswith("#")
}
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
# Destinations known only by name, and stacks, are joined over the whole stack.
_OVER_THE_STACK = {("aws", "multiRegionClusterName"), ("aws", "locationArn")}


def words(name: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(name)}


def named(provider: str, among: set[str]) -> Iterator[tuple[str, tuple[str, ...], str]]:
    for type_, path, annotation in provider_blocks.paths(f"pulumi_{provider}"):
        ends = range(1, len(path) + 1)
        if any(names_no_destination(type_, path[:end]) for end in ends):
            continue
        if "_builtins.str" in annotation and words(path[-1]) & among:
            yield type_, path, annotation


def claimed(type_: str, path: tuple[str, ...], annotation: str, values: list[str], written: str = "") -> bool:
    """Whether some control of residency finds one of the values at the path, put there (as `written`, if it is longer)
    as the SDK takes it."""
    return any(
        isinstance(found, Finding) and value in str(found.value)
        for value in values
        for control in CONTROLS
        if control.check and control.id.startswith("DPDP-RES-") and type_.startswith(control.types)
        for found in control.check(
            Resource(
                type_,
                "urn",
                put({}, path, [written or value] if "Sequence" in annotation else written or value),
            ),
            {},
        )
    )


@pytest.mark.parametrize("provider", ["aws", "gcp"])
def test_every_name_of_a_place_is_claimed_or_reviewed(provider: str) -> None:
    seen, unclaimed, excepted = 0, set(), set()
    for type_, path, annotation in named(provider, PLACES):
        seen += 1
        values = [BY_ARN] if path[-1].endswith(("Arn", "Arns")) else ABROAD[provider]
        if not claimed(type_, path, annotation, values):
            reason = lets_through(type_, path, values[0])
            (excepted if reason else unclaimed).add((provider, path[-1]))
    assert seen > 1000, "the SDK was not read"
    assert unclaimed - REVIEWED - _OVER_THE_STACK == set()
    assert {one for one in REVIEWED if one[0] == provider} - unclaimed - excepted == set(), (
        "reviewed, yet claimed or gone"
    )


@pytest.mark.parametrize("provider", ["aws", "gcp"])
def test_every_endpoint_and_destination_is_read(provider: str) -> None:
    """At least a cloud's host in a foreign region is found, whatever the property."""
    unclaimed = {
        (type_, path)
        for type_, path, annotation in named(provider, LEADS)
        if not lets_through(type_, ("region",), HOME)
        and not claimed(type_, path, annotation, [BY_HOST], f"https://{BY_HOST}/")
    }
    assert unclaimed == set()
