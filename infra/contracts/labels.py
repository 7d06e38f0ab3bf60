"""Labels, annotations, taints and extended resources that two rooms write or read: the only place that spells them.

Well-known ones are those of Kubernetes (kubernetes.io/docs/reference/labels-annotations-taints), Karpenter
(karpenter.sh/docs/concepts/scheduling), EKS, GKE, Kueue and NVIDIA's device plugin.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# This platform's own: the pool of a node.
POOL_LABEL = "india-ai-infra/pool"
# On a node whose GPUs are shared: how many it is to pods.
GPU_SHARES = "india-ai-infra/gpu-shares"
# On a Karpenter NodePool: how many nodes its people count on, where the stack's own pods don't tell.
EXPECTED_NODES = "india-ai-infra/expected-nodes"
# The same on a GKE node pool, among its resource labels, with 0.5 as 0-5.
EXPECTED_NODES_GKE = "expected-nodes"
# On a Karpenter NodePool: the IDs of its zones, with a space between. Their names differ from account to account.
ZONE_IDS = "india-ai-infra/zone-ids"

# On a pod that may fetch over HTTPS from anywhere, such as a model from a hub: seen in review, found in audit.
INTERNET_EGRESS = MappingProxyType({"india-ai-infra/egress": "internet"})
# On a pod: how long it "runs" on the local cloud, where no container does. A real cluster ignores it.
SIMULATED_RUNTIME = "india-ai-infra/runs-for"
# On a pod of the local cloud whose image could run there: why it is simulated all the same.
SIMULATED = "india-ai-infra/simulated"
# On a node of the local cloud: when its notice came and when its machine will be taken, with a slash between (an
# interval of ISO 8601), for its metadata service.
INTERRUPTION = "india-ai-infra/interruption"

# Extended resources of a node, and what those of a fabric begin with: EFA cards, or Google's networks.
GPU_RESOURCE = "nvidia.com/gpu"
EFA_RESOURCE = "vpc.amazonaws.com/efa"
EFA_RESOURCES = "vpc.amazonaws.com/"
GKE_NETWORK_RESOURCES = "networking.gke.io.networks/"
# Huge pages of any size, and of the size that EFA's installer holds back.
HUGE_PAGES = "hugepages-"
HUGE_PAGES_2MI = "hugepages-2Mi"

# NVIDIA's: which of its plugin's configurations a node has.
DEVICE_PLUGIN_CONFIG = "nvidia.com/device-plugin.config"

# Kubernetes on every node.
HOSTNAME_LABEL = "kubernetes.io/hostname"
ARCH_LABEL = "kubernetes.io/arch"
OS_LABEL = "kubernetes.io/os"
REGION_LABEL = "topology.kubernetes.io/region"
ZONE_LABEL = "topology.kubernetes.io/zone"
INSTANCE_TYPE_LABEL = "node.kubernetes.io/instance-type"

# Karpenter's.
CAPACITY_TYPE_LABEL = "karpenter.sh/capacity-type"
DISCOVERY_TAG = "karpenter.sh/discovery"
DISRUPTED_TAINT = "karpenter.sh/disrupted"
# On its nodes; on its machines a tag.
KARPENTER_NODE_POOL = "karpenter.sh/nodepool"
DO_NOT_DISRUPT = "karpenter.sh/do-not-disrupt"

# EKS' and GKE's.
EKS_NODE_GROUP = "eks.amazonaws.com/nodegroup"
EKS_COMPUTE_TYPE = "eks.amazonaws.com/compute-type"
GKE_NODE_POOL = "cloud.google.com/gke-nodepool"
GKE_ACCELERATOR = "cloud.google.com/gke-accelerator"
GKE_COMPUTE_CLASS = "cloud.google.com/compute-class"

# Kueue's: the queue of a job.
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"

NO_SCHEDULE = "NoSchedule"
# The effects of taints by what EKS and GKE call them.
EFFECTS = MappingProxyType(
    {"NO_SCHEDULE": NO_SCHEDULE, "NO_EXECUTE": "NoExecute", "PREFER_NO_SCHEDULE": "PreferNoSchedule"}
)
# Keeps pods that ask for no GPU off its nodes. GKE puts it on GPU pools itself.
GPU_TAINT = {"key": GPU_RESOURCE, "value": "present", "effect": NO_SCHEDULE}
GPU_TOLERATION = {"key": GPU_RESOURCE, "operator": "Exists", "effect": NO_SCHEDULE}


def time_slicing(parts: int) -> str:
    """The name of the plugin's configuration by which each GPU of a node is several."""
    return f"time-slicing-{parts}"


def taint_of_cloud(taint: Mapping[str, str]) -> dict[str, str]:
    """A taint of Kubernetes as EKS and GKE spell it."""
    effect = next(word for word, effect in EFFECTS.items() if effect == taint["effect"])
    return {"key": taint["key"], "value": taint["value"], "effect": effect}
