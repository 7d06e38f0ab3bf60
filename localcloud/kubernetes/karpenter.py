"""Real Karpenter, with its kwok provider, choosing machines from the catalogue: Indian zones, Indian prices.

It runs on this machine beside the cluster's control plane, as the chart's controller would run inside it.
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.contracts.labels import CAPACITY_TYPE_LABEL, GPU_RESOURCE, ZONE_LABEL
from localcloud import processes
from localcloud.kubernetes import clusters, nodes
from localcloud.kubernetes.api import Api
from localcloud.kubernetes.crds import install

if TYPE_CHECKING:
    from infra.catalog.machines import Machine

NODE_CLASS = {"group": "karpenter.kwok.sh", "kind": "KWOKNodeClass", "name": "default"}
READY_SECONDS = 60
# Karpenter's kwok provider takes this off every instance type; we add it, for our numbers are what pods can ask for. No
# machine gets more than its vCPUs, though, by which limits count: pods of the small ones have up to 30m less.
OVERHEAD_CPU_MILLI = 100
OVERHEAD_MEMORY_MIB = 10


def start(cluster: str, zone_names: Mapping[str, str] | None = None, regions: Sequence[str] = ()) -> None:
    """Start Karpenter on a cluster that has its chart's definitions, and wait until it is ready.

    Nothing happens if it runs already.
    `zone_names` maps zone ids (`aps1-az1`) to the account's names (`ap-south-1a`); EC2 is asked when it is not given,
    and Google's zones have one name for all. `regions` are those whose machines it offers: the cluster's own unless
    given.
    """
    access = clusters.named(cluster)
    if access is None:
        raise clusters.ClusterError(f"no cluster {cluster} for Karpenter: start it first")
    if clusters.processes_of(cluster, "karpenter"):
        return
    api = access.api()
    install(api, "karpenter-kwok")
    api.apply(
        {
            "apiVersion": f"{NODE_CLASS['group']}/v1alpha1",
            "kind": NODE_CLASS["kind"],
            "metadata": {"name": NODE_CLASS["name"]},
        }
    )
    names = zone_names or zone_names_of(access.region)
    offered = [made for region in regions or (access.region,) for made in _instance_types(region, names)]
    _run(access, offered)


def simulated(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A NodePool's spec with nodes of the kwok class. Nothing is reserved on the local cloud: a chain goes on to its
    next way, and what could only be reserved is bought on demand."""
    template = spec["template"]
    inside = {**template["spec"], "nodeClassRef": NODE_CLASS}
    if "requirements" in inside:
        inside["requirements"] = [_without_reserved(need) for need in inside["requirements"]]
    return {**spec, "template": {**template, "spec": inside}}


def _without_reserved(need: Mapping[str, Any]) -> Mapping[str, Any]:
    if need.get("key") != CAPACITY_TYPE_LABEL or "reserved" not in (need.get("values") or ()):
        return need
    return {
        **need,
        "values": [purchase for purchase in need["values"] if purchase != "reserved"] or ["on-demand"],
    }


def stop(cluster: str) -> None:
    """End the cluster's Karpenter; its nodes stay, as they would if its Deployment were deleted."""
    clusters.expect(cluster, "karpenter", False)
    clusters.end(cluster, "karpenter")


def remove_nodes(api: Api, pool: str, seconds: float) -> None:
    """Remove what is left of a NodePool that was deleted, and wait until Karpenter has drained it.

    By name: the garbage collector may not know definitions yet that are as new as the cluster. Nodes as well: one that
    came up while its claim went is nobody's.

    Raises:
        clusters.ClusterError: some are there still after `seconds`.
    """
    label = f"karpenter.sh/nodepool={pool}"
    deadline = time.monotonic() + seconds
    while left := [
        {"apiVersion": version, "kind": kind, "metadata": {"name": thing["metadata"]["name"]}}
        for version, kind in (("karpenter.sh/v1", "NodeClaim"), ("v1", "Node"))
        for thing in api.list(version, kind, labelSelector=label)
    ]:
        for thing in left:
            api.delete(thing, "Background")
        if time.monotonic() > deadline:
            names = ", ".join(f"{thing['kind']} {thing['metadata']['name']}" for thing in left)
            raise clusters.ClusterError(f"NodePool {pool}: still there after {seconds:.0f} s: {names}")
        time.sleep(0.2)


