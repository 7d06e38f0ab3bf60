"""Where Kubernetes keeps copies: K8S-04 backups and artefacts in India."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.resources import Resource, Settings, Stack
from policies.framework.unknowns import Leaf, Path, Unknown, dig, dotted, each
from policies.law import RESIDENCY
from policies.readers import locations
from policies.readers.destinations import is_known, own_stores
from policies.readers.mentions import may_mention
from policies.readers.pod_environment import (
    BLOCKS,
    CRD,
    KUBERNETES,
    at,
    is_about_the_object,
    resolved_by_own_resources,
    settings_of_pods,
)
from policies.readers.values.hosts import is_inside
from policies.readers.values.reading import Value, read

VELERO = tuple(
    f"kubernetes:velero.io/v1:{kind}" for kind in ("BackupStorageLocation", "VolumeSnapshotLocation")
)
# Stores of other clouds and of hubs, by scheme: nothing in such an address says that it is in India. Azure
# accounts are stores by name, which the stack may have made.
_ABROAD = re.compile(r"(?<![\w+-])(abfss?|adl|azure|dbfs|hf|ngc|oci-os|wasbs?)://[^\s\"']+", re.IGNORECASE)
# One of these is in each text that the pattern finds something in.
_MARKS_ABROAD = tuple(
    f"{scheme}://" for scheme in ("fs", "fss", "adl", "azure", "hf", "ngc", "oci-os", "wasb", "wasbs")
)
_AZURE = ".core.windows.net"
_IN_PROSE = "bucket"  # how a program's own help writes an address: s3://bucket/path
# Charts of stores that run in the cluster, and how a pod or program is told the address of one.
_CHARTS = frozenset(
    {"minio", "tenant", "rook-ceph", "rook-ceph-cluster", "seaweedfs", "garage", "ceph-cluster"}
)
_ENDPOINT = re.compile(r"endpoint|minio|s3_?(?:host|url|server)|host_?base", re.IGNORECASE)
_ADDRESS_OF_STORE = re.compile(r"(https?://)?([\w.-]{1,253})(:\d{2,5})?(?:/.*)?", re.DOTALL)
_ADDRESS_IN_TEXT = re.compile(
    r"(?<![\w-])[\w-]{0,40}(?:endpoint|host_base)[\w-]{0,20}[\"']?[ \t]{0,8}[:=][ \t]{0,8}[\"']?([\w.:/-]{1,300})",
    re.IGNORECASE,
)
_MARKS_OF_ADDRESSES = ("endpoint", "host_base")
_CONTAINERS = frozenset({"containers", "initContainers", "ephemeralContainers"})
# An unknown one of these names, or inside what a pod is told, may be such an address.
_ADDRESS = re.compile(
    r"ur[il]s?$|bucket|artifact|artefact|checkpoint|backup|storage|destination|region$|root$", re.IGNORECASE
)
_HELD = frozenset({"args", "command", "data", "stringData", "values"})


def copies(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """K8S-04: no address of a store that is outside the two clouds' Indian regions; Velero's regions are Indian."""
    if resource.type.startswith(CRD):
        return
    if resource.type in VELERO:
        yield from _velero(resource.props)
    for leaf in settings_of_pods(resource):
        if isinstance(leaf.value, Unknown):
            if _may_be_a_store(leaf):
                yield leaf.value
        elif isinstance(leaf.value, str) and leaf.name != "image":
            for found in _ABROAD.finditer(leaf.value) if may_mention(leaf.value, _MARKS_ABROAD) else ():
                if _AZURE not in found[0].lower():
                    yield Finding(
                        "nothing says that this store is in India",
                        dotted(leaf.path),
                        found[0],
                        "s3:// or gs:// with a bucket in India, pvc:// or a store of the cluster",
                    )


def buckets(stack: Stack, settings: Settings) -> Iterator[tuple[str, Finding]]:
    """K8S-04: every store that a Kubernetes resource names is one of this stack, or declared as kept in India."""
    own = own_stores(stack)
    listed = {name for name in each(settings.get("indianBuckets")) if isinstance(name, str)}
    for resource in stack.under(*KUBERNETES):
        if not resource.type.startswith(CRD):
            for value in _stores(resource.given):
                if not is_known(value, own, listed):
                    yield resource.urn, _unknown(value)


def _unknown(value: Value) -> Finding:
    what = "storage account" if value.store and value.store.kind == "account" else "bucket"
    abroad = f"this {what} is abroad by its name ({value.place.word})" if value.place else ""
    return Finding(
        abroad or f"nothing says where this {what} is: its name carries no region",
        value.where,
        value.store.name if value.store else value.word,
        "a bucket of this stack, or one of the setting indianBuckets",
    )


def _stores(resource: Resource) -> Iterator[Value]:
    """The stores that a resource names, each place once, but for those of a store that runs in the cluster."""
    inside = _parts_with_own_store(resource)
    seen = set[tuple[str, str]]()
    for value in read(resource).of("store"):
        if (
            value.store is None
            or not inside.isdisjoint({(), _part(value.path)})
            or _is_not_told(value, resource)
            or _is_container(value, resource)
        ):
            continue
        if (value.where, value.store.name) not in seen:
            seen.add((value.where, value.store.name))
            yield value


def _is_container(value: Value, resource: Resource) -> bool:
    """Whether a bucket of Velero is one inside a storage account of Azure, which is judged itself."""
    account = dig(resource.props, "spec", "config", "storageAccount")
    return resource.type in VELERO and value.key == "bucket" and account is not None


def _is_not_told(value: Value, resource: Resource) -> bool:
    """Metadata and status configure nothing; a program's own help has `s3://bucket/path`."""
    if is_about_the_object(value.path):
        return True
    if value.store is None or value.store.name != _IN_PROSE:
        return False
    return "\n" in str(at(resource.props, value.path))


