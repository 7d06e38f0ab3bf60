"""What happens on the local cloud besides the record: a GKE cluster starts a control plane, a node pool nodes.

A pool of a fixed size is kwok nodes. An autoscaled one is its least nodes, and a Karpenter NodePool for the rest: GKE's
own autoscaler can't be had. Pools of a compute class are tried in its order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from infra.contracts.labels import CAPACITY_TYPE_LABEL, GKE_NODE_POOL, INSTANCE_TYPE_LABEL, ZONE_LABEL
from localcloud.providers.gcp.machines import (
    MachineNotOfferedError,
    labels_of,
    machine_of,
    purchase_of,
    region_of,
    taints_of,
    zones_of,
)
from localcloud.providers.gcp.table import channels
from localcloud.providers.protocol import UNKNOWN, ResourceError, Values

if TYPE_CHECKING:
    from infra.catalog.machines import Machine
    from localcloud.kubernetes.api import Api
    from localcloud.kubernetes.clusters import ClusterAccess

# GKE waits ten minutes before it takes an idle node away; nobody waits so long for a local cloud.
IDLE = "5s"
GONE_SECONDS = 90
NETWORKING = "networking.gke.io/v1"
INTERFACES = "networking.gke.io/north-interfaces"
ABOUT_NODES = ("nodeCount", "initialNodeCount", "nodeLocations", "nodeConfig", "autoscaling")
_one_karpenter = Lock()


@dataclass(frozen=True)
class SideEffect:
    """`created` and `updated` return what the outputs of the table show as `played`; `deleting` comes before the end.

    They take the inputs, and the scope of the table's templates.
    """

    created: Callable[[Values, Mapping[str, Any]], Values]
    updated: Callable[[Values, Mapping[str, Any]], Values]
    deleting: Callable[[Values, Mapping[str, Any]], None]


def _start_cluster(inputs: Values, scope: Mapping[str, Any]) -> Values:
    from localcloud.kubernetes import clusters
    from localcloud.kubernetes import crds as kubernetes_crds

    name, location = inputs["name"], scope["location"]
    if clusters.alive(name):
        raise ResourceError(
            f"a cluster {name} runs already: on the local cloud no other cloud or region can have one of that name"
        )
    try:
        access = clusters.start(name, region_of(location))
        kubernetes_crds.install(access.api(), "gke")
        if not inputs.get("removeDefaultNodePool") and not inputs.get("enableAutopilot"):
            for pool in _pools_inside(inputs):
                _lay_out(name, location, pool)
    except (clusters.ClusterError, MachineNotOfferedError, kubernetes_crds.CrdsUnavailableError) as failed:
        clusters.stop(name)
        raise ResourceError(str(failed)) from failed
    # GKE's endpoint is an address without a scheme; programs put https:// before it.
    address = access.endpoint.removeprefix("https://")
    return {"endpoint": address, "ca": access.ca_data, "version": master_version(inputs)}


def master_version(inputs: Values) -> str:
    """The version that a control plane gets: the channel's own, or the one asked for, where it is a whole one."""
    channel = channels()[(inputs.get("releaseChannel") or {}).get("channel") or "REGULAR"]
    asked = inputs.get("minMasterVersion")
    if not asked or asked == "latest" or channel["default"].startswith(f"{asked}."):
        return channel["default"]
    return asked if "-gke." in asked else f"{asked}.0-gke.1" if asked.count(".") == 1 else f"{asked}-gke.1"


def raised_version(inputs: Values, stands: str | None) -> Any:
    """The version of a control plane after an update: GKE never lowers it. Unknown as the inputs are."""
    if UNKNOWN in (inputs.get("releaseChannel"), inputs.get("minMasterVersion")):
        return UNKNOWN
    asked = master_version(inputs)
    return max(asked, stands, key=_order) if stands else asked


def _order(version: str) -> list[int]:
    """1.35.8-gke.1036000 as numbers."""
    return [int(part) for part in re.findall(r"\d+", version)]


