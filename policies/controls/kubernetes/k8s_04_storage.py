"""Where Kubernetes keeps copies: K8S-04 backups and artefacts in India."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.resources import Resource, Settings, Stack, StackResource
from policies.framework.unknowns import Leaf, Unknown, dig, dotted, each
from policies.law import RESIDENCY
from policies.readers import locations
from policies.readers.pod_environment import BLOCKS, CRD, KUBERNETES, settled_by_own_resources, told
from policies.readers.s3_buckets import BUCKETS

VELERO = tuple(
    f"kubernetes:velero.io/v1:{kind}" for kind in ("BackupStorageLocation", "VolumeSnapshotLocation")
)
GCS_BUCKETS = ("gcp:storage/bucket:Bucket",)
# Stores of other clouds and of hubs, by scheme: nothing in such an address says that it is in India.
_ABROAD = re.compile(r"(?<![\w+-])(abfss?|adl|azure|dbfs|hf|ngc|oci-os|wasbs?)://[^\s\"']+", re.IGNORECASE)
_BLOB = re.compile(r"(?<![\w-])[\w-]+\.(?:blob|dfs)\.core\.windows\.net\S*", re.IGNORECASE)
_BUCKET_URI = re.compile(r"(?<![\w+-])(?:s3a?|gs)://([a-z0-9][a-z0-9._-]*)")
_IN_PROSE = "bucket"  # how a program's own help writes an address: s3://bucket/path
_BUCKET_NAMES = frozenset({"bucket", "bucketName", "bucketname", "bucketNames"})
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
    for leaf in told(resource.props):
        if isinstance(leaf.value, Unknown):
            if _may_be_a_store(leaf):
                yield leaf.value
        elif isinstance(leaf.value, str) and leaf.name != "image":
            for pattern in (_ABROAD, _BLOB):
                for found in pattern.finditer(leaf.value):
                    yield Finding(
                        "nothing says that this store is in India",
                        dotted(leaf.path),
                        found[0],
                        "s3:// or gs:// with a bucket in India, pvc:// or a store of the cluster",
                    )


def buckets(stack: Stack, settings: Settings) -> Iterator[tuple[str, Finding]]:
    """K8S-04: every bucket that a Kubernetes resource names is one of this stack, or declared as kept in India."""
    known = _buckets_of(stack) | {one for one in each(settings.get("indianBuckets")) if isinstance(one, str)}
    for resource in stack.under(*KUBERNETES):
        if not resource.type.startswith(CRD):
            for where, name in _bucket_names(resource):
                if name not in known:
                    yield (
                        resource.urn,
                        Finding(
                            "nothing says where this bucket is: its name carries no region",
                            where,
                            name,
                            "a bucket of this stack, or one of the setting indianBuckets",
                        ),
                    )


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


def _buckets_of(stack: Stack) -> set[str]:
    """Names of the stack's buckets, which RES-01 and RES-03 hold in India."""
    found = [one.props.get("bucket") for one in stack.of(*BUCKETS)]
    found += [one.props.get("name") for one in stack.of(*GCS_BUCKETS)]
    return {name for name in found if isinstance(name, str)}


def _bucket_names(resource: StackResource) -> Iterator[tuple[str, str]]:
    for leaf in told(resource.props):
        if not isinstance(leaf.value, str):
            continue
        if leaf.name in _BUCKET_NAMES and leaf.value and "://" not in leaf.value:
            yield dotted(leaf.path), leaf.value
        for name in dict.fromkeys(_BUCKET_URI.findall(leaf.value)):
            if name != _IN_PROSE or "\n" not in leaf.value:
                yield dotted(leaf.path), name


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
    settles=settled_by_own_resources,
    settings={
        "indianBuckets": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "buckets of other stacks that are in India",
        }
    },
)
CONTROLS = (K8S_04,)
