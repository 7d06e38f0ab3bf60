"""Nodes: what every node of the cluster has, whichever pool it is in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_gcp as gcp

from infra.contracts.labels import GKE_COMPUTE_CLASS, GPU_TAINT, POOL_LABEL, taint_of_cloud
from infra.gcp import compute_class
from infra.gcp.iam import Project
from infra.settings.names import shortened
from infra.settings.purchase import FLEX_START, ON_DEMAND, RESERVED, SPOT
from infra.settings.sharing import TIME_SLICING, Sharing

# GKE adds it by itself only where a pool without GPUs was there first (terraform-google-kubernetes-engine#703).

SYSTEM_DISK_GIB = 100
GPU_DISK_GIB = 300

# "Spot VMs" (GKE documentation, read 2026-11-24): after a notice the kubelet has 30 s to end pods, the last 15 of them
# for those of the system. With a control plane from 1.35.0-gke.1171000 on it can have 120; the API takes 0, 30 and 120.
NOTICE, LONG_NOTICE, LONG_SINCE = 30, 120, (1, 35)
SYSTEM_SECONDS = 15

# What a node's own agents do: write logs and metrics, and pull images ("Use least privilege IAM service accounts").
NODE_ROLES = ("roles/container.defaultNodeServiceAccount", "roles/artifactregistry.reader")


@dataclass(frozen=True)
class Accelerator:
    """GPUs of one node, by Google's name for them, and how pods share each."""

    type: str
    count: int
    sharing: Sharing | None = None


@dataclass(frozen=True)
class NodeArgs:
    """`account` is the e-mail of the nodes' service account, `disk_key` the path of the key of their boot disks.

    `local_ssds` are disks of 375 GB that come with the machine and hold its pods' scratch data. `purchase` is the way
    that its nodes are bought: from the `reservation` of that name, or flex-start, which ends after `max_run_hours`.
    `notice_seconds` is what the kubelet of a spot node takes to end pods, `compute_class` the class that may use it.
    """

    machine_type: str
    pool: str
    account: pulumi.Input[str]
    disk_key: pulumi.Input[str]
    disk_gib: int
    labels: Mapping[str, str]
    disk_type: str = "pd-balanced"
    purchase: str = ON_DEMAND
    reservation: str | None = None
    max_run_hours: int | None = None
    notice_seconds: int = NOTICE
    compute_class: str | None = None
    accelerator: Accelerator | None = None
    local_ssds: int = 0
    node_labels: Mapping[str, str] = field(default_factory=dict)


def config(args: NodeArgs) -> gcp.container.NodePoolNodeConfigArgsDict:
    """Shielded nodes under a customer key that give pods their own identity, and GPUs with Google's driver."""
    gpus, ssds = args.accelerator, args.local_ssds
    return gcp.container.NodePoolNodeConfigArgsDict(
        machine_type=args.machine_type,
        image_type="COS_CONTAINERD",
        spot=args.purchase == SPOT,
        flex_start=True if args.purchase == FLEX_START else None,
        max_run_duration=f"{args.max_run_hours * 3600}s" if args.max_run_hours else None,
        reservation_affinity=_affinity(args),
        service_account=args.account,
        oauth_scopes=["https://www.googleapis.com/auth/cloud-platform"],  # its roles say what it may do
        disk_size_gb=args.disk_gib,
        disk_type=args.disk_type,
        boot_disk_kms_key=args.disk_key,
        shielded_instance_config={"enable_secure_boot": True, "enable_integrity_monitoring": True},
        workload_metadata_config={"mode": "GKE_METADATA"},
        metadata={"disable-legacy-endpoints": "true"},
        kubelet_config=_kubelet(args),
        gcfs_config={"enabled": True},  # a pod starts while its image is still being fetched
        gvnic={"enabled": True},
        ephemeral_storage_local_ssd_config={"local_ssd_count": ssds} if ssds else None,
        guest_accelerators=_accelerators(gpus) if gpus else None,
        labels={POOL_LABEL: args.pool, **_class_label(args), **args.node_labels},
        taints=_taints(args) or None,
        resource_labels=args.labels,
    )