def _upgrade(inputs: Values, scope: Mapping[str, Any]) -> Values:
    played = scope.get("played")
    return {"version": raised_version(inputs, played.get("version") if isinstance(played, dict) else None)}


def _stop_cluster(inputs: Values, scope: Mapping[str, Any]) -> None:
    from localcloud.kubernetes import clusters

    clusters.stop(inputs["name"])


def _pools_inside(inputs: Values) -> list[Values]:
    """The node pools that a cluster brings along: those it lists, or the default one."""
    own = inputs.get("nodePools")
    default = {
        "name": "default-pool",
        "nodeConfig": inputs.get("nodeConfig") or {},
        "nodeCount": inputs.get("initialNodeCount") or 0,
    }
    pools = own or [default]
    return [{"nodeLocations": inputs.get("nodeLocations"), **pool} for pool in pools]


def _make_pool(inputs: Values, scope: Mapping[str, Any]) -> Values:
    from localcloud.kubernetes import clusters

    cluster = scope["cluster"].rsplit("/", 1)[-1]
    zones = inputs.get("nodeLocations") or scope["cluster_zones"]
    try:
        if any(inputs.get(name) != scope["old"].get(name) for name in ABOUT_NODES):
            _lay_out(cluster, scope["location"], {**inputs, "nodeLocations": zones})
    except (clusters.ClusterError, MachineNotOfferedError) as failed:
        raise ResourceError(str(failed)) from failed
    version = inputs.get("version") or scope["cluster_version"]
    return {"version": version, "zones": zones_of(scope["location"], zones)}


def _remove_pool(inputs: Values, scope: Mapping[str, Any]) -> None:
    from localcloud.kubernetes import clusters, nodes

    cluster = scope["cluster"].rsplit("/", 1)[-1]
    access = clusters.named(cluster)
    if access is None or not clusters.alive(cluster):
        return
    try:
        _remove_autoscaled(access, inputs["name"])
    except clusters.ClusterError as failed:
        raise ResourceError(str(failed)) from failed
    nodes.remove_nodes(cluster, inputs["name"], GKE_NODE_POOL)


def _lay_out(cluster: str, location: str, pool: Values) -> None:
    """Bring a pool's nodes to what it says: those it has go first, as in a replacement of all at once."""
    from localcloud.kubernetes import clusters, nodes

    access = clusters.named(cluster)
    if access is None:
        raise clusters.ClusterError(f"no GKE cluster {cluster} to add the pool {pool['name']} to")
    config, zones = pool.get("nodeConfig") or {}, zones_of(location, pool.get("nodeLocations"))
    machine = machine_of(config, region_of(location))
    nodes.remove_nodes(cluster, pool["name"], GKE_NODE_POOL)
    interfaces = _interfaces(access.api(), pool)
    for zone, count in _static_nodes(pool, zones).items():
        nodes.add_nodes(
            cluster, pool["name"], machine.region, machine.machine_type, zone, count, purchase_of(config),
            labels_of(config, machine), taints_of(config, machine), annotations=interfaces,
        )  # fmt: skip
    if _autoscales(pool):
        _autoscale(access, pool, machine, zones, interfaces)
    else:
        _remove_autoscaled(access, pool["name"])


def _autoscales(pool: Values) -> bool:
    scaling = pool.get("autoscaling") or {}
    return bool(scaling.get("maxNodeCount") or scaling.get("totalMaxNodeCount"))


def _static_nodes(pool: Values, zones: list[str]) -> dict[str, int]:
    """Nodes by zone that are always there. Counts of GKE are per zone, unless they say total."""
    if not _autoscales(pool):
        count = pool.get("nodeCount")
        return dict.fromkeys(zones, pool.get("initialNodeCount") or 0 if count is None else count)
    scaling = pool["autoscaling"]
    if scaling.get("totalMaxNodeCount"):
        share, rest = divmod(scaling.get("totalMinNodeCount") or 0, len(zones))
        return {zone: share + (index < rest) for index, zone in enumerate(zones)}
    return dict.fromkeys(zones, scaling.get("minNodeCount") or 0)


