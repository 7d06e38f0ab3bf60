"""The evaluator of NetworkPolicies: Kubernetes' rules one by one, and what it refuses to read."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.permissions.network import Connection, End, Network, UnknownFieldError, rules

SPACES = {"a": {"team": "x"}, "b": {"team": "y", "tier": "web"}}
FROM = End("10.0.0.1", "a", {"app": "web", "tier": "front"})
TO = End("10.0.0.2", "b", {"app": "db"}, {"sql": 5432})
ABROAD = End("203.0.113.9")


def policy(namespace: str = "a", name: str = "p", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"podSelector": {}, **spec}}


def allowed(*policies: Any, target: End = TO, port: int = 443, protocol: str = "TCP") -> bool:
    return Network(policies, SPACES).judge(Connection(FROM, target, port, protocol)).allowed


def out(*to: Any, ports: Any = (), **spec: Any) -> dict[str, Any]:
    """A policy of the source's namespace that lets it out to peers."""
    return policy(policyTypes=["Egress"], egress=[{"to": list(to), "ports": list(ports)}], **spec)


def test_a_pod_that_no_policy_selects_is_free() -> None:
    assert allowed()
    assert allowed(policy("elsewhere", policyTypes=["Egress"]))
    other = {"matchLabels": {"app": "other"}}
    assert allowed(policy(podSelector=other, policyTypes=["Egress"]))
    assert not allowed(policy(podSelector={"matchLabels": {"app": "web"}}, policyTypes=["Egress"]))


@pytest.mark.parametrize(
    ("spec", "free"),
    [
        ({"policyTypes": ["Egress"]}, False),
        ({"policyTypes": ["Ingress"]}, True),
        ({}, True),  # without policyTypes it is about ingress
        ({"egress": []}, True),
        ({"egress": [{"to": [{"podSelector": {"matchLabels": {"app": "none"}}}]}]}, False),
        ({"policyTypes": ["Ingress"], "egress": [{}]}, True),  # and policyTypes says it, not the rules
    ],
)
def test_which_direction_a_policy_isolates(spec: dict[str, Any], free: bool) -> None:
    assert allowed(policy(**spec)) is free


def test_both_ends_must_allow() -> None:
    deny_in = policy("b", policyTypes=["Ingress"])
    assert not allowed(deny_in)
    assert not allowed(out({}), deny_in)
    assert allowed(out({"namespaceSelector": {}}), policy("b", policyTypes=["Ingress"], ingress=[{}]))
    # What policies allow adds up.
    assert allowed(policy(policyTypes=["Egress"]), out({"namespaceSelector": {}}))


def test_an_empty_rule_is_everybody_and_every_port() -> None:
    for rule in ({}, {"to": []}, {"to": [], "ports": []}):
        for target in (TO, ABROAD):
            assert allowed(
                policy(policyTypes=["Egress"], egress=[rule]), target=target, port=9, protocol="UDP"
            )


