"""Destinations known only by name: a bucket's ARN carries no region, a global cluster's id none either.

Such a name is in India when it is that of a resource of this stack, which RES-01 and RES-02 judge, when the control's
configuration lists it, or when it says an Indian place itself. Any other is a "destination of unknown residency", or
abroad where its name says so. Controls have tables of the properties that they must know (`Destination`); stores that
the one reader of values finds anywhere else are reported by the control of the type's family, each place once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from policies.framework.control import Finding, StackCheck
from policies.framework.provenance import IN_CLUSTERS, is_own, made_here
from policies.framework.resources import Settings, Stack, StackResource
from policies.framework.unknowns import Unknown, dig, dotted
from policies.readers import locations
from policies.readers.references import at, family, table_summary
from policies.readers.s3_buckets import BUCKETS
from policies.readers.values.places import Place
from policies.readers.values.reading import Value, read
from policies.readers.values.stores import Kind, Store, holds, place_of, store_in

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
    "bucketName",
    "globalClusterIdentifier",
    "globalReplicationGroupId",
    "multiRegionClusterName",
    "accountName",
)


@dataclass(frozen=True)
class Destination:
    """A property that names a resource of one of the types `of`."""

    type: str
    path: str
    of: tuple[str, ...] = S3


# Properties that some table claims: nothing else reports them.
_CLAIMED: set[tuple[str, str]] = set()
# Controls that report stores of their families; RES-18 those of all others. Kubernetes is K8S-04's.
_REPORTING = frozenset({"DPDP-RES-04", "DPDP-RES-11", "DPDP-RES-12"})


def destinations(
    about: str, table: Sequence[Destination], inventory: str = "buckets", others: str = ""
) -> StackCheck:
    """A check over the stack that each destination in `table` is the stack's own or stands in the inventory.

    `others` is the control that also reports the stores of its families which no table claims.
    """
    _CLAIMED.update((row.type, row.path) for row in table)

    def check(stack: Stack, settings: Settings) -> Iterator[tuple[str, Finding]]:
        listed = {one for one in settings.get(inventory, ()) if isinstance(one, str)}
        for row in table:
            own = [other for type_ in row.of for other in stack.of(type_)]
            for resource in stack.of(row.type):
                for where, value in at(resource.props, row.path):
                    if value is not None and not _known_to_be_here(value, row, resource, own, listed, stack):
                        yield resource.urn, _wrong(where, value, _place_in_name(value), inventory)
        if others:
            yield from _others(stack, others, listed, inventory)

    check.__doc__ = table_summary(about, table)
    return check


@dataclass(frozen=True)
class OwnStores:
    """The stores that a stack makes, by kind and name, each with its project where it has one."""

    projects: dict[tuple[Kind, str], set[str]]
    urns: frozenset[str]

    def have(self, store: Store) -> bool:
        """Whether a store is one of these; a table is where its dataset is."""
        kind, name = (
            ("dataset", store.name.partition(".")[0]) if store.kind == "table" else (store.kind, store.name)
        )
        projects = self.projects.get((kind, name))
        return projects is not None and (not store.project or store.project in projects or "" in projects)


def own_stores(stack: Stack) -> OwnStores:
    """Every bucket, dataset, topic and storage account of a stack, of whichever provider."""
    projects: dict[tuple[Kind, str], set[str]] = {}
    urns = set[str]()
    for resource in stack.all():
        if kind := _kind_made(resource.type):
            urns.add(resource.urn)
            for name in _names_of(resource):
                projects.setdefault((kind, name), set()).add(_project_of(resource))
    return OwnStores(projects, frozenset(urns))


_BUCKET_TYPES = frozenset(
    {"Bucket", "BucketV2", "DirectoryBucket", "TableBucket", "StorageBucket", "ObjectBucketClaim"}
)


_NAMES_INSIDE = (*_NAMES, "resourceID", "azureName")


def _kind_made(type_: str) -> Kind | None:
    last = type_.rpartition(":")[2]
    if last in _BUCKET_TYPES and not type_.startswith("gcp:firebase/"):
        return "bucket"
    if last in ("Dataset", "BigQueryDataset") and "bigquery" in type_.lower():
        return "dataset"
    if last == "StorageAccount" or (last == "Account" and "storage" in type_ and "azure" in type_):
        return "account"
    return "topic" if last in ("Topic", "PubSubTopic") and "pubsub" in type_.lower() else None


def _names_of(resource: StackResource) -> set[str]:
    holders = [resource.props]
    if resource.type.startswith("kubernetes:"):
        holders = [dig(resource.props, "metadata"), dig(resource.props, "spec")]
    texts = [holder.get(key) for holder in holders if isinstance(holder, dict) for key in _NAMES_INSIDE]
    return {name_in(text) for text in texts if isinstance(text, str) and text}


def _project_of(resource: StackResource) -> str:
    project = resource.props.get("project") or resource.given.provider_props.get("project")
    return project if isinstance(project, str) else ""


def _others(stack: Stack, control: str, listed: set[str], inventory: str) -> Iterator[tuple[str, Finding]]:
    own = own_stores(stack)
    for resource in stack.all():
        if _reporter(resource.type) != control:
            continue
        seen = set[tuple[str, str]]()
        for value in read(resource.given).of("store"):
            if value.store is None or _is_claimed(resource.type, value):
                continue
            if (
                not is_known(value, own, listed, _project_of(resource))
                and (value.where, value.word) not in seen
            ):
                seen.add((value.where, value.word))
                yield resource.urn, _wrong(value.where, value.word, value.place, inventory)
        for unknown in read(resource.given).unknowns:
            if _may_be_elsewhere(unknown, resource, stack, own):
                yield resource.urn, _wrong(dotted(unknown.path), unknown, None, inventory)


def _reporter(type_: str) -> str:
    if type_.startswith(("kubernetes:", "pulumi:")):
        return ""
    control = family(type_)
    return control if control in _REPORTING else "DPDP-RES-18"


def _is_claimed(type_: str, value: Value) -> bool:
    """Whether a table claims a property, or it is what a store itself is called."""
    if len(value.path) == 1 and value.path[0] in _NAMES and _kind_made(type_):
        return True
    return (type_, ".".join(part for part in value.path if isinstance(part, str))) in _CLAIMED


def is_known(value: Value, own: OwnStores, listed: set[str], project: str = "") -> bool:
    """Whether nothing is written to a store, or it is known to be in India. `project` is the writer's own."""
    store = value.store
    if (
        store is None
        or store.use in ("read", "none")
        or own.have(store)
        or _is_listed(store, value.word, listed)
    ):
        return True
    if value.place is not None:
        return value.place.is_india
    return store.use == "own region" or (store.kind == "topic" and bool(project) and store.project == project)


