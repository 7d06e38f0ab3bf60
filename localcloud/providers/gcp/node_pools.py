"""What Google refuses in a node pool: rules between its fields, and what its machine type has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from localcloud.providers.gcp.machines import (
    GPUS,
    MachineNotOfferedError,
    accelerator,
    machine_of,
    region_of,
    zones_of,
)
from localcloud.providers.gcp.rules import (
    Misfit,
    Records,
    Scope,
    given,
    is_open,
    key_in_region,
    minor_of,
    seconds_of,
)
from localcloud.providers.protocol import UNKNOWN, Values

if TYPE_CHECKING:
    from infra.catalog.machines import Machine

WEEK_SECONDS = 7 * 24 * 3600
SHUTDOWN_SECONDS = (0, 30, 120)


def pool(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    """All that is held to one pool by itself."""
    for rule in (_purchase, _flex_start, _no_reservation, _notice, _local_disks, _machine, sold):
        yield from rule(inputs, scope, records)
    yield from key_in_region(inputs, "nodeConfig.bootDiskKmsKey", scope["location"])


def _purchase(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    if not given(inputs, "nodeConfig.spot"):
        return
    if given(inputs, "nodeConfig.flexStart"):
        yield "nodeConfig.flexStart", "flex-start nodes can't be spot: set one of the two"
    if given(inputs, "queuedProvisioning.enabled"):
        yield "queuedProvisioning.enabled", "queued provisioning can't be had with spot nodes"


def _flex_start(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    if not given(inputs, "nodeConfig.flexStart"):
        return
    management = inputs.get("management")
    if management is not UNKNOWN and (management or {}).get("autoRepair", True):
        yield "management.autoRepair", "flex-start nodes are not repaired: set it to false"
    if given(inputs, "nodeCount"):
        yield "nodeCount", "flex-start nodes come when there is capacity: use autoscaling"
    run = given(inputs, "nodeConfig.maxRunDuration")
    if run and not 0 < seconds_of(run) <= WEEK_SECONDS:
        yield (
            "nodeConfig.maxRunDuration",
            f"is {run}; flex-start nodes run for a week at most: {WEEK_SECONDS}s",
        )


def sold(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
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
    affinity = given(config, "reservationAffinity.consumeReservationType")
    return "reserved" if affinity == "SPECIFIC_RESERVATION" else "on-demand"


def _no_reservation(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    purchase = next(
        (purchase for purchase in ("spot", "flexStart") if given(inputs, f"nodeConfig.{purchase}")), None
    )
    kind = given(inputs, "nodeConfig.reservationAffinity.consumeReservationType")
    if purchase and kind not in (None, "NO_RESERVATION"):
        yield (
            "nodeConfig.reservationAffinity.consumeReservationType",
            f"is {kind}; {purchase} nodes use no reservation: NO_RESERVATION",
        )


def _notice(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    """What the kubelet takes to end pods when a spot node is taken back."""
    path = "nodeConfig.kubeletConfig.shutdownGracePeriodSeconds"
    seconds = given(inputs, path)
    if not seconds:
        return
    if inputs.get("nodeConfig", {}).get("spot") is not UNKNOWN and not given(inputs, "nodeConfig.spot"):
        yield path, "is only valid for Spot VMs"
    if seconds not in SHUTDOWN_SECONDS:
        yield path, f"is {seconds}; it can be {', '.join(map(str, SHUTDOWN_SECONDS))}"
    critical = given(inputs, f"{path[:-7]}CriticalPodsSeconds")
    if critical is not None and critical > seconds:
        yield f"{path[:-7]}CriticalPodsSeconds", f"is {critical}, more than the {seconds} for all pods"
    version = scope.get("cluster_version")
    if isinstance(version, str) and minor_of(version) < (1, 35):
        yield path, f"needs GKE 1.35.0-gke.1171000, and the cluster has {version}"


def _local_disks(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    both = ("ephemeralStorageLocalSsdConfig", "localNvmeSsdBlockConfig")
    if all(given(inputs, f"nodeConfig.{name}") for name in both):
        yield f"nodeConfig.{both[1]}", f"local SSDs are used one way: this, or {both[0]}"


def _machine(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    """The machine type must be there, have the GPU that is asked for, and be in every zone of the pool."""
    location, places, said = scope["location"], inputs.get("nodeLocations"), inputs.get("nodeConfig")
    config = said or {}
    if (
        any(map(is_open, (location, places, config.get("machineType"), config.get("guestAccelerators"))))
        or said is UNKNOWN
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
    if given(inputs, "placementPolicy.type") == "COMPACT" and len(zones) > 1:
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


def networks(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    """Further networks of its nodes need a cluster that has multi-networking."""
    cluster = records("gcp:container/cluster:Cluster").get(str(scope.get("cluster_id")))
    if (
        cluster is None
        or cluster.get("enableMultiNetworking")
        or is_open(cluster.get("enableMultiNetworking"))
    ):
        return
    if given(inputs, "networkConfig.additionalNodeNetworkConfigs"):
        yield (
            "networkConfig.additionalNodeNetworkConfigs",
            f"cluster {cluster['name']} has no multi-networking: set enableMultiNetworking on it",
        )
