"""Openings to the world, keys and rights, and pods: what one property decides about another, ACC-02 to ACC-07."""

from __future__ import annotations

from typing import Any

import pytest

from tests.policies.harness import UNKNOWN, Shown, failures, run, unresolved

WORLD = "0.0.0.0/0"


def bad(*resources: Shown, control: str, config: Any = None) -> list[str]:
    return failures(run(*resources, config=config), control)


# ACC-02


@pytest.mark.parametrize(
    ("rule", "passes"),
    [
        ({"protocol": "tcp", "fromPort": 443, "toPort": 443}, True),
        ({"protocol": "icmp", "fromPort": -1, "toPort": -1}, True),
        ({"protocol": "tcp", "fromPort": 1, "toPort": 65535}, False),
        ({"protocol": "tcp", "fromPort": 5432, "toPort": 5432}, False),
        ({"protocol": "6", "fromPort": 5000, "toPort": 6000}, False),
        ({"protocol": "-1", "fromPort": 0, "toPort": 0}, False),
        ({"protocol": "tcp"}, False),
        ({}, False),
        ({"protocol": "tcp", "fromPort": "5432", "toPort": "5432"}, False),
    ],
)
def test_ports_of_data_are_closed_to_the_world(rule: dict[str, Any], passes: bool) -> None:
    open_ = Shown("aws:ec2/securityGroup:SecurityGroup", {"ingress": [rule | {"cidrBlocks": [WORLD]}]})
    assert (not bad(open_, control="DPDP-ACC-02")) == passes
    ours = Shown(open_.type, {"ingress": [rule | {"cidrBlocks": ["10.0.0.0/16"]}]})
    assert not bad(ours, control="DPDP-ACC-02")


@pytest.mark.parametrize("hidden", ["protocol", "fromPort", "toPort"])
def test_an_unknown_port_of_an_open_rule_is_told(hidden: str) -> None:
    rule = {"ipProtocol": "tcp", "fromPort": 5432, "toPort": 5432, "cidrIpv4": WORLD}
    rule |= {{"protocol": "ipProtocol"}.get(hidden, hidden): UNKNOWN}
    shown = Shown("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", rule)
    assert unresolved(run(shown), "DPDP-ACC-02")


def test_a_rule_that_lets_out_lets_nobody_in() -> None:
    rule = {"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": [WORLD]}
    type_ = "aws:ec2/securityGroupRule:SecurityGroupRule"
    assert not bad(Shown(type_, rule | {"type": "egress"}), control="DPDP-ACC-02")
    assert bad(Shown(type_, rule | {"type": "ingress"}), control="DPDP-ACC-02")
    assert bad(Shown(type_, rule | {"type": UNKNOWN}), control="DPDP-ACC-02")


@pytest.mark.parametrize(
    ("props", "passes"),
    [
        ({"sourceRanges": [WORLD], "allows": [{"protocol": "tcp", "ports": ["80", "443"]}]}, True),
        ({"sourceRanges": [WORLD], "allows": [{"protocol": "icmp"}]}, True),
        ({"sourceRanges": [WORLD], "allows": [{"protocol": "tcp"}]}, False),
        ({"sourceRanges": [WORLD], "allows": [{"protocol": "all"}]}, False),
        ({"sourceRanges": [WORLD], "allows": [{"protocol": "tcp", "ports": ["5000-6000"]}]}, False),
        ({"sourceRanges": [WORLD], "allows": [{"protocol": "tcp", "ports": ["any"]}]}, False),
        ({"allows": [{"protocol": "tcp"}]}, False),
        ({"sourceTags": ["node"], "allows": [{"protocol": "tcp"}]}, True),
        ({"sourceRanges": [WORLD], "allows": [{"protocol": "tcp"}], "direction": "EGRESS"}, True),
        ({"sourceRanges": [WORLD], "denies": [{"protocol": "all"}]}, True),
    ],
)
def test_firewalls_of_google(props: dict[str, Any], passes: bool) -> None:
    assert (not bad(Shown("gcp:compute/firewall:Firewall", props), control="DPDP-ACC-02")) == passes


@pytest.mark.parametrize(
    "hidden", [{"allows": UNKNOWN}, {"allows": [{"protocol": "tcp", "ports": [UNKNOWN]}]}]
)
def test_what_a_firewall_allows_is_known(hidden: dict[str, Any]) -> None:
    shown = Shown("gcp:compute/firewall:Firewall", {"sourceRanges": [WORLD]} | hidden)
    assert unresolved(run(shown), "DPDP-ACC-02")


@pytest.mark.parametrize(
    ("annotation", "passes"),
    [
        ({"service.beta.kubernetes.io/aws-load-balancer-scheme": "internal"}, True),
        ({"service.beta.kubernetes.io/aws-load-balancer-scheme": "internet-facing"}, False),
        ({"networking.gke.io/load-balancer-type": "Internal"}, True),
        ({}, False),
    ],
)
def test_a_load_balancer_is_internal(annotation: dict[str, str], passes: bool) -> None:
    props = {"metadata": {"annotations": annotation}, "spec": {"type": "LoadBalancer"}}
    assert (not bad(Shown("kubernetes:core/v1:Service", props), control="DPDP-ACC-02")) == passes
    hidden = props | {"metadata": {"annotations": dict.fromkeys(annotation, UNKNOWN)}}
    assert run(Shown("kubernetes:core/v1:Service", hidden))


