"""Cluster: EKS with a private endpoint, secrets under a customer key, all logs, add-ons and a system pool."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from infra.aws import iam, nodes
from infra.aws.addons import Installer
from infra.aws.deployer import Deployer
from infra.aws.existing_network import AnyNetwork
from infra.aws.iam import Account
from infra.aws.on_premises_vpn import OnPremisesVpn
from infra.catalog.kubernetes_versions import kubernetes_versions
from infra.contracts.governance import DataGovernance
from infra.contracts.labels import POOL_LABEL
from infra.settings.fields import log_retention
from infra.settings.pools import SYSTEM_POOL, SystemPool

LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")
ADMIN_POLICY = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"


API = 443


@dataclass(frozen=True)
class Reach:
    """Who reaches the API server besides the nodes: networks, and security groups by a name for each.

    `proxy_url` is the tunnel that the program itself goes through, None where it needs none.
    """

    cidrs: Sequence[str] = ()
    groups: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    proxy_url: str | None = None


@dataclass(frozen=True)
class ClusterArgs:
    """`name` is the cluster's name in AWS. `cluster_key_arn` encrypts secrets and disks, `logs_key_arn` the logs,
    which are kept at least `log_days`.

    `addon_versions` are those that people pinned, by add-on. `site` is the way to nodes on premises. `guardduty`
    installs the agent that reports to the account's detector.
    `deployers` may administer the cluster, whoever runs the program among them; the first is the one that a stack from
    before the list was made by. Nodes depend on the whole
    network: without its routes they can't join, and at a destroy they need it to the last.
    """

    account: Account
    governance: DataGovernance
    name: str
    version: str
    network: AnyNetwork
    deployers: Sequence[Deployer]
    cluster_key_arn: pulumi.Input[str]
    logs_key_arn: pulumi.Input[str]
    system: SystemPool
    log_days: int = 365
    deletion_protection: bool = False
    site: OnPremisesVpn | None = None
    guardduty: bool = True
    reach: Reach = Reach()
    addon_versions: Mapping[str, str] = field(default_factory=dict)


class Cluster(pulumi.ComponentResource):
    """An EKS cluster that only its nodes reach, and whoever `args.reach` names.

    `args` is what it was made from. `provider` talks to it as whoever runs the program; `ready` is what pods wait for:
    the system nodes and the add-ons. `resource` is the EKS cluster itself, for `deleted_with`.
    """

    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    security_group_id: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:aws:Cluster", name, None, opts)
        self.args = args
        self._child = pulumi.ResourceOptions(parent=self)

        self.resource = self._control_plane(name)
        self.name = self.resource.name
        self.arn = self.resource.arn
        self.endpoint = self.resource.endpoint
        self.security_group_id = self.resource.vpc_config.apply(
            lambda vpc: vpc.cluster_security_group_id or ""
        )

        addons = Installer(
            name,
            args.account,
            self.resource,
            args.name,
            args.version,
            self,
            args.addon_versions,
            hybrid=args.site is not None,
            guardduty=args.guardduty,
        )
        before = addons.before_nodes()
        system = self._system_nodes(name, before)
        self.ready: list[pulumi.Resource] = [system, *before, *addons.after_nodes(system)]

        authority = self.resource.certificate_authority.apply(lambda authority: authority.data or "")
        self.kubeconfig = pulumi.Output.all(self.endpoint, authority).apply(
            lambda known: kubeconfig(args.name, args.account.region, known[0], known[1], args.reach.proxy_url)
        )
        self.provider = kubernetes.Provider(
            name,
            kubeconfig=self.kubeconfig,
            # The address of a cluster may change without its objects being other ones.
            cluster_identifier=self.arn,
            enable_server_side_apply=True,
            # An access entry counts some seconds after it is made, and the provider asks once: the nodes come minutes
            # later ("Grant IAM users access to Kubernetes with EKS access entries", EKS User Guide).
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*self._let_in(name), *self._administrators(name), system],
            ),
        )
        self.register_outputs(
            {"name": self.name, "arn": self.arn, "endpoint": self.endpoint, "kubeconfig": self.kubeconfig}
        )

    def _control_plane(self, name: str) -> aws.eks.Cluster:
        args = self.args
        logs = aws.cloudwatch.LogGroup(
            name,
            name=f"/aws/eks/{args.name}/cluster",  # where EKS writes; it would make one without a key or an end
            retention_in_days=log_retention(args.log_days),
            kms_key_id=args.logs_key_arn,
            tags=args.governance.tags(f"{args.name}-control-plane", args.log_days),
            opts=self._child,
        )
        role, permissions = self._control_plane_role(name)
        return aws.eks.Cluster(
            name,
            name=args.name,
            version=args.version,
            role_arn=role.arn,
            vpc_config={
                "subnet_ids": args.network.intra_subnet_ids,
                "endpoint_private_access": True,
                "endpoint_public_access": False,
                "security_group_ids": [args.site.security_group_id] if args.site else None,
            },
            remote_network_config=_remote(args.site) if args.site else None,
            access_config={
                "authentication_mode": "API",
                # The deployer's entry is a resource of its own, in sight of reviewers and of a later change.
                "bootstrap_cluster_creator_admin_permissions": False,
            },
            encryption_config={"provider": {"key_arn": args.cluster_key_arn}, "resources": ["secrets"]},
            enabled_cluster_log_types=list(LOG_TYPES),
            bootstrap_self_managed_addons=False,
            # Extended support costs six times as much; the cluster is upgraded instead.
            upgrade_policy={"support_type": "STANDARD"},
            zonal_shift_config={"enabled": True},
            deletion_protection=args.deletion_protection,
            tags=args.governance.tags(args.name),
            # At a destroy EKS still writes, and would make the group again if it went first.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[logs, *permissions]),
        )

    def _control_plane_role(self, name: str) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
        role = aws.iam.Role(
            f"{name}-control-plane",
            description=f"The control plane of {self.args.name}",
            assume_role_policy=iam.trust(iam.service("eks.amazonaws.com")),
            opts=self._child,
        )
        attachment = aws.iam.RolePolicyAttachment(
            f"{name}-control-plane",
            role=role.name,
            policy_arn=nodes.managed_policy("AmazonEKSClusterPolicy"),
            opts=self._child,
        )
        secrets = iam.statement(
            "EncryptSecrets",
            ("kms:Encrypt", "kms:Decrypt", "kms:ListGrants", "kms:DescribeKey"),
            pulumi.Output.from_input(self.args.cluster_key_arn),
        )
        policy = aws.iam.RolePolicy(
            f"{name}-secrets", role=role.id, policy=iam.document(secrets), opts=self._child
        )
        return role, [attachment, policy]

    def _let_in(self, name: str) -> list[aws.vpc.SecurityGroupIngressRule]:
        """The cluster's own security group admits only itself."""
        reach = self.args.reach
        sources: dict[str, dict[str, Any]] = {cidr: {"cidr_ipv4": cidr} for cidr in reach.cidrs}
        sources |= {of: {"referenced_security_group_id": group} for of, group in reach.groups.items()}
        return [
            aws.vpc.SecurityGroupIngressRule(
                f"{name}-api-{source}",
                description="The API server",
                security_group_id=self.security_group_id,
                ip_protocol="tcp",
                from_port=API,
                to_port=API,
                **given,
                opts=self._child,
            )
            for source, given in sources.items()
        ]

    def _administrators(self, name: str) -> list[aws.eks.AccessPolicyAssociation]:
        """An access entry for each deployer, named after them: who runs the program changes no other's."""
        return [
            self._administrator(f"{name}-deployer", deployer, first=deployer is self.args.deployers[0])
            for deployer in self.args.deployers
        ]

    def _administrator(self, before: str, deployer: Deployer, first: bool) -> aws.eks.AccessPolicyAssociation:
        """`before` is what the one entry was called when there was no list."""
        name = f"{before}-{deployer.name}" if deployer.name else before
        opts = pulumi.ResourceOptions(
            parent=self,
            deleted_with=self.resource,
            aliases=[pulumi.Alias(name=before)] if first and name != before else None,
        )
        entry = aws.eks.AccessEntry(
            name,
            cluster_name=self.resource.name,
            principal_arn=deployer.arn,
            type="STANDARD",
            opts=opts,
        )
        return aws.eks.AccessPolicyAssociation(
            name,
            cluster_name=self.resource.name,
            principal_arn=entry.principal_arn,
            policy_arn=ADMIN_POLICY,
            access_scope={"type": "cluster"},
            opts=opts,
        )

    def _system_nodes(self, name: str, after: Sequence[pulumi.Resource]) -> aws.eks.NodeGroup:
        """Untainted nodes in every zone for the operators; bought on demand, as everything else hangs on them."""
        args = self.args
        role = nodes.node_role(f"{name}-nodes", f"Managed nodes of {args.name}", self._child)
        self.node_role = role
        template = nodes.launch_template(
            f"{name}-{SYSTEM_POOL}",
            nodes.TemplateArgs(
                disk_gib=nodes.SYSTEM_DISK_GIB,
                disk_key_arn=args.cluster_key_arn,
                tags=args.governance.tags(f"{args.name}-{SYSTEM_POOL}"),
            ),
            self._child,
        )
        return aws.eks.NodeGroup(
            f"{name}-{SYSTEM_POOL}",
            cluster_name=self.resource.name,
            node_group_name=SYSTEM_POOL,
            node_role_arn=role.role.arn,
            subnet_ids=args.network.private_subnet_ids,
            version=args.version,
            release_version=kubernetes_versions()[args.version].ami_release,
            ami_type="AL2023_x86_64_STANDARD",
            capacity_type="ON_DEMAND",
            instance_types=[args.system.machine_type],
            scaling_config={
                "desired_size": args.system.min_nodes,
                "min_size": args.system.min_nodes,
                # Nothing scales the group: the nodes between these and the setting's most are Karpenter's.
                "max_size": args.system.min_nodes,
            },
            launch_template={"id": template.id, "version": template.latest_version.apply(str)},
            update_config={"max_unavailable": 1},
            node_repair_config={"enabled": True},
            labels={POOL_LABEL: SYSTEM_POOL},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.network, *role.attachments, *after]),
        )