def notice_seconds(version: str) -> int:
    """Seconds that the kubelet of a spot node gets, in a cluster of this Kubernetes version."""
    return LONG_NOTICE if tuple(map(int, version.split("."))) >= LONG_SINCE else NOTICE


def _kubelet(args: NodeArgs) -> gcp.container.NodePoolNodeConfigKubeletConfigArgsDict:
    long = args.purchase == SPOT and args.notice_seconds > NOTICE
    return gcp.container.NodePoolNodeConfigKubeletConfigArgsDict(
        insecure_kubelet_readonly_port_enabled="FALSE",
        shutdown_grace_period_seconds=args.notice_seconds if long else None,
        shutdown_grace_period_critical_pods_seconds=SYSTEM_SECONDS if long else None,
    )


def _affinity(args: NodeArgs) -> gcp.container.NodePoolNodeConfigReservationAffinityArgsDict | None:
    """Spot and flex-start nodes must take from no reservation; on-demand ones take what is open to all."""
    if args.purchase == RESERVED and args.reservation:
        return {
            "consume_reservation_type": "SPECIFIC_RESERVATION",
            "key": "compute.googleapis.com/reservation-name",
            "values": [args.reservation],
        }
    return {"consume_reservation_type": "NO_RESERVATION"} if args.purchase in (SPOT, FLEX_START) else None


def _class_label(args: NodeArgs) -> Mapping[str, str]:
    return {GKE_COMPUTE_CLASS: args.compute_class} if args.compute_class else {}


# Images on CUDA 13, as those of vLLM and torch are, need a driver of branch 580 or newer. GKE's LATEST has one
# (rapidsai/deployment#659, 2026-02), while Google's installer of the default driver had 535 (#656); its own examples
# ask for LATEST (GoogleCloudPlatform/cluster-toolkit#6232, 2026-08).
DRIVER = "LATEST"


def _taints(args: NodeArgs) -> list[gcp.container.NodePoolNodeConfigTaintArgsDict]:
    gpu = [GPU_TAINT] if args.accelerator else []
    taints = [*gpu, compute_class.taint(args.compute_class)] if args.compute_class else gpu
    return [
        {"key": taint["key"], "value": taint["value"], "effect": taint["effect"]}
        for taint in map(taint_of_cloud, taints)
    ]


def _accelerators(gpus: Accelerator) -> Sequence[gcp.container.NodePoolNodeConfigGuestAcceleratorArgsDict]:
    sharing = gpus.sharing
    return [
        gcp.container.NodePoolNodeConfigGuestAcceleratorArgsDict(
            type=gpus.type,
            count=gpus.count,
            gpu_driver_installation_config={"gpu_driver_version": DRIVER},
            # How pods share each: cut into instances of one profile, or by turns.
            gpu_partition_size=sharing.profile if sharing else None,
            gpu_sharing_config={
                "gpu_sharing_strategy": "TIME_SHARING",
                "max_shared_clients_per_gpu": sharing.parts,
            }
            if sharing and sharing.mode == TIME_SLICING
            else None,
        )
    ]


@dataclass(frozen=True)
class NodeAccount:
    """The nodes' service account, and the grants that nodes need before they start."""

    email: pulumi.Output[str]
    ready: Sequence[pulumi.Resource]


def node_account(name: str, project: Project, about: str, opts: pulumi.ResourceOptions) -> NodeAccount:
    """A service account for nodes, with the least that their agents need and no key."""
    account = gcp.serviceaccount.Account(
        name, project=project.id, account_id=_account_id(about), display_name=f"Nodes of {about}", opts=opts
    )
    member = pulumi.Output.concat("serviceAccount:", account.email)
    grants = [
        gcp.projects.IAMMember(
            f"{name}-{role.rpartition('.')[2]}", project=project.id, role=role, member=member, opts=opts
        )
        for role in NODE_ROLES
    ]
    return NodeAccount(account.email, grants)


def _account_id(cluster: str) -> str:
    """6 to 30 characters, which Google asks for, and no other cluster's."""
    return f"{shortened(cluster, 24)}-nodes"
