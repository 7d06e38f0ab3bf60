"""Cluster: a regional GKE with a private endpoint, secrets under a customer key, all logs, and a system pool."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

from infra import geography
from infra.contracts.governance import DataGovernance
from infra.gcp import nodes, tags
from infra.gcp.existing_network import AnyNetwork
from infra.gcp.iam import Project
from infra.settings.google_pools import GoogleSystemPool
from infra.settings.pools import SYSTEM_POOL

CONTROL_PLANE = ("APISERVER", "SCHEDULER", "CONTROLLER_MANAGER")
LOGS = ("SYSTEM_COMPONENTS", "WORKLOADS", *CONTROL_PLANE)
METRICS = ("SYSTEM_COMPONENTS", "DCGM", *CONTROL_PLANE)  # DCGM: of GPUs

# Two nights a week, 02:00 to 08:00 in India: GKE asks for 48 hours in 32 days at least.
MAINTENANCE = {
    "start_time": "2026-01-02T20:30:00Z",
    "end_time": "2026-01-03T02:30:00Z",
    "recurrence": "FREQ=WEEKLY;BYDAY=FR,SA",
}
# The groups of RBAC must be members of this one, in the organisation's domain ("Configure Google Groups for RBAC").
RBAC_GROUPS = "gke-security-groups"


ADMINISTRATOR = "roles/container.admin"


@dataclass(frozen=True)
class Reach:
    """Who reaches the API server besides nodes and pods: networks, and by the DNS endpoint whoever IAM lets in.

    `proxy_url` is the tunnel that the program itself goes through, None where it needs none. `deployers` are members.
    """

    cidrs: Sequence[str] = ()
    dns_endpoint: bool = False
    proxy_url: str | None = None
    deployers: Sequence[str] = ()


@dataclass(frozen=True)
class ClusterArgs:
    """`name` is the cluster's name in Google Cloud; `cluster_key` encrypts secrets and disks.

    `groups_domain` is the domain whose groups RBAC may name, None for none. `multi_networking` is what pools with a
    fabric need, and costs nothing.
    """

    project: Project
    governance: DataGovernance
    name: str
    version: str
    network: AnyNetwork
    cluster_key: pulumi.Output[str]
    system: GoogleSystemPool
    groups_domain: str | None = None
    multi_networking: bool = False
    deletion_protection: bool = False
    reach: Reach = Reach()


class Cluster(pulumi.ComponentResource):
    """A GKE cluster that only its nodes and pods reach, and whoever `args.reach` names.

    `args` is what it was made from. `provider` talks to it as whoever runs the program; `ready` is what pods wait for:
    the system nodes. `resource` is the GKE cluster itself, for `deleted_with`; `account` is that of its nodes.
    """

    name: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:gcp:Cluster", name, None, opts)
        self.args = args
        self._child = pulumi.ResourceOptions(parent=self)
        self.account = nodes.node_account(f"{name}-nodes", args.project, args.name, self._child)
        self.resource = self._control_plane(name)
        self.name = self.resource.name
        self.endpoint = self.resource.endpoint
        system = self._system_nodes(name)
        self.ready: Sequence[pulumi.Resource] = [system]

        administrators = self._administrators(name)
        self.kubeconfig = self._kubeconfig()
        self.provider = kubernetes.Provider(
            name,
            kubeconfig=self.kubeconfig,
            # The address of a cluster may change without its objects being other ones.
            cluster_identifier=self.resource.self_link,
            enable_server_side_apply=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=administrators),
        )
        self.register_outputs({"name": self.name, "endpoint": self.endpoint, "kubeconfig": self.kubeconfig})

    def _administrators(self, name: str) -> list[gcp.projects.IAMMember]:
        """A grant for each deployer; whoever has the right already, as the project's owner, needs none."""
        return [
            gcp.projects.IAMMember(
                f"{name}-deployer-{member}",
                project=self.args.project.id,
                role=ADMINISTRATOR,
                member=member,
                opts=self._child,
            )
            for member in self.args.reach.deployers
        ]

    def _kubeconfig(self) -> pulumi.Output[str]:
        """By the DNS name, whose certificate a public authority signs, or by the address, under the cluster's own."""
        args, resource = self.args, self.resource
        if args.reach.dns_endpoint:
            host = resource.control_plane_endpoints_config.apply(lambda given: given.dns_endpoint_config)
            return host.apply(lambda dns: kubeconfig(args.name, (dns.endpoint if dns else None) or "", None))
        authority = resource.master_auth.apply(lambda auth: auth.cluster_ca_certificate or "")
        return pulumi.Output.all(self.endpoint, authority).apply(
            lambda known: kubeconfig(args.name, known[0], known[1], args.reach.proxy_url)
        )

    def _control_plane(self, name: str) -> gcp.container.Cluster:
        args, network = self.args, self.args.network
        return gcp.container.Cluster(
            name,
            name=args.name,
            project=args.project.id,
            location=args.project.region,
            min_master_version=args.version,
            release_channel={"channel": "REGULAR"},
            network=network.network,
            subnetwork=network.subnetwork,
            networking_mode="VPC_NATIVE",
            ip_allocation_policy={
                "cluster_secondary_range_name": network.pods_range,
                "services_secondary_range_name": network.services_range,
            },
            datapath_provider="ADVANCED_DATAPATH",  # Dataplane V2: enforces NetworkPolicies, and needed by fabrics
            enable_multi_networking=args.multi_networking,
            enable_intranode_visibility=True,  # else flow logs miss pods that share a node
            private_cluster_config={
                "enable_private_nodes": True,
                "enable_private_endpoint": True,
                "master_global_access_config": {"enabled": False},
            },
            control_plane_endpoints_config={
                "dns_endpoint_config": {"allow_external_traffic": args.reach.dns_endpoint},
                "ip_endpoints_config": {"enabled": True},
            },
            master_authorized_networks_config={
                "cidr_blocks": [
                    {"cidr_block": network.cidr, "display_name": "nodes"},
                    {"cidr_block": network.pods_cidr, "display_name": "pods"},
                    *({"cidr_block": cidr, "display_name": "deployers"} for cidr in args.reach.cidrs),
                ],
                "gcp_public_cidrs_access_enabled": False,
                "private_endpoint_enforcement_enabled": True,
            },
            database_encryption={"state": "ENCRYPTED", "key_name": args.cluster_key},
            workload_identity_config={"workload_pool": args.project.workload_pool},
            authenticator_groups_config=_groups(args.groups_domain),
            enable_shielded_nodes=True,
            enable_legacy_abac=False,
            master_auth={"client_certificate_config": {"issue_client_certificate": False}},
            logging_config={"enable_components": list(LOGS)},
            monitoring_config={
                "enable_components": list(METRICS),
                "managed_prometheus": {"enabled": True},  # what carries DCGM's metrics
            },
            security_posture_config={"mode": "BASIC"},
            cost_management_config={"enabled": True},
            addons_config=_addons(),
            maintenance_policy=_maintenance(),
            node_pool_defaults={"node_config_defaults": {"insecure_kubelet_readonly_port_enabled": "FALSE"}},
            # GKE makes no cluster without a pool. This one is gone before the cluster is ready, and is as safe.
            remove_default_node_pool=True,
            initial_node_count=1,
            node_config=self._first_nodes(),
            deletion_protection=args.deletion_protection,
            resource_labels=tags.labels(args.governance, args.name),
            opts=pulumi.ResourceOptions(
                parent=self,
                ignore_changes=["nodeConfig"],
                depends_on=[network, *self.account.ready],
            ),
        )

    def _first_nodes(self) -> gcp.container.ClusterNodeConfigArgsDict:
        return gcp.container.ClusterNodeConfigArgsDict(
            service_account=self.account.email,
            boot_disk_kms_key=self.args.cluster_key,
            shielded_instance_config={"enable_secure_boot": True, "enable_integrity_monitoring": True},
            workload_metadata_config={"mode": "GKE_METADATA"},
        )

    def _system_nodes(self, name: str) -> gcp.container.NodePool:
        """Untainted nodes over the region's zones for the operators; bought on demand, as all else hangs on them."""
        args = self.args
        zones = geography.region(args.project.region).zones
        return gcp.container.NodePool(
            f"{name}-{SYSTEM_POOL}",
            name=SYSTEM_POOL,
            project=args.project.id,
            location=args.project.region,
            cluster=self.resource.name,
            node_locations=list(zones),
            initial_node_count=1,  # a zone
            autoscaling={
                "total_min_node_count": args.system.min_nodes,
                "total_max_node_count": args.system.max_nodes,
                "location_policy": "BALANCED",
            },
            management={"auto_repair": True, "auto_upgrade": True},
            upgrade_settings={"strategy": "SURGE", "max_surge": 1, "max_unavailable": 0},
            network_config={"enable_private_nodes": True},
            node_config=nodes.config(
                nodes.NodeArgs(
                    machine_type=args.system.machine_type,
                    pool=SYSTEM_POOL,
                    account=self.account.email,
                    disk_key=args.cluster_key,
                    disk_gib=nodes.SYSTEM_DISK_GIB,
                    labels=tags.labels(args.governance, f"{args.name}-{SYSTEM_POOL}"),
                )
            ),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[args.network], ignore_changes=["initialNodeCount"]
            ),
        )