def _interfaces(api: Api, pool: Values) -> dict[str, str]:
    """What GKE writes on a node about its further network cards: the cluster's Network of each, without an address.

    A kwok stage makes resources of it, as GKE's device plugin does. A card whose Network comes after its pool has none
    here, and on GKE gets it when it comes.
    """
    from localcloud.kubernetes.api import UnknownKindError

    cards = (pool.get("networkConfig") or {}).get("additionalNodeNetworkConfigs") or ()
    try:
        sets = api.list(NETWORKING, "GKENetworkParamSet") if cards else []
        networks = api.list(NETWORKING, "Network") if cards else []
    except UnknownKindError:
        return {}
    subnet_of = {
        one["metadata"]["name"]: (one["spec"].get("vpc"), one["spec"].get("vpcSubnet")) for one in sets
    }
    name_of = {
        subnet_of.get((one["spec"].get("parametersRef") or {}).get("name")): one["metadata"]["name"]
        for one in networks
    }
    on = [(_last(card["network"]), _last(card["subnetwork"])) for card in cards]
    found = [{"network": name_of[subnet]} for subnet in on if subnet in name_of]
    return {INTERFACES: json.dumps(found)} if found else {}


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _autoscale(
    access: ClusterAccess, pool: Values, machine: Machine, zones: list[str], interfaces: Mapping[str, str]
) -> None:
    """Have Karpenter add nodes of the pool up to its most, and take idle ones away."""
    from localcloud.kubernetes import compute_classes, karpenter
    from localcloud.kubernetes import crds as kubernetes_crds

    config, scaling = pool.get("nodeConfig") or {}, pool["autoscaling"]
    most = scaling.get("totalMaxNodeCount") or scaling["maxNodeCount"] * len(zones)
    more = most - sum(_static_nodes(pool, zones).values())
    wanted = {
        INSTANCE_TYPE_LABEL: [karpenter.name_of(machine)],
        ZONE_LABEL: zones,
        CAPACITY_TYPE_LABEL: [purchase_of(config)],
    }
    template = {
        "metadata": {
            "labels": {**labels_of(config, machine), GKE_NODE_POOL: pool["name"]},
            "annotations": dict(interfaces),
        },
        "spec": {
            "nodeClassRef": karpenter.NODE_CLASS,
            "taints": taints_of(config, machine),
            "requirements": [
                {"key": key, "operator": "In", "values": values} for key, values in wanted.items()
            ],
            "expireAfter": "Never",
            "terminationGracePeriod": "30s",
        },
    }
    spec = {
        "template": template,
        "limits": karpenter.limits(machine, more),
        "disruption": {"consolidationPolicy": "WhenEmptyOrUnderutilized", "consolidateAfter": IDLE},
    }
    api = access.api()
    with _one_karpenter:  # the pools of one update are made at the same time
        kubernetes_crds.install(api, "karpenter-crd")
        karpenter.start(access.name)
    api.apply({**_node_pool(pool["name"]), "spec": spec}, force=True)
    compute_classes.follow_of(api, template["metadata"]["labels"])


def _remove_autoscaled(access: ClusterAccess, pool: str) -> None:
    """Delete the pool's NodePool, if it has one, and wait until Karpenter has drained and removed its nodes."""
    from localcloud.kubernetes import karpenter

    api = access.api()
    if api.delete(_node_pool(pool), "Background"):
        karpenter.remove_nodes(api, pool, GONE_SECONDS)


def _node_pool(name: str) -> Values:
    return {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": name}}


def _nothing(inputs: Values, scope: Mapping[str, Any]) -> Values:
    return {}


def _drop_database(inputs: Values, scope: Mapping[str, Any]) -> None:
    from localcloud import databases

    databases.gone(inputs["name"])


SIDE_EFFECTS = {
    "cluster": SideEffect(_start_cluster, _upgrade, _stop_cluster),
    "pool": SideEffect(_make_pool, _make_pool, _remove_pool),
    # Its PostgreSQL starts when a pod needs it (google_databases.py).
    "database": SideEffect(_nothing, _nothing, _drop_database),
}
