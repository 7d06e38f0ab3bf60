"""Several regions as one place: RES-03 stores, RES-07 copies that go to a multi-region when nothing is said.

RES-01 judges a location that is written out (`ASIA`, `US`); here are other names for places, and silence.
"""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.remediation import PropertyPatch
from policies.framework.resources import Resource, Settings, Stack, StackResource
from policies.framework.unknowns import Unknown, dig
from policies.law import RESIDENCY
from policies.readers import locations
from policies.readers.destinations import Destination, destinations, inventory
from policies.readers.references import (
    ReferenceRule,
    Wrong,
    at,
    check_rules,
    combine,
    region,
    table_summary,
)

# "Instance configurations", Spanner's documentation, read 2026-11: the pair is Mumbai and Delhi.
SPANNER_CONFIGS = ("regional-asia-south1", "regional-asia-south2", "dual-region-india1")
_CUSTOM = "custom-"  # a configuration of one's own, which the stack has to show
_SPANNER_INSTANCE = "gcp:spanner/instance:Instance"
_SPANNER_CONFIG = "gcp:spanner/instanceConfig:InstanceConfig"
_SNAPSHOT_SETTINGS = "gcp:compute/snapshotSettings:SnapshotSettings"
_INCIDENTS = "aws:ssmincidents/replicationSet:ReplicationSet"
_SQL = "gcp:sql/databaseInstance:DatabaseInstance"
_SCHEDULE = "gcp:compute/resourcePolicy:ResourcePolicy"
_TOPIC = "gcp:pubsub/topic:Topic"


def _spanner(text: str, _settings: Settings) -> Wrong | None:
    name = text.rpartition("/")[2]
    if name in SPANNER_CONFIGS or name.startswith(_CUSTOM):
        return None
    return "this instance configuration is not known to stay in India", ", ".join(SPANNER_CONFIGS)


# Defaults as the provider's own documentation of each property gives them (pulumi_gcp 10.2.0).
_DEFAULTS_ABROAD = {
    "gcp:bigquery/dataset:Dataset": ("location", "the multi-region US"),
    "gcp:bigquery/job:Job": ("location", "US"),
    "gcp:bigquery/dataTransferConfig:DataTransferConfig": ("location", "US"),
    "gcp:bigquery/reservation:Reservation": ("location", "US"),
    "gcp:bigquery/capacityCommitment:CapacityCommitment": ("location", "US"),
    "gcp:bigquery/connection:Connection": ("location", "a location of Google's choice"),
    "gcp:dataproc/cluster:Cluster": ("region", "global"),
    "gcp:cloudbuild/trigger:Trigger": ("location", "global"),
}
_MULTI_REGIONS = (
    *(
        ReferenceRule(type_, path, absent=f"without it Google takes {what}")
        for type_, (path, what) in _DEFAULTS_ABROAD.items()
    ),
    ReferenceRule(_SPANNER_INSTANCE, "config", _spanner),
    ReferenceRule(_SPANNER_CONFIG, "baseConfig", _spanner),
    ReferenceRule(_INCIDENTS, "regions.name", region),
)  # fmt: skip
_ACCESS_POINTS = (
    Destination("aws:s3control/multiRegionAccessPoint:MultiRegionAccessPoint", "details.regions.bucket"),
    Destination("aws:s3control/multiRegionAccessPointRoutes:MultiRegionAccessPointRoutes", "routes.bucket"),
)
_TO_NEAREST = "without it Google takes the nearest multi-region, which is `asia`"
_SILENT_COPIES = (
    ReferenceRule("gcp:compute/snapshot:Snapshot", "storageLocations", absent=_TO_NEAREST),
    ReferenceRule("gcp:compute/image:Image", "storageLocations", absent=_TO_NEAREST),
    ReferenceRule("gcp:compute/machineImage:MachineImage", "storageLocations", absent=_TO_NEAREST),
    ReferenceRule(
        _SCHEDULE,
        "snapshotProperties.storageLocations",
        absent=_TO_NEAREST,
        block="snapshotSchedulePolicy",
    ),
    ReferenceRule(
        _TOPIC,
        "messageStoragePolicy.allowedPersistenceRegions",
        absent="without it messages are kept in the region nearest to whoever publishes",
    ),
)
_WITH_LOCATIONS = tuple(row.type for row in _SILENT_COPIES if row.path == "storageLocations")
_POLICIES = ("LOCAL_REGION", "SPECIFIC_LOCATIONS")


