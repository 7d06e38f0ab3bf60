"""Egress: K8S-05 namespaces with personal data let nothing out but what is named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.provenance import IN_CLUSTERS, made_here
from policies.framework.resources import Settings, Stack, StackResource
from policies.framework.unknowns import Unknown, dig, dotted, each, leaves
from policies.law import EGRESS
from policies.readers.data_stores import LABEL

NAMESPACE = "kubernetes:core/v1:Namespace"
POLICIES = (
    "kubernetes:networking.k8s.io/v1:NetworkPolicy",
    "kubernetes:networking.k8s.io/v1beta1:NetworkPolicy",
)
CILIUM = "kubernetes:cilium.io/v2:CiliumNetworkPolicy"
PERSONAL = ("personal", "sensitive", "payment")
IMPERSONAL = ("internal", "public")
_ANYWHERE = ("0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1")
_ENTITIES = ("all", "world", "world-ipv4", "world-ipv6")


def default_deny(stack: Stack, settings: Settings) -> Iterator[tuple[str, Finding]]:
    """K8S-05: a namespace says its data class; one with personal data denies egress, and lets no pod go anywhere.

    Named pods may go anywhere on named ports: that is an exception in the open, which a review sees.
    """
    for namespace in stack.of(NAMESPACE):
        where = f"metadata.labels.{LABEL}"
        label = dig(namespace.props, "metadata", "labels", LABEL)
        if label is None:
            label = settings.get("unlabelled", "personal")
        if isinstance(label, Unknown) or label not in (*PERSONAL, *IMPERSONAL):
            yield (
                namespace.urn,
                Finding("the data class can't be told", where, label, f"one of {(*PERSONAL, *IMPERSONAL)}"),
            )
        elif label in PERSONAL:
            yield from _judged(stack, namespace)


def _judged(stack: Stack, namespace: StackResource) -> Iterator[tuple[str, Finding]]:
    policies = [one for one in stack.of(*POLICIES, CILIUM) if _is_in(one, namespace)]
    if not any(_denies(one) for one in policies):
        yield (
            namespace.urn,
            Finding(
                "no policy denies egress from the whole namespace",
                "the stack",
                dig(namespace.props, "metadata", "name"),
                "a NetworkPolicy with podSelector {} and policyTypes [Egress]",
            ),
        )
    for policy in policies:
        for finding in _open(policy):
            yield policy.urn, finding


def _is_in(policy: StackResource, namespace: StackResource) -> bool:
    """In the same cluster, by name or by what the name is made from."""
    if policy.provider != namespace.provider:
        return False
    name, wanted = (
        dig(one.props, "metadata", part) for one, part in ((policy, "namespace"), (namespace, "name"))
    )
    if isinstance(name, str) and isinstance(wanted, str):
        return name == wanted
    return any(source.urn == namespace.urn for source in policy.sources("metadata"))


def _denies(policy: StackResource) -> bool:
    spec = policy.props.get("spec")
    if policy.type == CILIUM:
        return dig(spec, "endpointSelector") == {} and isinstance(dig(spec, "egress"), list)
    return _is_empty(dig(spec, "podSelector")) and "Egress" in each(dig(spec, "policyTypes"))


def _open(policy: StackResource) -> Iterator[Finding]:
    spec = policy.props.get("spec")
    egress = dig(spec, "egress")
    if isinstance(spec, Unknown) or isinstance(egress, Unknown):
        if not made_here(policy, "spec", IN_CLUSTERS):
            yield _hidden("spec.egress")
        return
    everyone = _is_empty(dig(spec, "endpointSelector" if policy.type == CILIUM else "podSelector"))
    for index, rule in enumerate(each(egress)):
        at = f"spec.egress[{index}]"
        unknown = isinstance(rule, Unknown) or any(isinstance(leaf.value, Unknown) for leaf in leaves(rule))
        if unknown:
            if not made_here(policy, "spec", IN_CLUSTERS):
                yield _hidden(at)
        elif _leads_anywhere(policy.type, rule) and (
            everyone or not each(dig(rule, "ports") or dig(rule, "toPorts"))
        ):
            yield Finding(
                "pods may go anywhere",
                at,
                rule,
                "networks or names that are listed; anywhere only for pods chosen by label, on stated ports",
            )


def _hidden(where: str) -> Finding:
    return Finding("what the policy lets out can't be known", where, "unknown", "rules known in preview")


def _leads_anywhere(type_: str, rule: Any) -> bool:
    if type_ == CILIUM:
        open_name = any(leaf.value == "*" for leaf in leaves(dig(rule, "toFQDNs")))
        cidrs = [*each(dig(rule, "toCIDR")), *(dig(one, "cidr") for one in each(dig(rule, "toCIDRSet")))]
        entities = each(dig(rule, "toEntities"))
        return (
            open_name or any(one in _ANYWHERE for one in cidrs) or any(one in _ENTITIES for one in entities)
        )
    peers = dig(rule, "to") if not isinstance(rule, dict) else rule.get("to")
    return not each(peers) or any(dig(peer, "ipBlock", "cidr") in _ANYWHERE for peer in each(peers))


def _is_empty(selector: Any) -> bool:
    """A selector of everything: `{}`, or one whose parts are empty."""
    return isinstance(selector, dict) and not any(
        True for leaf in leaves(selector) if dotted(leaf.path) and leaf.value != {}
    )


K8S_05 = Control(
    id="DPDP-K8S-05",
    title="Default deny egress for personal data",
    law=EGRESS,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=(),
    remedy=f'deny egress in the namespace, or label it "{LABEL}": internal if it holds no personal data',
    check=None,
    stack_check=default_deny,
    settings={
        "unlabelled": {
            "type": "string",
            "enum": [*PERSONAL, *IMPERSONAL],
            "default": "personal",
            "description": "the class of namespaces without the label",
        }
    },
)
CONTROLS = (K8S_05,)
