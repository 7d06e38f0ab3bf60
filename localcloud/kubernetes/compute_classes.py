"""GKE's compute classes on the local cloud: the NodePools that play a class's node pools get weights in its order.

Karpenter tries the heaviest NodePool first, and the next when that one's limit is reached: as GKE's autoscaler goes
through the priorities of a class.
"""

from __future__ import annotations

from collections.abc import Mapping

from infra.contracts.labels import GKE_COMPUTE_CLASS
from localcloud.kubernetes.api import MERGE, Api, ApiError, Object, UnknownKindError

KIND, API = "ComputeClass", "cloud.google.com/v1"
HEAVIEST = 100  # that Karpenter takes


def is_class(thing: Object) -> bool:
    """Whether an object is a ComputeClass."""
    return thing["apiVersion"] == API and thing["kind"] == KIND


def follow(api: Api, compute_class: Object) -> None:
    """Weigh the NodePools of a class. Those that are not made yet are weighed when they are (`follow_of`)."""
    for rank, priority in enumerate(compute_class["spec"].get("priorities", [])):
        for name in priority.get("nodepools", []):
            weight = {"spec": {"weight": max(HEAVIEST - rank, 1)}}
            try:
                api.request("PATCH", f"/apis/karpenter.sh/v1/nodepools/{name}", weight, content=MERGE)
            except ApiError as error:
                if error.status != 404:
                    raise


def follow_of(api: Api, labels: Mapping[str, str]) -> None:
    """Follow the class that a node pool's labels name, if there is one."""
    if GKE_COMPUTE_CLASS not in labels:
        return
    try:
        found = api.get({"apiVersion": API, "kind": KIND, "metadata": {"name": labels[GKE_COMPUTE_CLASS]}})
    except UnknownKindError:
        return  # the pool of a cluster that lacks what GKE brings
    if found:
        follow(api, found)
