"""What differs from cloud to cloud in the platform that every cluster runs: each cloud has its own, and hands it in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class PlatformProfile:
    """A cloud as the platform sees it."""

    cloud: str
    """Whose charts are installed, beside those for every cloud (charts.yaml)."""
    gpu_chart: str
    """The chart that counts the GPUs' errors, and brings what their nodes lack."""
    fabric_resources: str
    """How the extended resources of fabrics begin, which pods ask for beside GPUs (`vpc.amazonaws.com/`)."""
    dns_servers: tuple[str, ...]
    """The label `k8s-app` of the pods that answer names, in kube-system."""
    identity_endpoints: Mapping[str, int]
    """Addresses of the node that give pods their identity, in CIDR notation, each with its port."""
    price_label: str
    """The label of a node that OpenCost finds its price by."""
    node_controller: str | None = None
    """The chart of the controller that makes nodes, where the cloud does not make them itself."""
    privileged_namespaces: tuple[str, ...] = ()
    """Namespaces of charts of this cloud alone, whose pods mount the host's devices."""
    managed_prometheus: bool = False
    """Whether the cloud collects metrics as well (Managed Service for Prometheus), and evaluates the alerts."""
    prometheus_values: Mapping[str, Any] = field(default_factory=dict)
    """Values of kube-prometheus-stack that say what this cloud's clusters have."""