def _run(access: clusters.ClusterAccess, instance_types: list[dict[str, Any]]) -> None:
    home = clusters.folder(access.name)
    file = home / "instance-types.json"
    file.write_text(json.dumps(instance_types, indent=1))
    log = home / "logs" / "karpenter.log"
    health = processes.free_port()
    command = [
        clusters.program(access.name, "karpenter"),
        *("-instance-types-file-path", str(file)),
        "-disable-leader-election",
        *("-health-probe-port", str(health), "-metrics-port", str(processes.free_port())),
        # The chart has it where GPUs are shared.
        *("-feature-gates", "NodeOverlay=true"),
        # Pods of one update arrive together; a second's wait for more would only slow the local cloud.
        *("-batch-idle-duration", "300ms", "-batch-max-duration", "2s"),
    ]
    process = processes.start(command, log, {"KUBECONFIG": str(access.kubeconfig_path)})
    clusters.expect(access.name, "karpenter", True)
    _wait_until_ready(process, health, log)


def _wait_until_ready(process: processes.Process, port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.find():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass  # not yet
        time.sleep(0.1)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
    raise clusters.ClusterError(f"Karpenter did not become ready; the end of {log}:\n{tail}")


def _instance_types(region: str, zone_names: Mapping[str, str]) -> list[dict[str, Any]]:
    from infra.catalog.machines import machines

    types = [_instance_type(machine, zone_names) for machine in machines(region)]
    return [offered for offered in types if offered["offerings"]]  # some have no known price, or zone


def name_of(machine: Machine) -> str:
    """A machine type as a label may say it: the catalogue's n1-standard-4+1xT4 is n1-standard-4-1xT4 here."""
    return machine.machine_type.replace("+", "-")


def _instance_type(machine: Machine, zone_names: Mapping[str, str]) -> dict[str, Any]:
    """A machine in the form of sigs.k8s.io/karpenter/kwok/cloudprovider/instance_types.json, at 1.14.1.

    Spot that is out is left out: kwok takes every offering for available.
    """
    from infra.settings.purchase import MARKETS, ON_DEMAND
    from localcloud.providers.aws.habits import without_spot

    purchases = (ON_DEMAND,) if machine.machine_type in without_spot() else MARKETS
    resources = nodes.allocatable(machine)
    cpu = _cpu_milli(machine)
    memory = int(resources["memory"].removesuffix("Mi")) + OVERHEAD_MEMORY_MIB
    return {
        "name": name_of(machine),
        "architecture": "amd64",
        "operatingSystems": ["linux"],
        "resources": {**resources, "cpu": f"{cpu}m", "memory": f"{memory}Mi"},
        "offerings": [
            _offering(capacity_type, zone_names[zone], price)
            for zone in machine.zones
            for capacity_type in purchases
            if zone in zone_names and (price := _price(machine, capacity_type, zone)) is not None
        ],
    }


def _price(machine: Machine, purchase: str, zone: str) -> float | None:
    usd = machine.price(purchase, (zone,))
    # A pool of GKE has one machine type: a price that nobody knows decides nothing.
    return 1.0 if usd is None and machine.cloud == "gcp" else usd


def limits(machine: Machine, count: int) -> dict[str, str]:
    """The limits of a NodePool that may have `count` nodes of one machine type."""
    if machine.gpu_count:
        return {GPU_RESOURCE: str(count * machine.gpu_count)}
    return {"cpu": f"{count * _cpu_milli(machine)}m"}


def _cpu_milli(machine: Machine) -> int:
    allocatable = int(nodes.allocatable(machine)["cpu"].removesuffix("m"))
    return min(allocatable + OVERHEAD_CPU_MILLI, machine.vcpus * 1000)


def _offering(capacity_type: str, zone: str, price: float) -> dict[str, Any]:
    labels = {CAPACITY_TYPE_LABEL: capacity_type, ZONE_LABEL: zone}
    return {
        "Price": price,
        "Available": True,
        "Requirements": [{"key": key, "operator": "In", "values": [value]} for key, value in labels.items()],
    }


def zone_names_of(region: str) -> dict[str, str]:
    """Zone id → name, as EC2 has them for this account; Google's ids are the names."""
    import boto3

    from infra import geography

    if geography.region(region).cloud == "gcp":
        return {zone: zone for zone in geography.region(region).zones}
    endpoint = os.environ.get("INDIA_AI_INFRA_AWS_ENDPOINT")
    if not endpoint:
        raise clusters.ClusterError(
            "Karpenter needs the names of the zones and INDIA_AI_INFRA_AWS_ENDPOINT is not set: "
            'run `eval "$(make env)"` in this shell'
        )
    ec2 = boto3.client(
        "ec2",
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    return {zone["ZoneId"]: zone["ZoneName"] for zone in zones if "ZoneId" in zone and "ZoneName" in zone}
