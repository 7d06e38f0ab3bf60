"""A place abroad is found in every text property of every type of the SDKs, or the property names no destination.

Nothing here knows a type: the properties are read from the installed SDKs, and the values are drawn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.framework.control import Finding
from policies.framework.resources import Resource
from policies.framework.unknowns import dotted
from policies.pack import CONTROLS
from policies.readers.exceptions import lets_through
from policies.readers.pod_environment import CRD
from policies.readers.values.reading import names_no_destination
from tests.examples import examples
from tests.policies import provider_blocks
from tests.policies.harness import put

pytestmark = pytest.mark.slow

CHECKS = [
    control for control in CONTROLS if control.check and control.id.startswith(("DPDP-RES-", "DPDP-K8S-"))
]
REGIONS = st.sampled_from(
    [
        *(
            "us-east-2",
            "eu-west-3",
            "ap-southeast-7",
            "us-gov-west-1",
            "me-central-1",
            "eu-north-1b",
            "use1-az4",
        ),
        *("us-central1", "europe-west12", "asia-southeast3", "northamerica-northeast2-a", "africa-south1"),
        *("eastus", "westeurope", "US_EAST_2", "EU-WEST-2"),
    ]
)
WAYS = st.sampled_from(
    [
        "{}",
        "https://api.{}.example.com/v1",
        "arn:aws:sqs:{}:111122223333:q",
        "projects/p/locations/{}/queues/q",
        "db-1.{}.rds.example.net:5432",
        "project:{}:orders",
    ]
)


def text_paths(package: str) -> dict[str, list[Any]]:
    """The paths of the text properties of each type."""
    found = defaultdict[str, list[Any]](list)
    for type_, path, annotation in provider_blocks.paths(package):
        if "_builtins.str" in annotation:
            found[type_].append((path, "Sequence" in annotation, "Mapping" in annotation))
    return found


PATHS = {package: text_paths(package) for package in ("pulumi_aws", "pulumi_gcp", "pulumi_kubernetes")}
# The texts of a CRD are the documentation of a schema.
TYPES = st.sampled_from(
    [
        (package, type_)
        for package, types in PATHS.items()
        for type_ in sorted(types)
        if not type_.startswith(CRD)
    ]
)


def places(resource: Resource) -> str:
    """Where some control finds something, as one text."""
    wheres = [
        found.where
        for control in CHECKS
        if resource.type.startswith(control.types) and control.check
        for found in control.check(resource, {})
        if isinstance(found, Finding)
    ]
    return "\n".join(wheres)


def filled(paths: list[Any], value: str) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    for path, many, keyed in paths:
        if any(names_no_destination("", path[: end + 1]) for end in range(len(path))):
            continue
        inner: Any = {"KEY": value} if keyed else value
        yield path, put({}, path, [inner] if many else inner)


@settings(max_examples=examples(100))
@given(TYPES, REGIONS, WAYS)
def test_a_place_abroad_is_found_in_any_text_property(where: tuple[str, str], region: str, way: str) -> None:
    package, type_ = where
    missed = []
    for path, props in filled(PATHS[package][type_], way.format(region)):
        if any(names_no_destination(type_, path[: end + 1]) for end in range(len(path))):
            continue
        if lets_through(type_, path, way.format(region)):
            continue
        if dotted(path) not in places(Resource(type_, "urn", props)):
            missed.append(dotted(path))
    assert not missed, f"{type_} {way.format(region)}"


@pytest.mark.parametrize("package", PATHS)
def test_the_sdks_are_read(package: str) -> None:
    assert sum(map(len, PATHS[package].values())) > 1000
