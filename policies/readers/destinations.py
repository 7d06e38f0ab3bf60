"""Destinations known only by name: a bucket's ARN carries no region, a global cluster's id none either.

Such a name is in India when it is that of a resource of this stack, which RES-01 and RES-02 judge, or when the
control's configuration lists it. Any other is a "destination of unknown residency".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from policies.framework.control import Finding, StackCheck
from policies.framework.provenance import is_own
from policies.framework.resources import Settings, Stack, StackResource
from policies.framework.unknowns import Unknown
from policies.readers import locations
from policies.readers.references import at, told
from policies.readers.s3_buckets import BUCKETS

S3 = (*BUCKETS, "aws:s3/directoryBucket:DirectoryBucket")
GCS = ("gcp:storage/bucket:Bucket",)
# Properties by which others name a resource.
_NAMES = (
    "bucket",
    "name",
    "id",
    "arn",
    "datasetId",
    "bucketId",
    "globalClusterIdentifier",
    "globalReplicationGroupId",
    "multiRegionClusterName",
)


@dataclass(frozen=True)
class Destination:
    """A property that names a resource of one of the types `of`."""

    type: str
    path: str
    of: tuple[str, ...] = S3


def destinations(about: str, table: Sequence[Destination], inventory: str = "buckets") -> StackCheck:
    """A check over the stack that each destination in `table` is the stack's own or stands in the inventory."""

    def check(stack: Stack, settings: Settings) -> Iterator[tuple[str, Finding]]:
        listed = {one for one in settings.get(inventory, ()) if isinstance(one, str)}
        for row in table:
            own = [other for type_ in row.of for other in stack.of(type_)]
            for resource in stack.of(row.type):
                for where, value in at(resource.props, row.path):
                    if value is not None and not _known_to_be_here(value, row, resource, own, listed, stack):
                        yield resource.urn, _unknown_residency(where, value, inventory)

    check.__doc__ = told(about, table)
    return check


def inventory(name: str, what: str) -> dict[str, dict[str, Any]]:
    """The setting that lists `what` outside the stack."""
    return {
        name: {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": f"{what} outside this stack that are known to be in India",
        }
    }


def name_in(text: str) -> str:
    """The bare name in an S3 ARN, `s3://` or `gs://` address, or Google path."""
    if reference := locations.arn(text):
        text = reference.resource
    for scheme in ("s3://", "s3a://", "gs://", "https://", "storage.googleapis.com/"):
        text = text.removeprefix(scheme)
    if ".googleapis.com/" in text or text.startswith("projects/"):
        return text.rstrip("/").rpartition("/")[2]
    return text.partition("/")[0].partition(".s3.")[0]


def _known_to_be_here(
    value: Any,
    row: Destination,
    resource: StackResource,
    own: list[StackResource],
    listed: set[str],
    stack: Stack,
) -> bool:
    if isinstance(value, Unknown):
        prop = row.path.partition(".")[0]
        sources = [source.resource_type for source in resource.sources(prop)]
        behind = stack.behind(resource, prop)
        return all(is_own(type_) for type_ in sources) and any(one.urn in behind for one in own)
    if not isinstance(value, str):
        return False
    if _says_its_place(value):
        return True  # and is judged by that
    name = name_in(value)
    return name in listed or any(_is_named(one, name, value) for one in own)


def _says_its_place(text: str) -> bool:
    if reference := locations.arn(text):
        return bool(reference.region)
    # A bucket of logs at `global` is one that the walk of references finds.
    place = locations.gcp_path_place(text)
    return place is not None and (place != "global" or "/buckets/" in text)


def _is_named(one: StackResource, name: str, value: str) -> bool:
    names = {name_in(text) for key in _NAMES if isinstance(text := one.props.get(key), str) and text}
    project = value.partition("projects/")[2].partition("/")[0]
    own = one.props.get("project")
    return name in names and (not project or not isinstance(own, str) or own == project)


def _unknown_residency(where: str, value: Any, inventory: str) -> Finding:
    return Finding(
        "destination of unknown residency",
        where,
        "unknown" if isinstance(value, Unknown) else value,
        f"a resource of this stack, or a name listed in `{inventory}`",
    )
