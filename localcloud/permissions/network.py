"""NetworkPolicies, evaluated: whether the policies of a cluster let a pod connect to an address or to another pod.

Libraries for Python are generators or one-person projects (kube-netpol 1.0.0, 2026-03); the well-kept evaluators are
parts of network plugins, in Go. The rules are those of Kubernetes' API reference, "NetworkPolicy" v1, read 2026-11. A
field that is not one of these is refused: a policy that is not understood must not pass for one that allows. An ipBlock
is about addresses outside the cluster, as GKE's Dataplane V2 holds; the VPC CNI also takes it for a pod's address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from localcloud.permissions.iam_policies import Verdict

Object = Mapping[str, Any]
Direction = Literal["Egress", "Ingress"]

# The fields of a rule by direction, and what it names as the other end.
_RULES: Mapping[Direction, tuple[str, str]] = {"Egress": ("egress", "to"), "Ingress": ("ingress", "from")}


class UnknownFieldError(ValueError):
    """A policy has a field, or a selector's operator, that this evaluator does not know."""


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod, which has a namespace, or an address outside the cluster.

    `ports` are the named ports of the pod's containers.
    """

    address: str = ""
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        labels = ",".join(f"{key}={value}" for key, value in sorted(self.labels.items()))
        return f"{self.namespace}/{labels or 'pod'}" if self.namespace else self.address


@dataclass(frozen=True)
class Connection:
    """What a program opens: from a pod, or from outside, to a port."""

    source: End
    target: End
    port: int
    protocol: str = "TCP"

    def __str__(self) -> str:
        return f"{self.source} to {self.target} on {self.port}/{self.protocol}"


@dataclass(frozen=True)
class Rule:
    """One peer and one port of a policy's rule; None is every peer, or every port."""

    namespace: str
    policy: str
    direction: Direction
    peer: Object | None
    port: Object | None

    def __str__(self) -> str:
        return f"{self.namespace}/{self.policy}: {_peer_words(self.peer)} on {_port_words(self.port)}"


@dataclass(frozen=True)
class Network:
    """The policies of a cluster, as Kubernetes objects, and the labels of its namespaces.

    Raises UnknownFieldError if a policy has what is not known here.
    """

    policies: Sequence[Object]
    namespaces: Mapping[str, Mapping[str, str]]

    def __post_init__(self) -> None:
        for policy in self.policies:
            _check(policy["spec"])

    def judge(self, connection: Connection) -> Verdict:
        """Whether the policies of both ends let a connection through, and which ones have no rule for it."""
        ends: Sequence[tuple[Direction, End]] = (
            ("Egress", connection.source),
            ("Ingress", connection.target),
        )
        for direction, pod in ends:
            held = list(self._of(pod, direction))
            if held and not self.allowing(connection, direction):
                names = ", ".join(sorted(f"{pod.namespace}/{policy['metadata']['name']}" for policy in held))
                return Verdict(False, f"{connection}: no {direction.lower()} rule of {names} allows it")
        return Verdict(True, "policies of both ends")

    def allowing(self, connection: Connection, direction: Direction) -> list[Rule]:
        """The rules that let a connection out of its source, or in to its target."""
        own, other = connection.source, connection.target
        if direction == "Ingress":
            own, other = other, own
        return [
            rule
            for policy in self._of(own, direction)
            for rule in rules(policy, direction)
            if self._is_peer(rule.peer, other, own.namespace) and _is_port(rule.port, connection)
        ]

    def _of(self, pod: End, direction: Direction) -> Iterator[Object]:
        """The policies that select a pod, of those that isolate it in a direction. None select what is no pod."""
        for policy in self.policies:
            spec, own = policy["spec"], pod.namespace and policy["metadata"]["namespace"] == pod.namespace
            if own and direction in _types(spec) and _selects(spec.get("podSelector") or {}, pod.labels):
                yield policy

    def _is_peer(self, peer: Object | None, other: End, namespace: str) -> bool:
        """Whether `other` is a peer of a rule in a policy of `namespace`."""
        if peer is None:
            return True
        if "ipBlock" in peer:
            return not other.namespace and _in_block(peer["ipBlock"], other.address)
        if not other.namespace:
            return False
        spaces = peer.get("namespaceSelector")
        if spaces is None:
            near = other.namespace == namespace
        else:
            near = _selects(spaces, self.namespaces.get(other.namespace, {}))
        return near and _selects(peer.get("podSelector") or {}, other.labels)


