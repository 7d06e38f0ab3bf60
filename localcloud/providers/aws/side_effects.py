"""What happens in the local cloud besides the API calls: an EKS cluster starts a control plane, a node group nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

from infra.contracts.labels import EKS_NODE_GROUP
from localcloud.providers.aws.api import Api, RefusedError
from localcloud.providers.protocol import ResourceError, Values

CAPACITY_TYPE = "eks.amazonaws.com/capacityType"
ON_PREMISES_TAGS = "on-premises:"


@dataclass(frozen=True)
class SideEffect:
    """`created` returns what to remember of the resource; `deleting` comes before the API's own delete, and `deleted`
    after it: only then is it sure."""

    created: Callable[[Api, Values], Values]
    updated: Callable[[Api, Values], object]
    deleting: Callable[[Api, Values], None] = lambda api, scope: None
    deleted: Callable[[Api, Values], None] = lambda api, scope: None


def _start_cluster(api: Api, scope: Values) -> Values:
    from localcloud.kubernetes import clusters

    try:
        access = clusters.start(scope["inputs"]["name"], scope["region"])
    except clusters.ClusterError as failed:
        raise ResourceError(str(failed)) from failed
    return {"endpoint": access.endpoint, "certificateAuthority": {"data": access.ca_data}}


def _stop_cluster(api: Api, scope: Values) -> None:
    from localcloud.kubernetes import clusters

    clusters.stop(scope["inputs"]["name"])


def _add_nodes(api: Api, scope: Values) -> Values:
    _scale(api, scope)
    return {}


def _scale(api: Api, scope: Values) -> None:
    """Bring the nodes of a group to its desired size: those it has go first, as in a replacement of all at once."""
    from localcloud.kubernetes import clusters, nodes

    inputs = scope["inputs"]
    cluster, group = inputs["clusterName"], inputs["nodeGroupName"]
    spot = inputs.get("capacityType") == "SPOT"
    labels = {
        **(inputs.get("labels") or {}),
        EKS_NODE_GROUP: group,
        CAPACITY_TYPE: "SPOT" if spot else "ON_DEMAND",
    }
    try:
        nodes.remove_nodes(cluster, group)
        for zone, count in _spread(inputs["scalingConfig"]["desiredSize"], _zones(api, scope)).items():
            nodes.add_nodes(
                cluster, group, scope["region"], machine_type(api, scope), zone, count,
                "spot" if spot else "on-demand", labels, inputs.get("taints") or [],
            )  # fmt: skip
    except clusters.ClusterError as failed:
        raise ResourceError(str(failed)) from failed


def _rescale(api: Api, scope: Values) -> None:
    about_nodes = ("scalingConfig", "labels", "taints", "launchTemplate")
    if any(scope["inputs"].get(name) != scope["old"].get(name) for name in about_nodes):
        _scale(api, scope)


def _remove_nodes(api: Api, scope: Values) -> None:
    from localcloud.kubernetes import nodes

    nodes.remove_nodes(scope["inputs"]["clusterName"], scope["inputs"]["nodeGroupName"])


def _spread(count: int, zones: list[str]) -> dict[str, int]:
    """Nodes by zone, as evenly as an Auto Scaling group places them."""
    share, rest = divmod(count, len(zones))
    counts = {zone: share + (index < rest) for index, zone in enumerate(zones)}
    return {zone: count for zone, count in counts.items() if count}


def _zones(api: Api, scope: Values) -> list[str]:
    subnets = {"SubnetIds": scope["inputs"]["subnetIds"]}
    answer = api.call("ec2", scope["region"], "DescribeSubnets", subnets)
    return sorted({subnet["AvailabilityZone"] for subnet in answer["Subnets"]})


def machine_type(api: Api, scope: Values) -> str:
    """The machine type of a node group: its first, or its launch template's."""
    inputs = scope["inputs"]
    if types := inputs.get("instanceTypes"):
        return types[0]
    found = template_data(api, scope).get("InstanceType")
    if not found:
        raise ResourceError(
            f"node group {inputs['nodeGroupName']}: neither instanceTypes nor its launch template name a machine type"
        )
    return found


