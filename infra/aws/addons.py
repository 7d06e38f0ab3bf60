"""The EKS add-ons of every cluster: a table, and what makes them.

GuardDuty's agent is one of them: managed by GuardDuty, it would bring an endpoint that outlives the VPC's destroy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.aws import pod_identity
from infra.aws.iam import Account
from infra.aws.nodes import managed_policy


@dataclass(frozen=True)
class Addon:
    """An add-on. One that runs on nodes of any kind comes before them (`before_nodes`), or they never become ready;
    one that is a Deployment comes after, or it waits for them. `policy` is what `service_account` may do in AWS.
    """

    name: str
    before_nodes: bool = False
    configuration: Mapping[str, Any] | None = None
    service_account: str = ""
    policy: str = ""


GUARDDUTY_AGENT = "aws-guardduty-agent"
# On premises there is no metadata service: a second DaemonSet takes the node's credentials from a file.
HYBRID_CONFIGURATION: Mapping[str, Mapping[str, Any]] = {
    "eks-pod-identity-agent": {"daemonsets": {"hybrid": {"create": True}}}
}
ADDONS = (
    Addon("eks-pod-identity-agent", before_nodes=True),
    Addon(
        "vpc-cni",
        before_nodes=True,
        # Without its agent, the default-deny policies of the namespaces would be decoration. Prefixes give a node
        # 16 addresses at once, so that one network card carries the pods of a large machine.
        configuration={
            "enableNetworkPolicy": "true",
            "env": {"ENABLE_PREFIX_DELEGATION": "true", "WARM_PREFIX_TARGET": "1"},
        },
        service_account="aws-node",
        policy="AmazonEKS_CNI_Policy",
    ),
    Addon("kube-proxy", before_nodes=True),
    Addon("coredns"),
    Addon("metrics-server"),
    Addon("eks-node-monitoring-agent"),
    Addon(GUARDDUTY_AGENT),
    Addon(
        "aws-ebs-csi-driver",
        service_account="ebs-csi-controller-sa",
        policy="service-role/AmazonEBSCSIDriverPolicy",
    ),
)


@dataclass(frozen=True)
class Installer:
    """Makes the add-ons of one cluster as children of `parent`; `hybrid` clusters have nodes on premises.

    `versions` are those that people pinned, by add-on. Every other one is EKS' default for the Kubernetes version,
    asked in each preview: without a version EKS would take that default at the first `up` and show it to nobody. No
    table of ours has them, because EKS withdraws builds, and then refuses them (nebari-dev/nebari#3016).

    GuardDuty's agent is left out without `guardduty`.
    """

    name: str
    account: Account
    cluster: aws.eks.Cluster
    cluster_name: str
    kubernetes_version: str
    parent: pulumi.Resource
    versions: Mapping[str, str] = field(default_factory=dict)
    hybrid: bool = False
    guardduty: bool = True

    def before_nodes(self) -> list[pulumi.Resource]:
        """The add-ons that nodes need to become ready."""
        return [self._install(addon, ()) for addon in ADDONS if addon.before_nodes]

    def after_nodes(self, nodes: pulumi.Resource) -> list[pulumi.Resource]:
        """The add-ons that need a node to run on."""
        return [
            self._install(addon, [nodes])
            for addon in ADDONS
            if not addon.before_nodes and (self.guardduty or addon.name != GUARDDUTY_AGENT)
        ]

    def _install(self, addon: Addon, after: Sequence[pulumi.Resource]) -> aws.eks.Addon:
        identity = self._identity(addon)
        configuration = addon.configuration
        if self.hybrid:
            configuration = HYBRID_CONFIGURATION.get(addon.name, configuration)
        return aws.eks.Addon(
            f"{self.name}-{addon.name}",
            cluster_name=self.cluster.name,
            addon_name=addon.name,
            addon_version=self.versions.get(addon.name) or self._default_version(addon),
            configuration_values=json.dumps(configuration) if configuration else None,
            pod_identity_associations=[identity] if identity else None,
            resolve_conflicts_on_create="OVERWRITE",
            resolve_conflicts_on_update="OVERWRITE",
            opts=pulumi.ResourceOptions(parent=self.parent, depends_on=after, deleted_with=self.cluster),
        )

    def _default_version(self, addon: Addon) -> pulumi.Output[str]:
        return aws.eks.get_addon_version_output(
            addon_name=addon.name,
            kubernetes_version=self.kubernetes_version,
            most_recent=False,
            opts=pulumi.InvokeOutputOptions(parent=self.parent),
        ).version

    def _identity(self, addon: Addon) -> aws.eks.AddonPodIdentityAssociationArgs | None:
        if not addon.policy:
            return None
        child = pulumi.ResourceOptions(parent=self.parent)
        name = f"{self.name}-{addon.name}"
        role = pod_identity.role(name, f"Pods of {addon.name}", self.account, self.cluster_name, child)
        attached = aws.iam.RolePolicyAttachment(
            name, role=role.name, policy_arn=managed_policy(addon.policy), opts=child
        )
        # The pods must not start before their role can do anything: its ARN waits for the attachment.
        arn = pulumi.Output.all(role.arn, attached.id).apply(lambda both: both[0])
        return aws.eks.AddonPodIdentityAssociationArgs(role_arn=arn, service_account=addon.service_account)