def rules(policy: Object, direction: Direction) -> Iterator[Rule]:
    """What a policy allows in one direction, piece by piece."""
    many, peers = _RULES[direction]
    meta = policy["metadata"]
    for rule in policy["spec"].get(many) or ():
        # Absent and empty lists are the same: every peer, every port.
        for peer in rule.get(peers) or (None,):
            for port in rule.get("ports") or (None,):
                yield Rule(meta["namespace"], meta["name"], direction, peer, port)


def _types(spec: Object) -> Sequence[str]:
    """The directions that a policy isolates: without `policyTypes`, ingress, and egress if it has rules of it."""
    return spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]


def _in_block(block: Object, address: str) -> bool:
    found = ipaddress.ip_address(address)
    return found in ipaddress.ip_network(block["cidr"]) and not any(
        found in ipaddress.ip_network(out) for out in block.get("except") or ()
    )


def _is_port(port: Object | None, connection: Connection) -> bool:
    """Whether a rule's port is the connection's; a rule without any is about every port of every protocol."""
    if port is None:
        return True
    if port.get("protocol", "TCP") != connection.protocol:
        return False
    first = port.get("port")
    if first is None:
        return True
    if isinstance(first, str):
        return connection.target.ports.get(first) == connection.port
    return first <= connection.port <= port.get("endPort", first)


def _selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a label selector selects: an empty one selects all."""
    return all(
        labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items()
    ) and all(_expression(each, labels.get(each["key"])) for each in selector.get("matchExpressions") or ())


def _expression(expression: Object, value: str | None) -> bool:
    values = expression.get("values") or ()
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[expression["operator"]]


_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def _check(spec: Object) -> None:
    """Refuses a policy with a field that is not known here, at any depth."""
    _known(spec, "podSelector", "policyTypes", "egress", "ingress")
    _check_selector(spec.get("podSelector"))
    for many, peers in _RULES.values():
        for rule in spec.get(many) or ():
            _known(rule, peers, "ports")
            for port in rule.get("ports") or ():
                _known(port, "port", "endPort", "protocol")
            for peer in rule.get(peers) or ():
                _known(peer, "ipBlock", "podSelector", "namespaceSelector")
                _known(peer.get("ipBlock"), "cidr", "except")
                _check_selector(peer.get("podSelector"))
                _check_selector(peer.get("namespaceSelector"))


def _check_selector(selector: Object | None) -> None:
    _known(selector, "matchLabels", "matchExpressions")
    for expression in (selector or {}).get("matchExpressions") or ():
        _known(expression, "key", "operator", "values")
        if expression["operator"] not in _OPERATORS:
            raise UnknownFieldError(
                f"selector operator {expression['operator']}; known: {', '.join(_OPERATORS)}"
            )


def _known(given: Object | None, *fields: str) -> None:
    if unknown := sorted(set(given or ()) - set(fields)):
        raise UnknownFieldError(
            f"unknown {', '.join(unknown)} in a NetworkPolicy; known: {', '.join(fields)}"
        )


def _peer_words(peer: Object | None) -> str:
    if not peer:
        return "everybody"
    if "ipBlock" in peer:
        return peer["ipBlock"]["cidr"]
    return " of ".join(
        f"{what} {','.join(f'{key}={value}' for key, value in labels.items())}".strip()
        for what, labels in (
            ("pods", (peer.get("podSelector") or {}).get("matchLabels") or {}),
            ("namespace", (peer.get("namespaceSelector") or {}).get("matchLabels")),
        )
        if labels is not None
    )


def _port_words(port: Object | None) -> str:
    if port is None:
        return "every port"
    # A state of Pulumi has numbers with a fraction.
    found = [port[key] for key in ("port", "endPort") if key in port]
    number = "-".join(each if isinstance(each, str) else str(int(each)) for each in found)
    return f"{number or 'every port'}/{port.get('protocol', 'TCP')}"
