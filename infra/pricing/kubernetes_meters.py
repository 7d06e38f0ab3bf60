"""How each type of Kubernetes object is metered: nodes, load balancers, and the disks that charts claim."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from infra.pricing.lines import CostRange, Line, Metered, metered_line
from infra.pricing.meter import Meters, each
from infra.pricing.nodes import node_pool
from infra.pricing.resources import Resource, ResourceGraph, plain

STORAGE_CLASS = "kubernetes:storage.k8s.io/v1:StorageClass"
# The meter of a CSI driver's disks: the types that the platform's storage classes ask for.
DISKS: Mapping[str, str] = {"ebs.csi.aws.com": "gp3", "pd.csi.storage.gke.io": "gcp-disk"}


def _service(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    if plain(resource.inputs, "spec", "type") == "LoadBalancer":
        yield from each("load-balancer", resource, graph)


def _chart(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    """The volumes that a chart's values claim, on the disks of the storage class in its own cluster."""
    for claim in _claims(resource.inputs.get("values")):
        size = str(plain(claim, "resources", "requests", "storage"))
        gib = CostRange.always(float(size.removesuffix("Gi")))
        for driver in _drivers(claim.get("storageClassName"), resource, graph):
            yield from metered_line(graph, resource, DISKS.get(driver, f"GiB of disk by {driver}"), gib)


def _drivers(name: object, resource: Resource, graph: ResourceGraph) -> list[str]:
    """The CSI driver of a storage class of the same cluster; none where the class is the cluster's own."""
    return [
        str(found.inputs.get("provisioner"))
        for found in graph.of(STORAGE_CLASS)
        if found.provider == resource.provider and plain(found.inputs, "metadata", "name") == name
    ]


def _claims(values: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(values, Mapping):
        return
    for name, value in values.items():
        if name == "volumeClaimTemplate":
            yield value["spec"]
        else:
            yield from _claims(value)


METERED: Meters = {
    "kubernetes:core/v1:Service": _service,
    "kubernetes:helm.sh/v3:Release": _chart,
    "kubernetes:karpenter.sh/v1:NodePool": node_pool,
}
