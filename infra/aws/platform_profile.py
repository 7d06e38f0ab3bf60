"""EKS as the platform sees it."""

from __future__ import annotations

from infra.contracts.labels import EFA_RESOURCES, INSTANCE_TYPE_LABEL
from infra.contracts.platform_profile import PlatformProfile

PROFILE = PlatformProfile(
    cloud="aws",
    # Device plugin and DCGM mount the host's devices.
    gpu_chart="gpu-operator",
    privileged_namespaces=("gpu-operator",),
    fabric_resources=EFA_RESOURCES,
    dns_servers=("kube-dns",),
    # EKS Pod Identity's agent, at the same address in every VPC.
    identity_endpoints={"169.254.170.23/32": 80},
    price_label=INSTANCE_TYPE_LABEL,
    node_controller="karpenter",
)
