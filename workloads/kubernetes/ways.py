"""Ways from a workload's pods to Services of other namespaces, beside those that the platform opens within its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Callers:
    """Pods that call: those of a namespace with the label `app.kubernetes.io/name`."""

    namespace: str
    app: str


def open_ways(name: str, callers: Callers, urls: Sequence[str], opts: pulumi.ResourceOptions) -> None:
    """For each namespace with a Service of `urls`: the callers may leave theirs for it, and enter it.

    No port is named: a policy sees the pods' own ports, which a Service's address does not tell.
    """
    labels = {"app.kubernetes.io/name": callers.app}
    for namespace in namespaces(urls):
        servers = NetworkPolicyPeerArgs(namespace_selector=_named(namespace))
        peer = NetworkPolicyPeerArgs(
            namespace_selector=_named(callers.namespace), pod_selector=_labelled(labels)
        )
        leave = NetworkPolicySpecArgs(
            pod_selector=_labelled(labels),
            policy_types=["Egress"],
            egress=[NetworkPolicyEgressRuleArgs(to=[servers])],
        )
        enter = NetworkPolicySpecArgs(
            pod_selector=LabelSelectorArgs(),
            policy_types=["Ingress"],
            ingress=[NetworkPolicyIngressRuleArgs(from_=[peer])],
        )
        _policy(f"{name}-to-{namespace}", callers.namespace, leave, opts)
        _policy(f"{name}-from-{callers.namespace}", namespace, enter, opts)


def namespaces(urls: Sequence[str]) -> list[str]:
    """Where the Services are (http://<service>.<namespace>.svc:<port>), each once."""
    hosts = (urlsplit(url).hostname or "" for url in urls)
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
