"""What Google refuses though every field is well-formed: rules between fields, and between resources.

Reasons that begin with a capital are Google's own words, from reports of users; the others say a documented rule.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from localcloud.providers.gcp.machines import (
    GPUS,
    MachineNotOfferedError,
    accelerator,
    machine_of,
    region_of,
    zones_of,
)
from localcloud.providers.gcp.table import channels
from localcloud.providers.protocol import UNKNOWN, Values

if TYPE_CHECKING:
    from infra.catalog.machines import Machine

WEEK_SECONDS = 7 * 24 * 3600
SHUTDOWN_SECONDS = (0, 30, 120)

Misfit = tuple[str, str]
Scope = Mapping[str, Any]
Records = Callable[[str], Mapping[str, Values]]  # the inputs of a type's resources, by id


def refusals(token: str, inputs: Values, scope: Scope, records: Records) -> list[Misfit]:
    """What Google would refuse in these inputs, as (property path, reason). What is not known yet breaks no rule."""
    return [misfit for rule in _RULES.get(token, ()) for misfit in rule(inputs, scope, records)]


def _given(inputs: Any, path: str) -> Any:
    """The value at a path, or None while it is absent or not known."""
    for name in path.split("."):
        inputs = inputs.get(name) if isinstance(inputs, dict) else None
    return None if inputs is UNKNOWN else inputs


def _key_location(key: Any) -> str | None:
    parts = key.split("/") if isinstance(key, str) else []
    return parts[3].lower() if len(parts) >= 8 and parts[2] == "locations" else None


# ── Storage ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _hierarchical_namespace(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    if not _given(inputs, "hierarchicalNamespace.enabled"):
        return
    for feature in ("versioning", "autoclass"):
        if _given(inputs, f"{feature}.enabled"):
            yield f"{feature}.enabled", f"a bucket with a hierarchical namespace can't have {feature}"
    if inputs.get("uniformBucketLevelAccess") is not UNKNOWN and not inputs.get("uniformBucketLevelAccess"):
        yield (
            "uniformBucketLevelAccess",
            "a hierarchical namespace needs uniform bucket-level access: set it to true",
        )


def _bucket_key(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    location = _given(inputs, "location")
    key = _key_location(_given(inputs, "encryption.defaultKmsKeyName"))
    if location and key and key != location.lower():
        yield (
            "encryption.defaultKmsKeyName",
            f"Cloud KMS region '{key}' not available for use with GCS region '{location.upper()}'.",
        )


# ── Networks ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _subnet_ranges(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    own = _ranges(inputs)
    good = []
    for path, text in own:
        try:
            good.append((path, ipaddress.ip_network(text)))
        except ValueError as wrong:
            yield path, f"Invalid value for field 'resource.{path}': '{text}': {wrong}"
    others = [
        (network, other["name"], other_id.split("/")[3])
        for other_id, other in records("gcp:compute/subnetwork:Subnetwork").items()
        if other_id != scope["id"] and _same_network(other, inputs)
        for network in (ipaddress.ip_network(text) for _, text in _ranges(other))
    ]
    mine = [(network, inputs.get("name"), scope["region"]) for _, network in good]
    for index, (path, network) in enumerate(good):
        for taken, name, region in mine[:index] + others:
            if taken.version == network.version and taken.overlaps(network):
                yield (
                    path,
                    f"Invalid IPCidrRange: {network} conflicts with existing subnetwork '{name}' in region '{region}'.",
                )
                break


def _ranges_in_use(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    """A secondary range that a cluster has for its pods or services stays as it is while the cluster stands."""
    before, after = _secondary(scope.get("old") or {}), _secondary(inputs)
    if inputs.get("secondaryIpRanges") is UNKNOWN:
        return
    for name, cidr in before.items():
        if after.get(name) in (cidr, UNKNOWN):
            continue
        for cluster in records("gcp:container/cluster:Cluster").values():
            policy = cluster.get("ipAllocationPolicy") or {}
            if policy is UNKNOWN or str(cluster.get("subnetwork")).rsplit("/", 1)[-1] != inputs.get("name"):
                continue
            if name in (policy.get("clusterSecondaryRangeName"), policy.get("servicesSecondaryRangeName")):
                yield (
                    "secondaryIpRanges",
                    f"range {name} ({cidr}) is in use by cluster {cluster.get('name')} and can be neither changed nor "
                    "removed: a cluster with other ranges is another cluster, in a stack or a network of its own",
                )


def _secondary(inputs: Values) -> dict[str, Any]:
    ranges = inputs.get("secondaryIpRanges")
    found = [each for each in ranges if isinstance(each, dict)] if isinstance(ranges, list) else []
    return {str(each.get("rangeName")): each.get("ipCidrRange") for each in found}


def _ranges(inputs: Values) -> list[tuple[str, str]]:
    ranges = [("ipCidrRange", inputs.get("ipCidrRange"))]
    secondary = inputs.get("secondaryIpRanges")
    for index, each in enumerate(secondary if isinstance(secondary, list) else ()):
        ranges.append((f"secondaryIpRanges[{index}].ipCidrRange", _given(each, "ipCidrRange")))
    return [(path, text) for path, text in ranges if isinstance(text, str)]


def _same_network(one: Values, other: Values) -> bool:
    names = [
        str(each["network"]).rsplit("/", 1)[-1] for each in (one, other) if each["network"] is not UNKNOWN
    ]
    return len(names) == 2 and names[0] == names[1]


# ── Clusters ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _data_plane(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    provider = inputs.get("datapathProvider")
    if provider is UNKNOWN:
        return
    if _given(inputs, "enableMultiNetworking") and provider != "ADVANCED_DATAPATH":
        yield (
            "enableMultiNetworking",
            "multi-networking needs datapathProvider ADVANCED_DATAPATH (Dataplane V2)",
        )
    if _given(inputs, "networkPolicy.enabled") and provider == "ADVANCED_DATAPATH":
        yield (
            "networkPolicy.enabled",
            "Enabling NetworkPolicy for clusters with DatapathProvider=ADVANCED_DATAPATH is not allowed.",
        )


def _version(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    asked = _given(inputs, "minMasterVersion")
    if not asked or asked == "latest" or _open(inputs.get("releaseChannel")):
        return
    channel = _given(inputs, "releaseChannel.channel") or "UNSPECIFIED"
    minors = channels()[channel]["minors"]
    if ".".join(asked.split(".")[:2]) in minors:
        return
    if channel == "UNSPECIFIED":
        reason = f'Master version "{asked}" is unsupported.'
    else:
        reason = f'Master version must be one of "{channel}" channel supported versions'
    yield "minMasterVersion", f"{reason} It can be {', '.join(minors)}"


def _one_minor(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    """A control plane is raised by one minor version at a time."""
    asked, stands = _given(inputs, "minMasterVersion"), scope.get("played")
    stands = stands.get("version") if isinstance(stands, dict) else None
    if not asked or asked == "latest" or not stands:
        return
    (major, minor), (_, stood) = _minor(asked), _minor(stands)
    if minor - stood > 1:
        steps = ", then ".join(f"{major}.{step}" for step in range(stood + 1, minor + 1))
        yield (
            "minMasterVersion",
            f'Master cannot be upgraded to "{asked}": cannot upgrade the master more than a minor version at a time. '
            f"The control plane has {stands}: an update to {steps}",
        )


def _minor(version: str) -> tuple[int, int]:
    major, minor = version.split("-")[0].split(".")[:2]
    return int(major), int(minor)


def _first_nodes(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    given = [inputs.get(name) for name in ("enableAutopilot", "nodePools", "initialNodeCount")]
    if not any(each or each is UNKNOWN for each in given):
        yield "initialNodeCount", "Cluster.initial_node_count must be greater than zero."


def _cluster_key(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    yield from _key_in_region(inputs, "databaseEncryption.keyName", scope["location"])


def _key_in_region(inputs: Values, path: str, location: Any) -> Iterator[Misfit]:
    key = _key_location(_given(inputs, path))
    if key and isinstance(location, str) and key != region_of(location):
        yield path, f"the key is in {key}; it must be in {region_of(location)}, where the cluster is"


def _default_pool(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    if inputs.get("removeDefaultNodePool") or inputs.get("enableAutopilot"):
        return
    inside = inputs.get("nodePools")
    pools = [("", inputs)]
    if isinstance(inside, list):
        pools = [
            (f"nodePools[{index}].", pool) for index, pool in enumerate(inside) if isinstance(pool, dict)
        ]
    for path, pool in pools:
        own = {"nodeLocations": inputs.get("nodeLocations"), **pool}
        yield from ((path + where, reason) for where, reason in _pool(own, scope, records))


# ── Node pools ───────────────────────────────────────────────────────────────────────────────────────────────────────
def _pool(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    for rule in (_purchase, _flex_start, _no_reservation, _notice, _local_disks, _machine, _sold):
        yield from rule(inputs, scope, records)
    yield from _key_in_region(inputs, "nodeConfig.bootDiskKmsKey", scope["location"])


def _purchase(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    if not _given(inputs, "nodeConfig.spot"):
        return
    if _given(inputs, "nodeConfig.flexStart"):
        yield "nodeConfig.flexStart", "flex-start nodes can't be spot: set one of the two"
    if _given(inputs, "queuedProvisioning.enabled"):
        yield "queuedProvisioning.enabled", "queued provisioning can't be had with spot nodes"


def _flex_start(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    if not _given(inputs, "nodeConfig.flexStart"):
        return
    management = inputs.get("management")
    if management is not UNKNOWN and (management or {}).get("autoRepair", True):
        yield "management.autoRepair", "flex-start nodes are not repaired: set it to false"
    if _given(inputs, "nodeCount"):
        yield "nodeCount", "flex-start nodes come when there is capacity: use autoscaling"
    run = _given(inputs, "nodeConfig.maxRunDuration")
    if run and not 0 < _seconds(run) <= WEEK_SECONDS:
        yield (
            "nodeConfig.maxRunDuration",
            f"is {run}; flex-start nodes run for a week at most: {WEEK_SECONDS}s",
        )


def _sold(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    """Machine types that are not sold on demand, or from a reservation."""
    location, config = scope["location"], inputs.get("nodeConfig") or {}
    parts = [location, config]
    if any(part is UNKNOWN for part in [*parts, *(config.get(name) for name in _BOUGHT_BY)]):
        return
    try:
        machine = machine_of(config, region_of(location))
    except MachineNotOfferedError:
        return
    purchase = _way(config)
    if not machine.sold_as(purchase):
        yield (
            "nodeConfig.machineType",
            f"is {machine.machine_type}, which can't be had {purchase.replace('-', ' ')}: it is sold as "
            f"{' or '.join(machine.purchases)}",
        )


_BOUGHT_BY = ("spot", "flexStart", "reservationAffinity", "machineType", "guestAccelerators")


def _way(config: Values) -> str:
    for field, purchase in (("spot", "spot"), ("preemptible", "spot"), ("flexStart", "flex-start")):
        if config.get(field):
            return purchase
    affinity = _given(config, "reservationAffinity.consumeReservationType")
    return "reserved" if affinity == "SPECIFIC_RESERVATION" else "on-demand"


def _seconds(duration: str) -> float:
    text = duration.removesuffix("s")
    return float(text) if text.isdecimal() else 0


def _no_reservation(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    purchase = next(
        (purchase for purchase in ("spot", "flexStart") if _given(inputs, f"nodeConfig.{purchase}")), None
    )
    kind = _given(inputs, "nodeConfig.reservationAffinity.consumeReservationType")
    if purchase and kind not in (None, "NO_RESERVATION"):
        yield (
            "nodeConfig.reservationAffinity.consumeReservationType",
            f"is {kind}; {purchase} nodes use no reservation: NO_RESERVATION",
        )


def _notice(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    """What the kubelet takes to end pods when a spot node is taken back."""
    path = "nodeConfig.kubeletConfig.shutdownGracePeriodSeconds"
    seconds = _given(inputs, path)
    if not seconds:
        return
    if inputs.get("nodeConfig", {}).get("spot") is not UNKNOWN and not _given(inputs, "nodeConfig.spot"):
        yield path, "is only valid for Spot VMs"
    if seconds not in SHUTDOWN_SECONDS:
        yield path, f"is {seconds}; it can be {', '.join(map(str, SHUTDOWN_SECONDS))}"
    critical = _given(inputs, f"{path[:-7]}CriticalPodsSeconds")
    if critical is not None and critical > seconds:
        yield f"{path[:-7]}CriticalPodsSeconds", f"is {critical}, more than the {seconds} for all pods"
    version = scope.get("cluster_version")
    if isinstance(version, str) and _minor(version) < (1, 35):
        yield path, f"needs GKE 1.35.0-gke.1171000, and the cluster has {version}"


def _local_disks(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    both = ("ephemeralStorageLocalSsdConfig", "localNvmeSsdBlockConfig")
    if all(_given(inputs, f"nodeConfig.{name}") for name in both):
        yield f"nodeConfig.{both[1]}", f"local SSDs are used one way: this, or {both[0]}"


def _machine(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    """The machine type must be there, have the GPU that is asked for, and be in every zone of the pool."""
    location, places, given = scope["location"], inputs.get("nodeLocations"), inputs.get("nodeConfig")
    config = given or {}
    if (
        any(map(_open, (location, places, config.get("machineType"), config.get("guestAccelerators"))))
        or given is UNKNOWN
    ):
        return
    try:
        machine = machine_of(config, region_of(location))
    except MachineNotOfferedError as unknown:
        yield "nodeConfig.machineType", str(unknown)
        return
    yield from _gpus(accelerator(config), machine)
    zones = zones_of(location, places or scope.get("cluster_zones"))
    if lacking := [zone for zone in zones if machine.zones and zone not in machine.zones]:
        yield (
            "nodeLocations",
            f"{machine.machine_type} is not in {', '.join(lacking)}; it is in {', '.join(machine.zones)}",
        )
    if _given(inputs, "placementPolicy.type") == "COMPACT" and len(zones) > 1:
        yield "placementPolicy.type", f"is COMPACT, which is in one zone; this pool is in {', '.join(zones)}"


def _gpus(wanted: Mapping[str, Any] | None, machine: Machine) -> Iterator[Misfit]:
    path, name = "nodeConfig.guestAccelerators", machine.machine_type
    if not wanted:
        return
    if not machine.gpu:
        yield path, f"{name} can't have GPUs: {wanted['type']} goes with another machine type"
    elif GPUS.get(wanted["type"]) != machine.gpu:
        kind = next(kind for kind, gpu in GPUS.items() if gpu == machine.gpu)
        yield f"{path}[0].type", f"is {wanted['type']}; {name} has {kind}"
    elif machine.gpu_count != wanted["count"]:
        yield f"{path}[0].count", f"is {wanted['count']}; {name} has {machine.gpu_count}"


def _open(value: Any) -> bool:
    """Whether a part of it is not known yet."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is UNKNOWN or any(map(_open, parts))