@pytest.mark.parametrize(
    ("peer", "met"),
    [
        ({"podSelector": {}}, False),  # of the policy's own namespace
        ({"podSelector": {"matchLabels": {"app": "db"}}}, False),
        ({"namespaceSelector": {}}, True),
        ({"namespaceSelector": {"matchLabels": {"team": "y"}}}, True),
        ({"namespaceSelector": {"matchLabels": {"team": "x"}}}, False),
        ({"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "db"}}}, True),
        ({"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "web"}}}, False),
        ({"ipBlock": {"cidr": "10.0.0.0/8"}}, False),  # a pod, and no address
        ({"namespaceSelector": {"matchExpressions": [{"key": "tier", "operator": "Exists"}]}}, True),
        ({"namespaceSelector": {"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}}, False),
        (
            {
                "namespaceSelector": {
                    "matchExpressions": [{"key": "team", "operator": "In", "values": ["y", "z"]}]
                }
            },
            True,
        ),
        (
            {
                "namespaceSelector": {
                    "matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["y"]}]
                }
            },
            False,
        ),
        (
            {
                "namespaceSelector": {
                    "matchExpressions": [{"key": "none", "operator": "NotIn", "values": ["y"]}]
                }
            },
            True,
        ),
    ],
)
def test_which_pods_a_peer_is(peer: dict[str, Any], met: bool) -> None:
    assert allowed(out(peer)) is met


def test_a_namespace_that_is_not_known_has_no_labels() -> None:
    nowhere = End("10.0.0.3", "elsewhere", {"app": "db"})
    assert not allowed(out({"namespaceSelector": {"matchLabels": {"team": "y"}}}), target=nowhere)
    assert allowed(out({"namespaceSelector": {}}), target=nowhere)


def test_pods_are_never_selected_outside_the_cluster() -> None:
    assert not allowed(out({"namespaceSelector": {}}), target=ABROAD)
    assert allowed(out({"ipBlock": {"cidr": "203.0.113.0/24"}}), target=ABROAD)


@given(st.ip_addresses(v=4), st.integers(0, 32), st.integers(0, 32))
def test_a_block_is_its_addresses_less_the_exceptions(address: Any, length: int, within: int) -> None:
    cidr = ipaddress.ip_network(f"203.0.113.9/{length}", strict=False)
    less = ipaddress.ip_network(f"203.0.113.9/{max(length, within)}", strict=False)
    block = {"cidr": str(cidr), "except": [str(less)]}
    assert allowed(out({"ipBlock": block}), target=End(str(address))) is (
        address in cidr and address not in less
    )


@pytest.mark.parametrize(
    ("port", "met"),
    [
        ({"port": 443}, True),
        ({"port": 443, "protocol": "UDP"}, False),
        ({"port": 444}, False),
        ({}, True),
        ({"protocol": "UDP"}, False),
        ({"port": 400, "endPort": 443}, True),
        ({"port": 443, "endPort": 500}, True),
        ({"port": 444, "endPort": 500}, False),
        ({"port": 400, "endPort": 442}, False),
        ({"port": "sql"}, False),
    ],
)
def test_which_port_a_rule_is_about(port: dict[str, Any], met: bool) -> None:
    assert allowed(out({"namespaceSelector": {}}, ports=[port])) is met


def test_a_named_port_is_the_targets() -> None:
    held = out({"namespaceSelector": {}}, ports=[{"port": "sql"}])
    assert allowed(held, port=5432)
    assert not allowed(held, target=End("10.0.0.4", "b", {}), port=5432)


def test_who_comes_in_from_outside() -> None:
    office = policy(
        "b", policyTypes=["Ingress"], ingress=[{"from": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]}]
    )
    network = Network([office], SPACES)
    assert network.judge(Connection(ABROAD, TO, 443)).allowed
    assert not network.judge(Connection(End("198.51.100.1"), TO, 443)).allowed


def test_a_refusal_names_the_policies_that_have_no_rule() -> None:
    deny = policy(name="deny", policyTypes=["Egress"])
    why = (
        Network([deny, out({"podSelector": {}}, name="near")], SPACES)
        .judge(Connection(FROM, ABROAD, 443))
        .why
    )
    assert why == "a/app=web,tier=front to 203.0.113.9 on 443/TCP: no egress rule of a/deny, a/near allows it"


def test_a_rule_is_named_by_its_peer_and_port() -> None:
    dns = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    held = out(
        {"ipBlock": {"cidr": "10.0.0.0/8"}}, dns, {"podSelector": {}}, ports=[{"port": 53, "protocol": "UDP"}]
    )
    assert [str(rule) for rule in rules(held, "Egress")] == [
        "a/p: 10.0.0.0/8 on 53/UDP",
        "a/p: pods k8s-app=kube-dns of namespace kubernetes.io/metadata.name=kube-system on 53/UDP",
        "a/p: pods on 53/UDP",
    ]


@pytest.mark.parametrize(
    "held",
    [
        out({"namespaceSelector": {"matchExpressions": [{"key": "k", "operator": "Gt", "values": ["1"]}]}}),
        out({"fqdn": "example.in"}),
        out({"ipBlock": {"cidr": "10.0.0.0/8", "exempt": []}}),
        out({"namespaceSelector": {}}, ports=[{"port": 1, "icmp": 8}]),
        policy(policyTypes=["Egress"], egress=[{"from": []}]),
        policy(policyTypes=["Egress"], order=1),
    ],
)
def test_what_is_not_known_is_refused_and_never_passed_over(held: dict[str, Any]) -> None:
    with pytest.raises(UnknownFieldError):
        allowed(held)
