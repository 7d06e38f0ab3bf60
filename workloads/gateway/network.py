"""The ways from the gateway's pods to the model servers, beside those that the platform opens within the namespace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import pulumi
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import (
    NetworkPolicy,
    NetworkPolicyEgressRuleArgs,
    NetworkPolicyIngressRuleArgs,
    NetworkPolicyPeerArgs,
    NetworkPolicySpecArgs,
)

from infra.settings.workloads.gateway import GatewayModel
from workloads.gateway.needs import GATEWAY_APP, NAMESPACE


def open_ways(name: str, models: Sequence[GatewayModel], opts: pulumi.ResourceOptions) -> None:
    """For each namespace with model servers: the gateway's pods may leave theirs for it, and enter it.

    No port is named: a policy sees the pods' own ports, which a Service's address does not tell.
    """
    gateway = {"app.kubernetes.io/name": GATEWAY_APP}
    for namespace in namespaces(models):
        servers = NetworkPolicyPeerArgs(namespace_selector=_named(namespace))
        callers = NetworkPolicyPeerArgs(namespace_selector=_named(NAMESPACE), pod_selector=_labelled(gateway))
        leave = NetworkPolicySpecArgs(
            pod_selector=_labelled(gateway),
            policy_types=["Egress"],
            egress=[NetworkPolicyEgressRuleArgs(to=[servers])],
        )
        enter = NetworkPolicySpecArgs(
            pod_selector=LabelSelectorArgs(),
            policy_types=["Ingress"],
            ingress=[NetworkPolicyIngressRuleArgs(from_=[callers])],
        )
        _policy(f"{name}-to-{namespace}", NAMESPACE, leave, opts)
        _policy(f"{name}-from-gateway", namespace, enter, opts)


def namespaces(models: Sequence[GatewayModel]) -> list[str]:
    """Where the model servers are, each once."""
    hosts = (urlsplit(url).hostname or "" for model in models for url in model.urls)
    return list(dict.fromkeys(host.split(".")[1] for host in hosts))


def _policy(
    name: str, namespace: str, spec: NetworkPolicySpecArgs, opts: pulumi.ResourceOptions
) -> NetworkPolicy:
    metadata = ObjectMetaArgs(name=name, namespace=namespace)
    return NetworkPolicy(f"{namespace}-{name}", metadata=metadata, spec=spec, opts=opts)


def _named(namespace: str) -> LabelSelectorArgs:
    return _labelled({"kubernetes.io/metadata.name": namespace})


def _labelled(labels: Mapping[str, str]) -> LabelSelectorArgs:
    return LabelSelectorArgs(match_labels=dict(labels))
