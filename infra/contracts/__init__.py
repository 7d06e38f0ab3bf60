"""What crosses rooms: clusters, pools and lakes that rooms hand on, grants, and names that two must write alike."""

from infra.contracts.cluster import FabricPod, GpuCluster, Pool
from infra.contracts.lake import Bucket, Endpoint, Lake

__all__ = ["Bucket", "Endpoint", "FabricPod", "GpuCluster", "Lake", "Pool"]
