"""The way from the pods of another workload to the tracking server."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import (
    NetworkPolicy,
    NetworkPolicyEgressRuleArgs,
    NetworkPolicyIngressRuleArgs,
    NetworkPolicyPeerArgs,
    NetworkPolicyPortArgs,
    NetworkPolicySpecArgs,
)

from infra.contracts.site import Service
from workloads.tracking.needs import APP

NAMESPACE_LABEL = "kubernetes.io/metadata.name"


def open_way(
    namespace: str, pods: Mapping[str, str], service: Service, opts: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """Pods with these labels may leave their namespace for the server, and enter its."""
    port = NetworkPolicyPortArgs(port=service.port, protocol="TCP")
    there = NetworkPolicyPeerArgs(
        namespace_selector=_labelled({NAMESPACE_LABEL: service.namespace}),
        pod_selector=_labelled({"app.kubernetes.io/name": APP}),
    )
    from_here = NetworkPolicyPeerArgs(
        namespace_selector=_labelled({NAMESPACE_LABEL: namespace}), pod_selector=_labelled(pods)
    )
    leave = NetworkPolicySpecArgs(
        pod_selector=_labelled(pods),
        policy_types=["Egress"],
        egress=[NetworkPolicyEgressRuleArgs(to=[there], ports=[port])],
    )
    enter = NetworkPolicySpecArgs(
        pod_selector=_labelled({"app.kubernetes.io/name": APP}),
        policy_types=["Ingress"],
        ingress=[NetworkPolicyIngressRuleArgs(from_=[from_here], ports=[port])],
    )
    return [
        _policy(f"to-{service.namespace}", namespace, leave, opts),
        _policy(f"from-{namespace}", service.namespace, enter, opts),
    ]


def _policy(
    name: str, namespace: str, spec: NetworkPolicySpecArgs, opts: pulumi.ResourceOptions
) -> NetworkPolicy:
    metadata = ObjectMetaArgs(name=name, namespace=namespace)
    return NetworkPolicy(f"{namespace}-{name}", metadata=metadata, spec=spec, opts=opts)


def _labelled(labels: Mapping[str, str]) -> LabelSelectorArgs:
    return LabelSelectorArgs(match_labels=dict(labels))