def silent_copies(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """RES-07: backups of Cloud SQL and the project's settings of snapshots, beside the rows."""
    if resource.type == _SQL:
        yield from _sql_backups(resource)
    if resource.type == _SNAPSHOT_SETTINGS:
        yield from _snapshot_settings(resource)


def _sql_backups(resource: Resource) -> Iterator[Finding | Unknown]:
    """A replica has no backups of its own, nor has an instance that has them switched off or says nothing of them."""
    if resource.props.get("masterInstanceName") not in (None, ""):
        return
    backup = dig(resource.props, "settings", "backupConfiguration")
    place = backup if isinstance(backup, Unknown) else dig(backup, "location")
    if isinstance(place, Unknown):
        yield place
    elif backup is not None and place in (None, "") and dig(backup, "enabled") is not False:
        yield Finding(_TO_NEAREST, "settings.backupConfiguration.location", place, locations.EXPECTED_GCP)


def _snapshot_settings(resource: Resource) -> Iterator[Finding | Unknown]:
    policy = dig(resource.props, "storageLocation", "policy")
    if isinstance(policy, Unknown):
        yield policy
    elif policy not in _POLICIES:
        yield Finding(
            "snapshots go to the nearest multi-region",
            "storageLocation.policy",
            policy,
            " or ".join(_POLICIES),
        )
    for where, name in at(resource.props, "storageLocation.locations.name"):
        if isinstance(name, Unknown):
            yield name
        elif name is not None and not (isinstance(name, str) and locations.gcp_location(name)):
            yield Finding("the place is not in India", where, name, locations.EXPECTED_GCP)


def own_places(resource: Resource, _settings: Settings) -> Iterator[PropertyPatch]:
    """RES-07: the resource's own region, where it is an Indian one and its inputs, or else its provider's, say so. A
    topic is told to handle its messages there too (RES-12)."""
    place = _own_region(resource)
    if place is None:
        return
    if resource.type == _SCHEDULE and resource.props.get("snapshotSchedulePolicy") is not None:
        yield PropertyPatch(("snapshotSchedulePolicy", "snapshotProperties", "storageLocations"), place)
    elif resource.type == _SQL:
        if any(isinstance(one, Finding) for one in _sql_backups(resource)):
            yield PropertyPatch(("settings", "backupConfiguration", "location"), place)
    elif resource.type == _TOPIC:
        if dig(resource.props, "messageStoragePolicy", "allowedPersistenceRegions") is None:
            yield PropertyPatch(("messageStoragePolicy", "allowedPersistenceRegions"), [place])
            yield PropertyPatch(("messageStoragePolicy", "enforceInTransit"), True)
    elif resource.type in _WITH_LOCATIONS:
        yield PropertyPatch(("storageLocations",), [place])


def _own_region(resource: Resource) -> str | None:
    """The one region in India that the inputs name, or else the provider's. None where it is not known."""
    for said in (resource.props, resource.provider_props):
        named = [said[name] for name in ("region", "zone") if said.get(name) not in (None, "")]
        sources = [value for name, value in said.items() if name.startswith("source")]
        named += [one for one in sources if isinstance(one, Unknown) or _has_place(one)]
        regions = {_region(one) for one in named}
        if regions:
            return regions.pop() if len(regions) == 1 else None
    return None


def _has_place(value: object) -> bool:
    return isinstance(value, str) and locations.gcp_path_place(value) is not None


def _region(value: object) -> str | None:
    place = locations.gcp_place(value) if isinstance(value, str) else None
    return place.region if place else None


def places_behind(stack: Stack, settings: Settings) -> Iterator[tuple[str, Finding | Unknown]]:
    """Each bucket behind a multi-region access point, and each custom configuration of Spanner, is of this stack, or
    listed in the configuration."""
    yield from destinations("", _ACCESS_POINTS)(stack, settings)
    own = {one.props.get("name") for one in stack.of(_SPANNER_CONFIG)}
    for instance in stack.of(_SPANNER_INSTANCE):
        config = instance.props.get("config")
        name = config.rpartition("/")[2] if isinstance(config, str) else ""
        if name.startswith(_CUSTOM) and name not in own and name not in settings.get("buckets", ()):
            yield (
                instance.urn,
                Finding(
                    "a configuration of unknown residency",
                    "config",
                    config,
                    "an InstanceConfig of this stack",
                ),
            )


def resolved_by_config(unknown: Unknown, resource: StackResource, _stack: Stack) -> bool:
    """A Spanner configuration of this stack is judged itself: its base and where its replicas are."""
    sources = [source.resource_type for source in resource.sources("config")]
    return unknown.path == ("config",) and sources == [_SPANNER_CONFIG]


RES_03 = Control(
    id="DPDP-RES-03",
    title="No multi region outside India",
    law=RESIDENCY,
    severity=Severity.CRITICAL,
    level=EnforcementLevel.MANDATORY,
    types=(*_DEFAULTS_ABROAD, _SPANNER_INSTANCE, _SPANNER_CONFIG, _INCIDENTS),
    remedy="say one Indian region, or a pair of them (Spanner: dual-region-india1)",
    check=combine(
        table_summary(
            "A place is said where the default is abroad, and a configuration of Spanner is one of India.",
            _MULTI_REGIONS,
        ),
        check_rules(_MULTI_REGIONS),
    ),
    stack_check=places_behind,
    resolves=resolved_by_config,
    settings=inventory("buckets", "buckets, and custom configurations of Spanner,"),
)
RES_07 = Control(
    id="DPDP-RES-07",
    title="Copies never default abroad",
    law=RESIDENCY,
    severity=Severity.CRITICAL,
    level=EnforcementLevel.MANDATORY,
    types=(*(row.type for row in _SILENT_COPIES), _SQL, _SNAPSHOT_SETTINGS),
    remedy="name the Indian region that the copy is kept in",
    check=combine(
        table_summary(
            "A copy says where it is kept, and so do backups of Cloud SQL and the project's snapshot settings.",
            _SILENT_COPIES,
        ),
        check_rules(_SILENT_COPIES),
        silent_copies,
    ),
    remediate=own_places,
)
CONTROLS = (RES_03, RES_07)
