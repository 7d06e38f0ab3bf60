"""Karpenter's place in AWS: its controller's role, its nodes' role, its interruption queue. The chart is platform's."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws import karpenter_policy, nodes, pod_identity
from infra.aws.iam import Account
from infra.aws.interruption import Interruption, InterruptionArgs
from infra.contracts.governance import DataGovernance


@dataclass(frozen=True)
class KarpenterArgs:
    """`cluster` is the EKS cluster called `cluster_name`; the controller runs as `service_account` of `namespace`."""

    account: Account
    governance: DataGovernance
    cluster: aws.eks.Cluster
    cluster_name: str
    namespace: str = "kube-system"
    service_account: str = "karpenter"


class Karpenter(pulumi.ComponentResource):
    """All that Karpenter needs before its chart is installed.

    `ready` is what the chart waits for; `instance_profile` is the name that node classes give (a plain string, so that
    a preview can check them); `queue_name` goes into the chart's values.
    """

    queue_name: pulumi.Output[str]
    instance_profile: str

    def __init__(self, name: str, args: KarpenterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:aws:Karpenter", name, None, opts)
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        interruption = Interruption(
            f"{name}-interruption",
            InterruptionArgs(
                account=args.account, governance=args.governance, cluster_name=args.cluster_name
            ),
            opts=self._child,
        )
        self.queue_name = interruption.queue_name
        node_role = self._nodes_can_join(name)
        self.ready: list[pulumi.Resource] = [
            *self._controller(name, interruption.queue_arn, node_role),
            interruption,
        ]
        self.register_outputs({"queueName": self.queue_name, "instanceProfile": self.instance_profile})

    def _nodes_can_join(self, name: str) -> aws.iam.Role:
        """A role of their own: the entry of the managed nodes' role is made by EKS, and there is one for each role."""
        args = self._args
        role = nodes.node_role(f"{name}-nodes", f"Karpenter's nodes of {args.cluster_name}", self._child)
        self.instance_profile = f"{args.cluster_name}-karpenter"
        # Named in the node classes, for a private VPC has no endpoint of IAM through which Karpenter could make one.
        aws.iam.InstanceProfile(
            name,
            name=self.instance_profile,
            role=role.role.name,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(role.attachments)),
        )
        aws.eks.AccessEntry(
            f"{name}-nodes",
            cluster_name=args.cluster.name,
            principal_arn=role.role.arn,
            type="EC2_LINUX",
            opts=pulumi.ResourceOptions(parent=self, deleted_with=args.cluster),
        )
        self.node_role = role.role
        return role.role

    def _controller(
        self, name: str, queue_arn: pulumi.Output[str], node_role: aws.iam.Role
    ) -> list[pulumi.Resource]:
        args = self._args
        role = pod_identity.role(
            f"{name}-controller",
            f"Karpenter's controller of {args.cluster_name}",
            args.account,
            args.cluster_name,
            self._child,
        )
        allowed = karpenter_policy.documents(
            args.account, args.cluster_name, queue_arn=queue_arn, node_role_arn=node_role.arn
        )
        policies = [
            aws.iam.RolePolicy(f"{name}-{what}", role=role.id, policy=policy, opts=self._child)
            for what, policy in allowed.items()
        ]
        association = aws.eks.PodIdentityAssociation(
            name,
            cluster_name=args.cluster.name,
            namespace=args.namespace,
            service_account=args.service_account,
            role_arn=role.arn,
            opts=pulumi.ResourceOptions(parent=self, deleted_with=args.cluster),
        )
        return [association, *policies]