def test_a_network_of_the_stack_is_not_the_world() -> None:
    vpc = Shown("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16"}, "vpc")
    said = Shown("aws:ssm/parameter:Parameter", {}, "said")

    def rule(*sources: Shown) -> Shown:
        props = {"ipProtocol": "tcp", "fromPort": 5432, "toPort": 5432, "cidrIpv4": UNKNOWN}
        urns = {"cidrIpv4": [one.urn for one in sources]}
        return Shown("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", props, "r", sources=urns)

    assert not unresolved(run(vpc, rule(vpc)), "DPDP-ACC-02")
    for sources in ([], [said], [vpc, said]):
        assert unresolved(run(vpc, said, rule(*sources)), "DPDP-ACC-02")


def test_a_member_is_settled_only_as_a_member() -> None:
    account = Shown("gcp:serviceaccount/account:Account", {}, "account")
    member = Shown(
        "gcp:cloudrunv2/serviceIamMember:ServiceIamMember",
        {"member": UNKNOWN},
        "m",
        sources={"member": [account.urn]},
    )
    wall = Shown(
        "gcp:compute/firewall:Firewall",
        {"sourceRanges": [UNKNOWN], "allows": [{"protocol": "tcp"}]},
        "f",
        sources={"sourceRanges": [account.urn]},
    )
    assert not unresolved(run(account, member), "DPDP-ACC-02")
    assert unresolved(run(account, wall), "DPDP-ACC-02")


# ACC-04


@pytest.mark.parametrize(
    ("source", "settled"),
    [
        ("aws:s3/bucket:Bucket", True),
        ("random:index/randomPassword:RandomPassword", True),
        ("aws:iam/accessKey:AccessKey", False),
        ("gcp:serviceaccount/key:Key", False),
        ("aws:secretsmanager/secretVersion:SecretVersion", False),
        ("pulumi:pulumi:StackReference", False),
    ],
)
def test_a_value_of_the_stack_is_no_key_unless_it_is_one(source: str, settled: bool) -> None:
    made = Shown(source, {"status": "Inactive"}, "made")
    bucket = Shown("aws:s3/bucket:Bucket", {}, "bucket")
    props = {"data": {"it": UNKNOWN}}
    held = Shown("kubernetes:core/v1:ConfigMap", props, "m", sources={"data": [bucket.urn, made.urn]})
    assert bool(unresolved(run(bucket, made, held), "DPDP-ACC-04")) != settled


def test_a_key_of_a_service_account_is_a_finding_whatever_it_says() -> None:
    for account in ("a@p.iam.gserviceaccount.com", UNKNOWN, None):
        shown = Shown("gcp:serviceaccount/key:Key", {"serviceAccountId": account})
        assert bad(shown, control="DPDP-ACC-04")


def test_a_secret_is_not_shown() -> None:
    key = "AKIAABCDEFGHIJKLMNOP"
    secret = Shown("kubernetes:core/v1:Secret", {"stringData": {"config": key}})
    env = {"spec": {"containers": [{"env": [{"name": "CONFIG", "value": key}]}]}}
    for shown in (secret, Shown("kubernetes:core/v1:Pod", env)):
        (message,) = bad(shown, control="DPDP-ACC-04")
        assert key not in message


# ACC-07


def pod(daemon: dict[str, Any], mounts: list[dict[str, Any]]) -> Shown:
    confined = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return Shown(
        "kubernetes:batch/v1:Job",
        {
            "spec": {
                "template": {
                    "spec": {
                        "securityContext": {
                            "runAsNonRoot": True,
                            "seccompProfile": {"type": "RuntimeDefault"},
                        },
                        "initContainers": [daemon | {"volumeMounts": [{"name": "host-sys"}]}],
                        "containers": [{"name": "c", "securityContext": confined, "volumeMounts": mounts}],
                        "volumes": [{"name": "host-sys", "hostPath": {"path": "/sys"}}],
                    }
                }
            }
        },
    )


def test_the_daemon_of_a_fabric_may_more_and_no_other() -> None:
    own = {"runAsNonRoot": False, "allowPrivilegeEscalation": False, "capabilities": {"add": ["NET_ADMIN"]}}
    daemon = {"name": "tcpx-daemon", "securityContext": own}
    assert not bad(pod(daemon, []), control="DPDP-ACC-07")
    assert bad(pod(daemon | {"name": "other"}, []), control="DPDP-ACC-07")
    assert bad(pod(daemon, [{"name": "host-sys"}]), control="DPDP-ACC-07")
    assert bad(pod(daemon, [{"name": UNKNOWN}]), control="DPDP-ACC-07")
    more = own | {"capabilities": {"add": ["SYS_ADMIN"]}}
    assert bad(pod(daemon | {"securityContext": more}, []), control="DPDP-ACC-07")
    assert bad(pod(daemon | {"securityContext": own | {"privileged": True}}, []), control="DPDP-ACC-07")


def test_agents_of_the_nodes_are_not_judged() -> None:
    def agent(namespace: Any) -> Shown:
        spec = {"hostNetwork": True, "containers": []}
        return Shown("kubernetes:core/v1:Pod", {"metadata": {"namespace": namespace}, "spec": spec})

    assert not bad(agent("kube-system"), control="DPDP-ACC-07")
    for namespace in ("training", "kube-systems", None, UNKNOWN):
        assert bad(agent(namespace), control="DPDP-ACC-07")


def test_the_word_of_the_pod_counts_where_the_container_is_silent() -> None:
    own = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}

    def shown(of_pod: Any) -> Shown:
        spec = {"securityContext": of_pod, "containers": [{"securityContext": own}]}
        return Shown("kubernetes:core/v1:Pod", {"spec": spec})

    good = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert not bad(shown(good), control="DPDP-ACC-07")
    assert bad(shown({"runAsNonRoot": True}), control="DPDP-ACC-07")
    assert bad(shown(None), control="DPDP-ACC-07")
    assert unresolved(run(shown(UNKNOWN)), "DPDP-ACC-07")
