"""Site link: the VPN to a site on premises, its routes, and what the control plane and the site may say to each other.

A virtual private gateway, not a transit gateway: there is one VPC, and the gateway itself is free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.aws.existing_network import AnyNetwork
from infra.contracts.governance import DataGovernance
from infra.settings.fields import log_retention

API, KUBELET = 443, 10250
# Webhooks of operators listen there by custom; a site that runs some is called by the control plane.
WEBHOOKS = (443, 8443, 9443)
STATIC_ASN = 65000  # CreateCustomerGateway's own default; nothing speaks BGP with static routes

# AWS offers IKEv1, SHA-1 and a 1024-bit group too, and takes them all where nothing is said ("Tunnel options", AWS
# Site-to-Site VPN User Guide, read 2026-11). Groups 19 to 21 are elliptic curves of 256 to 521 bits.
STRONG: Mapping[str, Any] = MappingProxyType(
    {
        "ike_versions": ["ikev2"],
        "phase1_encryption_algorithms": ["AES256-GCM-16"],
        "phase1_integrity_algorithms": ["SHA2-384", "SHA2-512"],
        "phase1_dh_group_numbers": [19, 20, 21],
        "phase2_encryption_algorithms": ["AES256-GCM-16"],
        "phase2_integrity_algorithms": ["SHA2-384", "SHA2-512"],
        "phase2_dh_group_numbers": [19, 20, 21],
        "dpd_timeout_action": "restart",
        "startup_action": "start",
        "enable_tunnel_lifecycle_control": True,
    }
)


@dataclass(frozen=True)
class OnPremisesVpnArgs:
    """`peer` is the public address of the site's VPN device; without `asn` its routes are static.

    `logs_key_arn` encrypts the tunnels' logs, kept at least `log_days`.
    """

    governance: DataGovernance
    network: AnyNetwork
    name: str
    peer: str
    asn: int | None
    node_cidrs: Sequence[str]
    pod_cidrs: Sequence[str]
    logs_key_arn: pulumi.Input[str]


class OnPremisesVpn(pulumi.ComponentResource):
    """Two tunnels to one site, under keys that Secrets Manager keeps and no state holds.

    `security_group_id` is for the control plane's interfaces. Nodes on premises depend on the whole of it.
    """

    def __init__(
        self, name: str, args: OnPremisesVpnArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("india-ai-infra:aws:SiteLink", name, None, opts)
        self.args = args
        self._child = pulumi.ResourceOptions(parent=self)
        self.cidrs = (*args.node_cidrs, *args.pod_cidrs)
        tags = {"Name": f"{args.name}-site"}
        gateway = aws.ec2.VpnGateway(name, vpc_id=args.network.vpc_id, tags=tags, opts=self._child)
        self.connection = self._connection(name, gateway, tags)
        self._routes(name, gateway)
        self.security_group_id = self._security_group(name)
        self.register_outputs({"connection": self.connection.id})

    def _connection(
        self, name: str, gateway: aws.ec2.VpnGateway, tags: Mapping[str, str]
    ) -> aws.ec2.VpnConnection:
        args = self.args
        site = aws.ec2.CustomerGateway(
            name,
            type="ipsec.1",
            ip_address=args.peer,
            bgp_asn=str(args.asn or STATIC_ASN),
            tags=tags,
            opts=self._child,
        )
        days = args.governance.log_days
        logs = aws.cloudwatch.LogGroup(
            name,
            # With this prefix AWS needs no growing resource policy to deliver there.
            name=f"/aws/vendedlogs/vpn/{args.name}",
            retention_in_days=log_retention(days),
            kms_key_id=args.logs_key_arn,
            tags=args.governance.tags(f"{args.name}-vpn", days),
            opts=self._child,
        )
        log_options = {
            "cloudwatch_log_options": {
                "log_enabled": True,
                "log_group_arn": logs.arn,
                "log_output_format": "json",
            }
        }
        tunnel = {**STRONG, "log_options": log_options}
        return aws.ec2.VpnConnection(
            name,
            type="ipsec.1",
            customer_gateway_id=site.id,
            vpn_gateway_id=gateway.id,
            static_routes_only=args.asn is None,
            preshared_key_storage="SecretsManager",
            tags=tags,
            **{f"tunnel{n}_{option}": value for n in (1, 2) for option, value in tunnel.items()},
            opts=self._child,
        )

    def _routes(self, name: str, gateway: aws.ec2.VpnGateway) -> None:
        """From the nodes' subnets and the control plane's; without BGP the VPN needs them too, as static routes."""
        for cidr in self.cidrs:
            if self.args.asn is None:
                aws.ec2.VpnConnectionRoute(
                    f"{name}-{cidr}",
                    vpn_connection_id=self.connection.id,
                    destination_cidr_block=cidr,
                    opts=self._child,
                )
            for table, table_id in self.args.network.route_tables.items():
                aws.ec2.Route(
                    f"{name}-{table}-{cidr}",
                    route_table_id=table_id,
                    destination_cidr_block=cidr,
                    gateway_id=gateway.id,
                    opts=self._child,
                )

    def _security_group(self, name: str) -> pulumi.Output[str]:
        """Beside the group that EKS makes for a cluster, whose own rules it keeps as they are."""
        args = self.args
        group = aws.ec2.SecurityGroup(
            name,
            description="The control plane and the site on premises",
            vpc_id=args.network.vpc_id,
            tags={"Name": f"{args.name}-site"},
            opts=self._child,
        )
        for cidr in self.cidrs:
            aws.vpc.SecurityGroupIngressRule(
                f"{name}-api-{cidr}",
                description="Kubelets and pods to the API server",
                **_tcp(group, cidr, API),
                opts=self._child,
            )
        reached = [(cidr, KUBELET) for cidr in args.node_cidrs]
        reached += [(cidr, port) for cidr in args.pod_cidrs for port in WEBHOOKS]
        for cidr, port in reached:
            aws.vpc.SecurityGroupEgressRule(
                f"{name}-{port}-{cidr}",
                description="The API server to kubelets and webhooks",
                **_tcp(group, cidr, port),
                opts=self._child,
            )
        return group.id


def _tcp(group: aws.ec2.SecurityGroup, cidr: str, port: int) -> dict[str, Any]:
    return {
        "security_group_id": group.id,
        "cidr_ipv4": cidr,
        "ip_protocol": "tcp",
        "from_port": port,
        "to_port": port,
    }
