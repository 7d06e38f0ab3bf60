"""Network: a VPC with one subnet in the region, for nodes, pods and services, and no address of its own on the
internet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_gcp as gcp

from infra.gcp.iam import Project

PODS, SERVICES = "pods", "services"  # names of the secondary ranges
ANYWHERE = "0.0.0.0/0"
# Google's APIs under addresses that never leave its network, and those of them that VPC Service Controls cover
# ("Configure Private Google Access").
PRIVATE_APIS, RESTRICTED_APIS = "199.36.153.8/30", "199.36.153.4/30"
PRIVATE_API_ADDRESSES = tuple(f"199.36.153.{last}" for last in range(8, 12))
API_DOMAINS = ("googleapis.com", "gcr.io", "pkg.dev")

MTU = 8896  # what Google's network carries at most; nodes with gVNIC use it
DNS_TTL_SECONDS = 300
PRIORITY = 1000
LAST_PRIORITY = 65_534  # just before the rules that every VPC has
NAT_PORTS_PER_VM = 256  # image pulls of a GPU node open many connections at once


@dataclass(frozen=True)
class NetworkArgs:
    """`cidr` is for nodes, `pods_cidr` and `services_cidr` for what runs on them; none may overlap another."""

    project: Project
    name: str
    cidr: str
    pods_cidr: str
    services_cidr: str


class Network(pulumi.ComponentResource):
    """A VPC whose nodes have private addresses only: out through Cloud NAT, to Google's APIs by a private way.

    `network` and `subnetwork` are their ids. Traffic that no rule names is dropped, and written down. `https_cidrs` is
    what pods may reach over HTTPS without being on the internet.
    """

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:gcp:Network", name, None, opts)
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        self.cidr, self.pods_cidr = args.cidr, args.pods_cidr
        self.pods_range, self.services_range = PODS, SERVICES
        vpc = gcp.compute.Network(
            name,
            project=args.project.id,
            description=f"Nodes of {args.name}",
            auto_create_subnetworks=False,
            routing_mode="REGIONAL",
            mtu=MTU,
            opts=self._child,
        )
        subnet = self._subnet(name, vpc)
        self._nat(name, vpc, subnet)
        self._firewall(name, vpc)
        for domain in API_DOMAINS:
            self._private_api(name, vpc, domain)
        self.network, self.subnetwork = vpc.id, subnet.id
        self.https_cidrs = [args.cidr, PRIVATE_APIS]
        self.register_outputs({"network": self.network, "subnetwork": self.subnetwork})

    def _subnet(self, name: str, vpc: gcp.compute.Network) -> gcp.compute.Subnetwork:
        args = self._args
        return gcp.compute.Subnetwork(
            name,
            project=args.project.id,
            region=args.project.region,
            network=vpc.id,
            ip_cidr_range=args.cidr,
            secondary_ip_ranges=[
                {"range_name": PODS, "ip_cidr_range": args.pods_cidr},
                {"range_name": SERVICES, "ip_cidr_range": args.services_cidr},
            ],
            private_ip_google_access=True,
            stack_type="IPV4_ONLY",
            log_config={
                "aggregation_interval": "INTERVAL_1_MIN",
                "flow_sampling": 1.0,
                "metadata": "INCLUDE_ALL_METADATA",
            },
            opts=self._child,
        )

    def _nat(
        self, name: str, vpc: gcp.compute.Network, subnet: gcp.compute.Subnetwork
    ) -> gcp.compute.RouterNat:
        project = self._args.project
        router = gcp.compute.Router(
            name, project=project.id, region=project.region, network=vpc.id, opts=self._child
        )
        return gcp.compute.RouterNat(
            name,
            project=project.id,
            region=project.region,
            router=router.name,
            nat_ip_allocate_option="AUTO_ONLY",
            source_subnetwork_ip_ranges_to_nat="LIST_OF_SUBNETWORKS",
            subnetworks=[{"name": subnet.id, "source_ip_ranges_to_nats": ["ALL_IP_RANGES"]}],
            enable_dynamic_port_allocation=True,
            enable_endpoint_independent_mapping=False,  # Google allows only one of it and dynamic ports
            min_ports_per_vm=NAT_PORTS_PER_VM,
            log_config={"enable": True, "filter": "ERRORS_ONLY"},
            opts=self._child,
        )

    def _firewall(self, name: str, vpc: gcp.compute.Network) -> list[gcp.compute.Firewall]:
        inside = [self._args.cidr, self._args.pods_cidr]
        return [
            self._rule(f"{name}-within", vpc, "INGRESS", inside, allowed="all"),
            self._rule(
                f"{name}-to-within", vpc, "EGRESS", [*inside, self._args.services_cidr], allowed="all"
            ),
            # Images and Google's APIs. Pods are held by NetworkPolicies.
            self._rule(f"{name}-to-https", vpc, "EGRESS", [ANYWHERE], allowed="tcp", ports=["443"]),
            self._rule(f"{name}-deny-in", vpc, "INGRESS", [ANYWHERE]),
            self._rule(f"{name}-deny-out", vpc, "EGRESS", [ANYWHERE]),
        ]

    def _rule(
        self,
        name: str,
        vpc: gcp.compute.Network,
        direction: Literal["INGRESS", "EGRESS"],
        cidrs: list[str],
        allowed: str | None = None,
        ports: list[str] | None = None,
    ) -> gcp.compute.Firewall:
        """What passes, or, without `allowed`, a refusal of all that no other rule lets through, written down."""
        return gcp.compute.Firewall(
            name,
            project=self._args.project.id,
            network=vpc.id,
            direction=direction,
            priority=PRIORITY if allowed else LAST_PRIORITY,
            allows=[{"protocol": allowed, "ports": ports}] if allowed else None,
            denies=None if allowed else [{"protocol": "all"}],
            source_ranges=cidrs if direction == "INGRESS" else None,
            destination_ranges=cidrs if direction == "EGRESS" else None,
            log_config=None if allowed else {"metadata": "INCLUDE_ALL_METADATA"},
            opts=self._child,
        )

    def _private_api(self, name: str, vpc: gcp.compute.Network, domain: str) -> list[gcp.dns.RecordSet]:
        """A zone that answers for Google's APIs within this VPC, with their private addresses."""
        project, label = self._args.project.id, f"{name}-{domain.replace('.', '-')}"
        zone = gcp.dns.ManagedZone(
            label,
            project=project,
            dns_name=f"{domain}.",
            description=f"{domain} by its private addresses",
            visibility="private",
            private_visibility_config={"networks": [{"network_url": vpc.id}]},
            opts=self._child,
        )
        addresses = {f"{domain}.": ("A", PRIVATE_API_ADDRESSES), f"*.{domain}.": ("CNAME", (f"{domain}.",))}
        return [
            gcp.dns.RecordSet(
                f"{label}-{kind.lower()}",
                project=project,
                managed_zone=zone.name,
                name=record,
                type=kind,
                ttl=DNS_TTL_SECONDS,
                rrdatas=list(answers),
                opts=self._child,
            )
            for record, (kind, answers) in addresses.items()
        ]
