"""Where providers work: RES-02 beyond the region that AWS and Google take, for every provider.

A provider of Kubernetes is where its kubeconfig leads, one of AWS also where its own endpoints do, and one of any other
cloud where the place in its settings is. What it makes there is told of by other controls only if it says its place.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from policies.framework.control import Finding
from policies.framework.provenance import is_own, sources
from policies.framework.resources import Resource, Settings, Stack, StackResource
from policies.framework.unknowns import Unknown, each
from policies.readers import locations
from policies.readers.tables import several, table
from policies.readers.values.places import place
from policies.readers.values.reading import Value, is_place_key, read

PROVIDER = "pulumi:providers:"
_CLOUDS = ("aws", "aws-native", "gcp", "google-native")
_OF_CLOUDS = (".amazonaws.com", ".api.aws", ".googleapis.com", ".goog")
_ADDRESSES = (
    "kubeconfig",
    "context",
    "cluster",
    "host",
    "endpoint",
    "endpoints",
    "url",
    "apiUrl",
    "universeDomain",
)
# These exist once, and their home is us-east-1.
_GLOBAL_SERVICES = frozenset(
    {"iam", "sts", "route53", "cloudfront", "organizations", "budgets", "ce", "shield"}
)
# These hand out whatever somebody put in.
# Inputs that hold a place and nothing else, whatever the provider.
_PLACES = ("region", "zone", "location", "regionName")
# Clusters at these hosts are in the region that was chosen for them, which the host does not tell.
_HOSTS_OF_CLUSTERS = (".k8s.ondigitalocean.com", ".vultr-k8s.com", ".k8s.civo.com")
# A region of MinIO is a word that its clients must send, and no place.
_NO_PLACES = ("minio",)
_HANDS_OUT_ANYTHING = ("command:", "random:", "external:", "terraform:", "std:")
_QUIET = frozenset({"defaultTags", "defaultLabels", "ignoreTags", "version", "pluginDownloadURL"})


def provider_addresses(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
    """RES-02: whatever a provider is told of places and addresses is in India, where its name says."""
    name = resource.type.removeprefix(PROVIDER)
    yield from _another_cloud(name, resource)
    reading = read(resource)
    told = set[str]()
    for value in reading.values:
        if value.path[0] in _QUIET or name in _NO_PLACES or value.where in told or _is_judged(name, value):
            continue
        if finding := _abroad(name, value) or _unplaced(name, value, settings):
            told.add(value.where)
            yield finding
    yield from _unknown_places(name, resource, settings)
    for unknown in reading.unknowns:
        if _may_lead_abroad(name, unknown):
            yield unknown


def resolved_by_the_stacks_own(unknown: Unknown, resource: StackResource, _stack: Stack) -> bool:
    """A kubeconfig made from a cluster of this stack leads to that one, whose place is judged where it is made."""
    types = sources(unknown, resource)
    return bool(types) and all(
        is_own(type_, also=("",)) and not type_.startswith(_HANDS_OUT_ANYTHING) for type_ in types
    )


def _is_judged(name: str, value: Value) -> bool:
    """The region of AWS and Google, which is asked for beside this."""
    return name in _CLOUDS and name != "google-native" and value.path in (("region",), ("zone",))


def _abroad(name: str, value: Value) -> Finding | None:
    if not value.is_abroad or (value.key in _GLOBAL_SERVICES and "us-east-1" in value.word):
        return None
    return Finding(
        "the provider works abroad",
        value.where,
        value.word,
        locations.EXPECTED.get(name, "a place in India"),
        fix="change this setting of the provider to an Indian place, or a cluster in India",
    )


def _unplaced(name: str, value: Value, settings: Settings) -> Finding | None:
    """An address of which nothing says where it is: a cluster, or a cloud's own interface. K8S-01 knows services."""
    host = value.host
    if host is None or host.place or host.service or host.silent or host.name in _declared(settings):
        return None
    is_endpoint = name in _CLOUDS and "endpoint" in str(value.path[0]).lower()
    if not host.name.endswith(_HOSTS_OF_CLUSTERS) and not (
        is_endpoint and not host.name.endswith(_OF_CLOUDS)
    ):
        return None
    return _untold("the address is of unknown residency", value.where, host.name)


def _unknown_places(name: str, resource: Resource, settings: Settings) -> Iterator[Finding]:
    """A word in the place of a region that is none of any cloud that is known."""
    if name in (*_CLOUDS, *_NO_PLACES):
        return
    for key in _PLACES:
        value = resource.props.get(key)
        if (
            isinstance(value, str)
            and value
            and place(value, key) is None
            and value not in _declared(settings)
        ):
            yield _untold("the provider's place can't be told", key, value)


def _untold(what: str, where: str, value: str) -> Finding:
    return Finding(
        what,
        where,
        value,
        "a place in India, or one of the setting indianPlaces",
        fix="name a place in India, or declare this one in the policy's setting indianPlaces",
    )


def _declared(settings: Settings) -> list[Any]:
    return each(settings.get("indianPlaces"))


def _another_cloud(name: str, resource: Resource) -> Iterator[Finding | Unknown]:
    for row in _clouds():
        if row["provider"] != name:
            continue
        value = resource.props.get(row["property"])
        if isinstance(value, str) and value and value.lower() not in several(row["allowed"].lower()):
            yield Finding("the provider works in another cloud", row["property"], value, row["allowed"])


def _may_lead_abroad(name: str, unknown: Unknown) -> bool:
    if (
        not unknown.path
        or unknown.path[0] in _QUIET
        or (name in _CLOUDS and unknown.path[0] in ("region", "zone"))
    ):
        return False
    key = next((part for part in reversed(unknown.path) if isinstance(part, str)), "")
    return is_place_key(key) or unknown.path[0] in _ADDRESSES or key.endswith("CustomEndpoint")


@functools.cache
def _clouds() -> tuple[dict[str, str], ...]:
    return tuple(table("provider_clouds.csv"))
