"""Lake and GpuCluster for other people's Pulumi programs: docs/components.md."""

from india_ai_infra.args import (
    Access,
    ExistingNetwork,
    GpuClusterArgs,
    GpuPool,
    LakeArgs,
    Network,
    Sharing,
    SystemPool,
)
from india_ai_infra.checked import ArgumentsError
from india_ai_infra.gpu_cluster import GpuCluster
from india_ai_infra.lake import Lake

__all__ = [
    "Access",
    "ArgumentsError",
    "ExistingNetwork",
    "GpuCluster",
    "GpuClusterArgs",
    "GpuPool",
    "Lake",
    "LakeArgs",
    "Network",
    "Sharing",
    "SystemPool",
]
