"""A cluster to hang platform and workloads on: four spot L4s and two H100 machines on EFA."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as k8s

from infra.aws import platform_profile as eks
from infra.aws.fabric import EFA_ENVIRONMENT, EFA_PEER_ENVIRONMENT
from infra.aws.pod_environment import lake_environment
from infra.contracts.cluster import GpuCluster, Pool
from infra.gcp import platform_profile as gke
from infra.gcp.pod_environment import LAKE_ENVIRONMENT

PROFILES = {"aws": eks.PROFILE, "gcp": gke.PROFILE}
TOLERATION = {"key": "nvidia.com/gpu", "operator": "Equal", "value": "present", "effect": "NoSchedule"}

SERVE = Pool(
    name="serve",
    gpu="L4",
    gpus_per_node=1,
    purchase=("spot",),
    fabric="none",
    machine_types=("g6.xlarge", "g6.2xlarge"),
    max_nodes=4,
    node_selector={"india-ai-infra/pool": "serve"},
    tolerations=[TOLERATION],
    limits={"nvidia.com/gpu": "1"},
)
TRAIN = Pool(
    name="train",
    gpu="H100",
    gpus_per_node=8,
    purchase=("spot",),
    fabric="efa",
    machine_types=("p5.48xlarge",),
    max_nodes=2,
    node_selector={"india-ai-infra/pool": "train"},
    tolerations=[TOLERATION],
    limits={"nvidia.com/gpu": "8", "vpc.amazonaws.com/efa": "32"},
    environment=EFA_ENVIRONMENT,
    peer_environment=EFA_PEER_ENVIRONMENT,
    locks_memory=True,
)


class CloudThing(pulumi.CustomResource):
    """Stands in for what the cloud makes: the cluster itself, nodes."""

    def __init__(self, name: str) -> None:
        super().__init__("unit:cloud:Thing", name)


def gpu_cluster(*pools: Pool, cloud: str = "aws", region: str = "ap-south-1") -> GpuCluster:
    """A GpuCluster called `mumbai`; `node-pool` stands for what its workloads wait for."""
    return GpuCluster(
        name="mumbai",
        region=region,
        resource=CloudThing("mumbai"),
        provider=k8s.Provider("mumbai", kubeconfig="{}"),
        pools={pool.name: pool for pool in pools},
        platform=[CloudThing("node-pool")],
        environment=lake_environment(region) if cloud == "aws" else LAKE_ENVIRONMENT,
    )