def _networks(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    cluster = records("gcp:container/cluster:Cluster").get(str(scope.get("cluster_id")))
    if cluster is None or cluster.get("enableMultiNetworking") or _open(cluster.get("enableMultiNetworking")):
        return
    if _given(inputs, "networkConfig.additionalNodeNetworkConfigs"):
        yield (
            "networkConfig.additionalNodeNetworkConfigs",
            f"cluster {cluster['name']} has no multi-networking: set enableMultiNetworking on it",
        )


_Rule = Callable[[Values, Scope, Records], Iterator[Misfit]]


# ── Alerts ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _alert_policy(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    """A policy is on logs or on metrics: only the first kind has a rate limit, and must have it."""
    conditions = inputs.get("conditions")
    if not isinstance(conditions, list) or UNKNOWN in (*conditions, inputs.get("alertStrategy")):
        return
    on_logs = any("conditionMatchedLog" in one for one in conditions)
    limited = bool((inputs.get("alertStrategy") or {}).get("notificationRateLimit"))
    path = "alertStrategy.notificationRateLimit"
    if limited and not on_logs:
        # chainguard-dev/terraform-infra-common#352
        yield path, "metric-based alert policies must not specify a notification rate limit"
    if on_logs and not limited:
        yield path, "a policy with a condition on logs needs a notification rate limit"
    for index, one in enumerate(conditions):
        query = one.get("conditionPrometheusQueryLanguage")
        if isinstance(query, dict):
            at = f"conditions[{index}].conditionPrometheusQueryLanguage"
            yield from ((f"{at}.{name}", why) for name, why in _prometheus_condition(query))
            if len(conditions) > 1:
                yield at, "a policy with a condition in PromQL has no other condition"


def _prometheus_condition(query: Values) -> Iterator[Misfit]:
    """Durations are of Google's kind; a metric that was never written is unknown (superserve-ai/sandbox#370)."""
    for name in ("duration", "evaluationInterval"):
        given = _given(query, name)
        if given and not re.fullmatch(r"\d+(\.\d+)?s", given):
            yield name, f"Illegal duration format; duration must end with 's': {given!r}"
        elif given and name == "evaluationInterval" and (_seconds(given) <= 0 or _seconds(given) % 30):
            yield name, "must be a positive multiple of 30 seconds"
    if query.get("disableMetricValidation") is not UNKNOWN and not query.get("disableMetricValidation"):
        yield (
            "disableMetricValidation",
            "nothing has written the query's metrics to this project yet: set it to true",
        )


_RULES: Mapping[str, tuple[_Rule, ...]] = {
    "gcp:monitoring/alertPolicy:AlertPolicy": (_alert_policy,),
    "gcp:storage/bucket:Bucket": (_hierarchical_namespace, _bucket_key),
    "gcp:compute/subnetwork:Subnetwork": (_subnet_ranges, _ranges_in_use),
    "gcp:container/cluster:Cluster": (
        _data_plane,
        _version,
        _one_minor,
        _first_nodes,
        _cluster_key,
        _default_pool,
    ),
    "gcp:container/nodePool:NodePool": (_pool, _networks),
}

# Rules that are habits of Google's (gcp/habits.yaml), not conditions on the fields of one resource.
HABITS: tuple[_Rule, ...] = (_sold, _one_minor, _ranges_in_use)
