"""Nodes: what every node of the cluster is, whichever pool it stands in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_gcp as gcp

from infra.gcp.iam import Project

POOL_LABEL = "india-ai-infra/pool"
# GKE adds it by itself only where a pool without GPUs was there first (terraform-google-kubernetes-engine#703).
GPU_TAINT: Mapping[str, str] = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}

SYSTEM_DISK_GIB = 100
GPU_DISK_GIB = 300

# What a node's own agents do: write logs and metrics, and pull images ("Use least privilege IAM service accounts").
NODE_ROLES = ("roles/container.defaultNodeServiceAccount", "roles/artifactregistry.reader")


@dataclass(frozen=True)
class Accelerator:
    """GPUs of one node, by Google's name for them."""

    type: str
    count: int


@dataclass(frozen=True)
class NodeArgs:
    """`account` is the e-mail of the nodes' service account, `disk_key` the path of the key of their boot disks.

    `local_ssds` are disks of 375 GB that come with the machine and hold its pods' scratch data.
    """

    machine_type: str
    pool: str
    account: pulumi.Input[str]
    disk_key: pulumi.Input[str]
    disk_gib: int
    labels: Mapping[str, str]
    disk_type: str = "pd-balanced"
    spot: bool = False
    accelerator: Accelerator | None = None
    local_ssds: int = 0
    node_labels: Mapping[str, str] = field(default_factory=dict)


def config(args: NodeArgs) -> gcp.container.NodePoolNodeConfigArgsDict:
    """Shielded nodes under a customer key that give pods their own identity, and GPUs with Google's driver."""
    gpus, ssds = args.accelerator, args.local_ssds
    return gcp.container.NodePoolNodeConfigArgsDict(
        machine_type=args.machine_type,
        image_type="COS_CONTAINERD",
        spot=args.spot,
        service_account=args.account,
        oauth_scopes=["https://www.googleapis.com/auth/cloud-platform"],  # its roles say what it may do
        disk_size_gb=args.disk_gib,
        disk_type=args.disk_type,
        boot_disk_kms_key=args.disk_key,
        shielded_instance_config={"enable_secure_boot": True, "enable_integrity_monitoring": True},
        workload_metadata_config={"mode": "GKE_METADATA"},
        metadata={"disable-legacy-endpoints": "true"},
        kubelet_config={"insecure_kubelet_readonly_port_enabled": "FALSE"},
        gcfs_config={"enabled": True},  # a pod starts while its image is still being fetched
        gvnic={"enabled": True},
        ephemeral_storage_local_ssd_config={"local_ssd_count": ssds} if ssds else None,
        guest_accelerators=_accelerators(gpus) if gpus else None,
        labels={POOL_LABEL: args.pool, **args.node_labels},
        taints=[{"key": GPU_TAINT["key"], "value": GPU_TAINT["value"], "effect": "NO_SCHEDULE"}]
        if gpus
        else None,
        resource_labels=args.labels,
    )


def _accelerators(gpus: Accelerator) -> Sequence[gcp.container.NodePoolNodeConfigGuestAcceleratorArgsDict]:
    return [
        gcp.container.NodePoolNodeConfigGuestAcceleratorArgsDict(
            type=gpus.type,
            count=gpus.count,
            gpu_driver_installation_config={"gpu_driver_version": "DEFAULT"},
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
    """6 to 30 characters, which Google asks for."""
    return f"{cluster[:24].rstrip('-')}-nodes"