def _groups(domain: str | None) -> gcp.container.ClusterAuthenticatorGroupsConfigArgsDict | None:
    if domain is None:
        return None
    return gcp.container.ClusterAuthenticatorGroupsConfigArgsDict(security_group=f"{RBAC_GROUPS}@{domain}")


def _addons() -> gcp.container.ClusterAddonsConfigArgsDict:
    return gcp.container.ClusterAddonsConfigArgsDict(
        http_load_balancing={"disabled": True},  # nothing here opens a way in from outside
        dns_cache_config={"enabled": True},
        gce_persistent_disk_csi_driver_config={"enabled": True},
        gcs_fuse_csi_driver_config={"enabled": True},
    )


def _maintenance() -> gcp.container.ClusterMaintenancePolicyArgsDict:
    """Patches of the control plane at night; nodes, whose jobs run for days, when people say so or support ends."""
    return gcp.container.ClusterMaintenancePolicyArgsDict(
        recurring_window=gcp.container.ClusterMaintenancePolicyRecurringWindowArgsDict(**MAINTENANCE),
        maintenance_exclusions=[
            {
                "exclusion_name": "nodes-stay",
                "start_time": "2026-01-01T00:00:00Z",
                "exclusion_options": {
                    "scope": "NO_MINOR_OR_NODE_UPGRADES",
                    "end_time_behavior": "UNTIL_END_OF_SUPPORT",
                },
            }
        ],
    )


def kubeconfig(
    name: str, endpoint: str, certificate_authority: str | None, proxy_url: str | None = None
) -> str:
    """A kubeconfig, as JSON, that asks Google's plug-in for a token: it holds no secret.

    `endpoint` is an address, or a name whose certificate every machine trusts: then without an authority.
    """
    more = {"certificate-authority-data": certificate_authority, "proxy-url": proxy_url}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [
            {
                "name": name,
                "cluster": {
                    "server": endpoint if "://" in endpoint else f"https://{endpoint}",
                    **{key: value for key, value in more.items() if value is not None},
                },
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "users": [
            {
                "name": name,
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1beta1",
                        "command": "gke-gcloud-auth-plugin",
                        "provideClusterInfo": True,
                        "interactiveMode": "Never",
                        "installHint": "gcloud components install gke-gcloud-auth-plugin",
                    }
                },
            }
        ],
    }
    return json.dumps(config)
