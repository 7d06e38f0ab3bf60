"""Labels, annotations and extended resources that one room writes on a node pool and another reads."""

from types import MappingProxyType

POOL = "india-ai-infra/pool"
GPU = "nvidia.com/gpu"
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