def _is_listed(store: Store, word: str, listed: set[str]) -> bool:
    full = f"{store.project}.{store.name}".lstrip(".")
    dataset = full.rpartition(".")[0] if store.kind == "table" else full
    return not listed.isdisjoint({word, store.name, full, dataset})


def _may_be_elsewhere(unknown: Unknown, resource: StackResource, stack: Stack, own: OwnStores) -> bool:
    """Whether an unknown name of a store is made here, and yet from none of the stack's stores.

    GOV-04 reports one that is made of something else. A store whose own name is made of the same counts as its source.
    """
    names = tuple(part for part in unknown.path if isinstance(part, str))
    held = holds(resource.type, names)
    if held.kind is None or held.use != "written" or (resource.type, ".".join(names)) in _CLAIMED:
        return False
    if not made_here(resource, names[0], IN_CLUSTERS):
        return False
    behind = stack.behind(resource, names[0])
    made_of = {
        source.urn
        for urn in own.urns
        if (store := stack.get(urn))
        for key in _NAMES
        for source in store.sources(key)
    }
    return behind.isdisjoint(own.urns | made_of)


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
    place = _place_in_name(value)
    named_here = name in listed or any(_is_named(one, name, value) for one in own)
    return named_here or (place is not None and place.is_india)


def _place_in_name(value: Any) -> Place | None:
    """The place that a name says, as in `logs-ap-south-1`."""
    if not isinstance(value, str):
        return None
    return place_of(store_in(value, "", (), alone=False) or Store("bucket", value), value)


def _says_its_place(text: str) -> bool:
    if reference := locations.arn(text):
        return bool(reference.region)
    # A bucket of logs at `global` is one that `foreign_references` finds.
    place = locations.gcp_path_place(text)
    return place is not None and (place != "global" or "/buckets/" in text)


def _is_named(one: StackResource, name: str, value: str) -> bool:
    names = {name_in(text) for key in _NAMES if isinstance(text := one.props.get(key), str) and text}
    project = value.partition("projects/")[2].partition("/")[0]
    own = one.props.get("project")
    return name in names and (not project or not isinstance(own, str) or own == project)


def _wrong(where: str, value: Any, place: Place | None, inventory: str) -> Finding:
    what = "destination of unknown residency"
    if place is not None and not place.is_india:
        what = f"the destination is abroad by its name ({place.word})"
    shown = "unknown" if isinstance(value, Unknown) else value
    return Finding(what, where, shown, f"a resource of this stack, or a name listed in `{inventory}`")
