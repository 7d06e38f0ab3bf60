"""Who a workload's pods may talk to: nobody, then their own namespace, DNS, the VPC, storage and their identity."""

from collections.abc import Mapping, Sequence

import pulumi
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import (
    IPBlockArgs,
    NetworkPolicy,
    NetworkPolicyEgressRuleArgs,
    NetworkPolicyIngressRuleArgs,
    NetworkPolicyPeerArgs,
    NetworkPolicyPortArgs,
    NetworkPolicySpecArgs,
)

from infra.contracts.database import PORT, Database
from infra.contracts.labels import INTERNET_EGRESS
from infra.contracts.needs import WorkloadNeeds
from infra.contracts.platform_profile import PlatformProfile
from infra.platform.managed_prometheus import COLLECTOR_NAMESPACE

LINK_LOCAL = "169.254.0.0/16"


def create_network_policies(
    needs: WorkloadNeeds,
    profile: PlatformProfile,
    https_cidrs: pulumi.Input[Sequence[str]],
    opts: pulumi.ResourceOptions,
    store: tuple[Sequence[str], int] | None = None,
    database: Database | None = None,
) -> list[NetworkPolicy]:
    """The policies of one workload's namespace; none where it has no namespace.

    `https_cidrs` may be reached on port 443: the VPC (interface endpoints, the API server) and the object store's
    ranges, which a gateway endpoint does not move into the VPC. `store` is an object store on premises: its networks
    and its port; `database` is the workload's own. Pods that were granted nothing of the lake have no use for the
    store, nor for an identity.
    """
    if needs.namespace is None:
        return []
    namespace = needs.namespace.name
    egress = [_in_namespace_egress(), _dns(profile)]
    if needs.grants:
        egress += [_cidrs(https_cidrs), *_identity(profile), *([_cidrs(*store)] if store else [])]
    spec = {
        "default-deny": _spec(["Ingress", "Egress"]),
        "allow-egress": _spec(["Egress"], egress=egress),
        "allow-ingress": _spec(["Ingress"], ingress=[_from_namespace_and_monitoring(profile)]),
    }
    if needs.clients:
        labelled = [LabelSelectorArgs(match_labels=dict(labels)) for labels in needs.clients]
        clients = [NetworkPolicyPeerArgs(namespace_selector=each) for each in labelled]
        spec["allow-clients"] = _spec(["Ingress"], ingress=[NetworkPolicyIngressRuleArgs(from_=clients)])
    if database:
        spec["allow-database"] = _spec(["Egress"], egress=[_cidrs(database.cidrs, PORT)])
    if needs.internet:
        spec["allow-internet"] = _spec(["Egress"], egress=[_internet()], pods=INTERNET_EGRESS)
    return [
        NetworkPolicy(
            f"{namespace}-{name}",
            metadata=ObjectMetaArgs(name=name, namespace=namespace),
            spec=policy,
            opts=opts,
        )
        for name, policy in spec.items()
    ]


def _spec(
    types: list[str],
    egress: pulumi.Input[Sequence[NetworkPolicyEgressRuleArgs]] | None = None,
    ingress: Sequence[NetworkPolicyIngressRuleArgs] | None = None,
    pods: Mapping[str, str] | None = None,
) -> NetworkPolicySpecArgs:
    return NetworkPolicySpecArgs(
        pod_selector=LabelSelectorArgs(match_labels=dict(pods)) if pods else LabelSelectorArgs(),
        policy_types=types,
        egress=egress,
        ingress=ingress,
    )


def _in_namespace_egress() -> NetworkPolicyEgressRuleArgs:
    return NetworkPolicyEgressRuleArgs(to=[NetworkPolicyPeerArgs(pod_selector=LabelSelectorArgs())])


def _from_namespace_and_monitoring(profile: PlatformProfile) -> NetworkPolicyIngressRuleArgs:
    scrapers = [
        LabelSelectorArgs(match_labels={"kubernetes.io/metadata.name": namespace})
        for namespace in ("monitoring", *([COLLECTOR_NAMESPACE] if profile.managed_prometheus else []))
    ]
    return NetworkPolicyIngressRuleArgs(
        from_=[
            NetworkPolicyPeerArgs(pod_selector=LabelSelectorArgs()),
            *(NetworkPolicyPeerArgs(namespace_selector=scraper) for scraper in scrapers),
        ]
    )


def _dns(profile: PlatformProfile) -> NetworkPolicyEgressRuleArgs:
    peers = [
        NetworkPolicyPeerArgs(
            namespace_selector=LabelSelectorArgs(match_labels={"kubernetes.io/metadata.name": "kube-system"}),
            pod_selector=LabelSelectorArgs(match_labels={"k8s-app": server}),
        )
        for server in profile.dns_servers
    ]
    return NetworkPolicyEgressRuleArgs(to=peers, ports=[_port(53, "UDP"), _port(53)])


def _cidrs(cidrs: pulumi.Input[Sequence[str]], port: int = 443) -> NetworkPolicyEgressRuleArgs:
    peers = pulumi.Output.from_input(cidrs).apply(
        lambda known: [NetworkPolicyPeerArgs(ip_block=IPBlockArgs(cidr=cidr)) for cidr in known]
    )
    return NetworkPolicyEgressRuleArgs(to=peers, ports=[_port(port)])


def _identity(profile: PlatformProfile) -> list[NetworkPolicyEgressRuleArgs]:
    return [
        NetworkPolicyEgressRuleArgs(
            to=[NetworkPolicyPeerArgs(ip_block=IPBlockArgs(cidr=address))], ports=[_port(port)]
        )
        for address, port in profile.identity_endpoints.items()
    ]


def _internet() -> NetworkPolicyEgressRuleArgs:
    peer = NetworkPolicyPeerArgs(ip_block=IPBlockArgs(cidr="0.0.0.0/0", except_=[LINK_LOCAL]))
    return NetworkPolicyEgressRuleArgs(to=[peer], ports=[_port(443)])


def _port(number: int, protocol: str = "TCP") -> NetworkPolicyPortArgs:
    return NetworkPolicyPortArgs(port=number, protocol=protocol)