def _remote(site: OnPremisesVpn) -> aws.eks.ClusterRemoteNetworkConfigArgs:
    return aws.eks.ClusterRemoteNetworkConfigArgs(
        remote_node_networks=aws.eks.ClusterRemoteNetworkConfigRemoteNodeNetworksArgs(
            cidrs=list(site.args.node_cidrs)
        ),
        remote_pod_networks=aws.eks.ClusterRemoteNetworkConfigRemotePodNetworksArgs(
            cidrs=list(site.args.pod_cidrs)
        ),
    )


def kubeconfig(
    name: str, region: str, endpoint: str, certificate_authority: str, proxy_url: str | None = None
) -> str:
    """A kubeconfig, as JSON, that asks the AWS CLI for a token: it holds no secret.

    Only Kubernetes goes through the proxy: the AWS CLI takes no SOCKS proxy from its environment (aws/aws-cli#6570).
    """
    proxy = {"proxy-url": proxy_url} if proxy_url else {}
    get_token = ["eks", "get-token", "--cluster-name", name, "--region", region, "--output", "json"]
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [
            {
                "name": name,
                "cluster": {"server": endpoint, "certificate-authority-data": certificate_authority, **proxy},
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "users": [
            {
                "name": name,
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1beta1",
                        "command": "aws",
                        "args": get_token,
                        "interactiveMode": "Never",
                    }
                },
            }
        ],
    }
    return json.dumps(config)
