"""What the clusters of both clouds have in common."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from infra import contracts


@dataclass(frozen=True)
class Made:
    """A cluster that was made. `tunnel` is the command that opens the way to it, None without a jump host."""

    cluster: contracts.GpuCluster
    name: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]
    tunnel: pulumi.Output[str] | None


class InCluster(pulumi.ComponentResource):
    """The objects in one cluster. They have the same names in every cluster, and a URN has the types of a resource's
    ancestors but not their names: the cluster's name is in this type, so that a stack may have two of them."""

    def __init__(self, cluster: str, parent: pulumi.Resource) -> None:
        super().__init__(
            f"india-ai-infra:in-cluster:{cluster}", cluster, None, pulumi.ResourceOptions(parent=parent)
        )
        self.register_outputs({})
