"""Labels, annotations and extended resources that one room writes on a node pool and another reads."""

POOL = "india-ai-infra/pool"
GPU = "nvidia.com/gpu"
# On a Karpenter NodePool: how many nodes its people count on, where the stack's own pods don't tell.
EXPECTED_NODES = "india-ai-infra/expected-nodes"
# The same on a GKE node pool, among its resource labels, with 0.5 as 0-5.
EXPECTED_NODES_GKE = "expected-nodes"
# On a Karpenter NodePool: the IDs of its zones, with a space between. Their names differ from account to account.
ZONE_IDS = "india-ai-infra/zone-ids"
