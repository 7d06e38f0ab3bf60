"""GKE as the platform sees it. It makes nodes itself, and brings the GPUs' driver and device plugin."""

from __future__ import annotations

from infra.contracts.labels import GKE_NETWORK_RESOURCES, GKE_NODE_POOL
from infra.contracts.platform_profile import PlatformProfile

PROFILE = PlatformProfile(
    cloud="gcp",
    # Beside GKE's own exporter, which knows neither XIDs nor memory errors.
    gpu_chart="dcgm-exporter",
    fabric_resources=GKE_NETWORK_RESOURCES,
    # Dataplane V2 sends a query to the cache on the node, and holds the network policy against that.
    dns_servers=("kube-dns", "node-local-dns"),
    # The metadata server with and without Dataplane V2 ("Network policy and Workload Identity Federation").
    identity_endpoints={"169.254.169.254/32": 80, "169.254.169.252/32": 988},
    price_label=GKE_NODE_POOL,
    managed_prometheus=True,
    prometheus_values={"coreDns": {"enabled": False}, "kubeDns": {"enabled": True}},
)
