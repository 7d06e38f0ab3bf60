"""What crosses rooms: clusters, pools and lakes that rooms hand on, grants, and names that two must write alike."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infra.contracts.cluster import FabricPod, GpuCluster, Pool
    from infra.contracts.lake import Bucket, Endpoint, Lake

__all__ = ["Bucket", "Endpoint", "FabricPod", "GpuCluster", "Lake", "Pool"]


def __getattr__(name: str) -> Any:
    """Clusters and lakes hold outputs of Pulumi, whose SDK takes half a second: providers need the names alone."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "lake" if name in ("Bucket", "Endpoint", "Lake") else "cluster"
    return getattr(import_module(f"{__name__}.{module}"), name)
