"""Hybrid nodes: machines on premises as nodes of the cluster, by certificates that their site signs.

IAM Roles Anywhere, not hybrid activations of Systems Manager: an activation is a code that opens the account to whoever
has it, lies in the state and ends within a month, while here a machine's private key never leaves it and the stack
knows only the public certificate of the site's authority.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
import yaml

from infra import contracts
from infra.aws import iam, nodes
from infra.aws.cluster import Cluster
from infra.aws.iam import Account
from infra.aws.on_premises_vpn import OnPremisesVpn
from infra.contracts.governance import DataGovernance
from infra.contracts.labels import (
    EKS_COMPUTE_TYPE,
    GPU_RESOURCE,
    GPU_TAINT,
    GPU_TOLERATION,
    POOL_LABEL,
    ZONE_LABEL,
)
from infra.settings.on_premises import OnPremisesPool

DNS = 53
COMPUTE_TYPE = {EKS_COMPUTE_TYPE: "hybrid"}  # EKS itself puts it on every hybrid node
ZONE = "on-premises"
NODE_NAME = "NODE_NAME"  # what the site's admin fills in: the common name of the machine's certificate
CERTIFICATE, PRIVATE_KEY = "/etc/iam/pki/server.pem", "/etc/iam/pki/server.key"  # where nodeadm looks


@dataclass(frozen=True)
class HybridNodesArgs:
    """`certificate_authority` is PEM; `pools` say how many nodes of which kind the site has."""

    account: Account
    governance: DataGovernance
    cluster: Cluster
    link: OnPremisesVpn
    certificate_authority: str
    pools: Sequence[OnPremisesPool]


class HybridNodes(pulumi.ComponentResource):
    """The right of a site's machines to join, and what they join with.

    `node_configs` are nodeadm's files by pool, without a secret in them; the site also reads them from Parameter Store.
    `ready` is what pods for the site wait for.
    """

    node_configs: dict[str, pulumi.Output[str]]
    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: HybridNodesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:aws:HybridNodes", name, None, opts)
        self._args = args
        self._cluster = args.cluster.args.name
        self._child = pulumi.ResourceOptions(parent=self)
        in_cluster = pulumi.ResourceOptions(parent=self, deleted_with=args.cluster.resource)

        anchor = aws.rolesanywhere.TrustAnchor(
            name,
            name=f"{self._cluster}-site",
            enabled=True,
            source={
                "source_type": "CERTIFICATE_BUNDLE",
                "source_data": {"x509_certificate_data": args.certificate_authority},
            },
            opts=self._child,
        )
        role, rights = self._role(name, anchor)
        self.node_role = role
        profile = aws.rolesanywhere.Profile(
            name,
            name=f"{self._cluster}-site",
            enabled=True,
            role_arns=[role.arn],
            duration_seconds=3600,
            accept_role_session_name=True,  # the session is named after the node
            opts=self._child,
        )
        entry = aws.eks.AccessEntry(
            name,
            cluster_name=args.cluster.name,
            principal_arn=role.arn,
            type="HYBRID_LINUX",
            opts=in_cluster,
        )
        self._dns(name)
        self.node_configs = {
            pool.name: pulumi.Output.all(
                name=args.cluster.name, anchor=anchor.arn, profile=profile.arn, role=role.arn
            ).apply(lambda known, pool=pool: node_config(args.account.region, pool, known))
            for pool in args.pools
        }
        after = pulumi.ResourceOptions(
            parent=self, depends_on=[entry, *rights, args.link, *args.cluster.ready]
        )
        self.ready = [self._published(name, pool, after) for pool in args.pools] or [entry]
        self.register_outputs({"nodeConfigs": self.node_configs})

    def _role(
        self, name: str, anchor: aws.rolesanywhere.TrustAnchor
    ) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
        trusted = iam.trust(
            iam.service("rolesanywhere.amazonaws.com"),
            ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"),
            {
                "ArnEquals": {"aws:SourceArn": anchor.arn},
                # A machine can be no node but the one that its certificate names.
                "StringEquals": {"sts:RoleSessionName": "${aws:PrincipalTag/x509Subject/CN}"},
            },
        )
        role = aws.iam.Role(
            name,
            description=f"Nodes of {self._cluster} on premises",
            assume_role_policy=trusted,
            opts=self._child,
        )
        join = iam.statement(
            "Join", ("eks:DescribeCluster", "eks-auth:AssumeRoleForPodIdentity"), self._args.cluster.arn
        )
        policy = aws.iam.RolePolicy(name, role=role.id, policy=iam.document(join), opts=self._child)
        images = aws.iam.RolePolicyAttachment(
            f"{name}-images",
            role=role.name,
            policy_arn=nodes.managed_policy("AmazonEC2ContainerRegistryPullOnly"),
            opts=self._child,
        )
        return role, [policy, images]

    def _dns(self, name: str) -> None:
        """CoreDNS runs on cloud nodes, and pods on premises ask it through the VPN."""
        for cidr in self._args.link.cidrs:
            for protocol in ("tcp", "udp"):
                aws.vpc.SecurityGroupIngressRule(
                    f"{name}-dns-{protocol}-{cidr}",
                    description="DNS of pods on premises",
                    security_group_id=self._args.cluster.security_group_id,
                    cidr_ipv4=cidr,
                    ip_protocol=protocol,
                    from_port=DNS,
                    to_port=DNS,
                    opts=self._child,
                )

    def _published(self, name: str, pool: OnPremisesPool, opts: pulumi.ResourceOptions) -> aws.ssm.Parameter:
        return aws.ssm.Parameter(
            f"{name}-{pool.name}",
            name=f"/{self._cluster}/on-premises/{pool.name}",
            description=f"NodeConfig of the {pool.nodes} nodes of pool {pool.name}",
            type="String",
            insecure_value=self.node_configs[pool.name],
            tags={
                "on-premises:nodes": str(pool.nodes),
                "on-premises:gpus": str(pool.gpus_per_node),
                "on-premises:vcpus": str(pool.vcpus),
                "on-premises:memory-gib": str(pool.memory_gib),
            },
            opts=opts,
        )


def node_config(region: str, pool: OnPremisesPool, known: Mapping[str, str]) -> str:
    """The file of `nodeadm init` for a pool's nodes, as YAML; `known` are the cluster's name and three ARNs."""
    labels = {POOL_LABEL: pool.name, ZONE_LABEL: ZONE}
    taint = GPU_TAINT
    spec = {
        "cluster": {"name": known["name"], "region": region},
        "hybrid": {
            "enableCredentialsFile": True,  # for the agent of Pod Identity: there is no metadata service
            "iamRolesAnywhere": {
                "nodeName": NODE_NAME,
                "trustAnchorArn": known["anchor"],
                "profileArn": known["profile"],
                "roleArn": known["role"],
                "certificatePath": CERTIFICATE,
                "privateKeyPath": PRIVATE_KEY,
            },
        },
        "kubelet": {
            "flags": [
                f"--node-labels={','.join(f'{key}={value}' for key, value in labels.items())}",
                f"--register-with-taints={taint['key']}={taint['value']}:{taint['effect']}",
            ]
        },
    }
    config = {"apiVersion": "node.eks.aws/v1alpha1", "kind": "NodeConfig", "spec": spec}
    return yaml.safe_dump(config, sort_keys=False, width=1000)


def describe(pools: Sequence[OnPremisesPool]) -> dict[str, contracts.Pool]:
    """The site's pools as pods see them, by name."""
    return {
        pool.name: contracts.Pool(
            name=pool.name,
            gpu=pool.gpu,
            gpus_per_node=pool.gpus_per_node,
            purchase=ZONE,
            fabric="none",
            machine_types=(ZONE,),
            max_nodes=pool.nodes,
            node_selector={POOL_LABEL: pool.name},
            tolerations=[GPU_TOLERATION],
            limits={GPU_RESOURCE: str(pool.gpus_per_node)},
        )
        for pool in pools
    }