def template_data(api: Api, scope: Values) -> dict[str, Any]:
    """What a node group's launch template holds; empty without one."""
    template = scope["inputs"].get("launchTemplate") or {}
    if not template:
        return {}
    which: dict[str, Any] = {"Versions": [str(template.get("version", "$Default"))]}
    key = "LaunchTemplateId" if template.get("id") else "LaunchTemplateName"
    which[key] = template.get("id") or template.get("name")
    answer = api.call("ec2", scope["region"], "DescribeLaunchTemplateVersions", which)
    versions = answer.get("LaunchTemplateVersions") or [{}]
    return versions[0].get("LaunchTemplateData", {})


def _join(api: Api, scope: Values) -> Values:
    """Bring the nodes on premises that a parameter tells of, as their admin would with the NodeConfig in it."""
    from localcloud.kubernetes import clusters, nodes

    tags, config = scope["inputs"].get("tags") or {}, _node_config(scope["inputs"])
    if not config:
        return {}
    given = {name.partition(":")[2]: int(n) for name, n in tags.items() if name.startswith(ON_PREMISES_TAGS)}
    try:
        nodes.join_nodes(config, given["nodes"], given["gpus"], given["vcpus"], given["memory-gib"])
    except clusters.ClusterError as failed:
        raise ResourceError(str(failed)) from failed
    return {}


def _rejoin(api: Api, scope: Values) -> None:
    if any(scope["inputs"].get(name) != scope["old"].get(name) for name in ("insecureValue", "tags")):
        _leave(api, scope)
        _join(api, scope)


def _leave(api: Api, scope: Values) -> None:
    from localcloud.kubernetes import nodes

    if config := _node_config(scope["old"] or scope["inputs"]):
        nodes.leave(config)


def _node_config(inputs: Values) -> Values | None:
    tags = inputs.get("tags") or {}
    return yaml.safe_load(inputs["insecureValue"]) if f"{ON_PREMISES_TAGS}nodes" in tags else None


def _note_database(api: Api, scope: Values) -> Values:
    """Write down where RDS says that a PostgreSQL is, and whose: a pod that needs it finds one there."""
    from localcloud import databases

    inputs = scope["inputs"]
    if inputs.get("engine") == "postgres" and {"dbName", "username", "password"} <= inputs.keys():
        answer = api.call(
            "rds", scope["region"], "DescribeDBInstances", {"DBInstanceIdentifier": scope["id"]}
        )
        host = answer["DBInstances"][0]["Endpoint"]["Address"]
        owner = databases.Database(host, inputs["dbName"], inputs["username"], inputs["password"])
        databases.made(owner)
    return {}


def _drop_database(api: Api, scope: Values) -> None:
    from localcloud import databases

    if address := scope["outputs"].get("address"):
        databases.gone(address)


def _empty(api: Api, scope: Values) -> None:
    """Delete what pods keep in a bucket, which is beside it: without forceDestroy S3 deletes none that has objects."""
    from localcloud.kubernetes.agent.stores import BESIDE

    region, bucket = scope["region"], scope["id"] + BESIDE
    try:
        found = api.call("s3", region, "ListObjectVersions", {"Bucket": bucket})
    except RefusedError as refused:
        if refused.gone:
            return
        raise
    objects = [*found.get("Versions", ()), *found.get("DeleteMarkers", ())]
    if objects and not scope["inputs"].get("forceDestroy"):
        raise RefusedError("DeleteBucket", "BucketNotEmpty", f"{scope['id']} has objects of pods")
    for each in objects:
        named = {"Bucket": bucket, "Key": each["Key"], "VersionId": each["VersionId"]}
        api.call("s3", region, "DeleteObject", named)
    api.call("s3", region, "DeleteBucket", {"Bucket": bucket})


SIDE_EFFECTS = {
    "objects": SideEffect(lambda api, scope: {}, lambda api, scope: None, _empty),
    "cluster": SideEffect(_start_cluster, lambda api, scope: None, _stop_cluster),
    "nodes": SideEffect(_add_nodes, _rescale, _remove_nodes),
    "site-nodes": SideEffect(_join, _rejoin, _leave),
    "database": SideEffect(_note_database, _note_database, deleted=_drop_database),
}