def _velero(props: Any) -> Iterator[Finding | Unknown]:
    config = dig(props, "spec", "config")
    url, region = dig(config, "s3Url"), dig(config, "region")
    if isinstance(region, Unknown):
        yield region
    elif region is None and url is None:
        return  # the region is the bucket's, which the stack judges
    elif isinstance(url, str) and ".amazonaws.com" not in url:
        return  # a store of S3's kind, whose region is a word; K8S-01 judges its host
    elif not isinstance(region, str) or not locations.place(region):
        yield Finding("backups go abroad", "spec.config.region", region, locations.EXPECTED_AWS)


def _may_be_a_store(leaf: Leaf) -> bool:
    path = list(map(str, leaf.path))
    return (
        leaf.name in BLOCKS
        or bool(_HELD.intersection(path))
        or "env" in path
        or bool(_ADDRESS.search(leaf.name))
    )


def _parts_with_own_store(resource: Resource) -> set[Path]:
    """The parts of a resource whose settings name a store in the cluster: a container, or `()` for all of it."""
    chart = resource.props.get("chart")
    if isinstance(chart, str) and chart.rstrip("/").rpartition("/")[2] in _CHARTS:
        return {()}
    leaves_ = (leaf for leaf in settings_of_pods(resource) if isinstance(leaf.value, str))
    return {_part(leaf.path) for leaf in leaves_ if _is_own_store(leaf, resource)}


def _is_own_store(leaf: Leaf, resource: Resource) -> bool:
    """Whether a text has the address of a store of S3's kind inside the cluster."""
    if leaf.path[-1] == "name":
        return False
    beside = at(resource.props, leaf.path[:-1])
    name = str(beside.get("name", leaf.name)) if isinstance(beside, dict) else leaf.name
    may_be = may_mention(leaf.value, _MARKS_OF_ADDRESSES)
    addresses = [found[1] for found in _ADDRESS_IN_TEXT.finditer(leaf.value)] if may_be else []
    if "\n" not in leaf.value and _ENDPOINT.search(name):
        addresses.append(leaf.value)
    return any(map(_is_inside, addresses))


def _is_inside(address: str) -> bool:
    """`http://minio:9000`, `minio.minio.svc`; a word alone is no address."""
    found = _ADDRESS_OF_STORE.fullmatch(address.strip())
    if found is None or not (found[1] or found[3] or "." in found[2]):
        return False
    return is_inside(found[2])


def _part(path: Path) -> Path:
    """The container that a property is of; `()` outside of any."""
    for end in range(len(path) - 1, 0, -1):
        if path[end - 1] in _CONTAINERS:
            return path[: end + 1]
    return ()


K8S_04 = Control(
    id="DPDP-K8S-04",
    title="Backups and artefacts in India",
    law=RESIDENCY,
    severity=Severity.CRITICAL,
    level=EnforcementLevel.MANDATORY,
    types=KUBERNETES,
    remedy="keep them in a bucket of this stack, or declare the bucket in indianBuckets",
    check=copies,
    stack_check=buckets,
    resolves=resolved_by_own_resources,
    settings={
        "indianBuckets": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "buckets and storage accounts of other stacks that are in India",
        }
    },
)
CONTROLS = (K8S_04,)
