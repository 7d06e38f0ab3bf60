"""Where one property decides about another, and what only the stack shows: ENC-02 to ENC-08, ACC-02 to ACC-07."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import FIXTURES, UNKNOWN, Shown, failures, put, run, unresolved
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.controls.access import acc_02_03_public_endpoints as exposure
from policies.controls.access import acc_04_06_identity as identity
from policies.controls.encryption import enc_02_databases as databases
from policies.controls.encryption import enc_03_transport as transport
from policies.controls.encryption import enc_06_07_ai_artefacts as ai_artefacts
from policies.framework.expectations import Misshapen, occurrences
from policies.pack import CONTROLS

LAKE = Shown("aws:s3/bucket:Bucket", {"bucket": "lake", "tags": {"dpdp:data-class": "personal"}}, "lake")
NO_HTTP = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": ["arn:aws:s3:::lake", "arn:aws:s3:::lake/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
STATED = json.dumps({"Statement": [NO_HTTP]})
WORLD = "0.0.0.0/0"


def bad(*resources: Shown, control: str, config: Any = None) -> list[str]:
    return failures(run(*resources, config=config), control)


def test_a_path_through_lists_and_missing_blocks() -> None:
    props = {"a": [{"b": 1}, {}, "odd"], "c": []}
    assert occurrences(props, "a.b") == [("a[0].b", 1), ("a[1].b", None), ("a[2]", Misshapen("odd"))]
    assert occurrences(props, "c.b") == [("c.b", None)]
    assert occurrences(props, "d?.b") == []


# ENC-02


def test_a_customer_key_may_be_let_go_but_encryption_not() -> None:
    name = next(control.policy_name for control in CONTROLS if control.id == "DPDP-ENC-02")
    config = {name: {"customerKey": False}}
    plain = Shown("aws:rds/instance:Instance", {"storageEncrypted": True})
    assert bad(plain, control="DPDP-ENC-02")
    assert not bad(plain, control="DPDP-ENC-02", config=config)
    assert bad(Shown(plain.type, {}), control="DPDP-ENC-02", config=config)
    # DynamoDB and Google encrypt everything: there only the key was in question.
    assert not bad(Shown("aws:dynamodb/table:Table", {}), control="DPDP-ENC-02", config=config)
    assert not bad(Shown("gcp:bigquery/dataset:Dataset", {}), control="DPDP-ENC-02", config=config)


def test_a_customer_key_is_the_houses_wish_and_encryption_the_laws() -> None:
    (switch, key) = bad(Shown("aws:rds/instance:Instance", {}), control="DPDP-ENC-02")
    assert "; basis: statutory: " in switch
    assert "; basis: posture: " in key


# ENC-03


def policy(document: Any, bucket: Any = "lake", sources: dict[str, list[str]] | None = None) -> Shown:
    props = {"bucket": bucket, "policy": document}
    return Shown("aws:s3/bucketPolicy:BucketPolicy", props, "policy", sources=sources or {})


def test_a_bucket_has_a_policy_of_its_own() -> None:
    assert bad(LAKE, control="DPDP-ENC-03")
    assert bad(LAKE, policy(STATED, "another"), control="DPDP-ENC-03")
    assert not bad(LAKE, policy(STATED), control="DPDP-ENC-03")
    assert not bad(LAKE, policy(STATED, UNKNOWN, {"bucket": [LAKE.urn]}), control="DPDP-ENC-03")


@pytest.mark.parametrize(("said", "passes"), [(STATED, True), ("", False), (UNKNOWN, False), ("{}", False)])
def test_a_buckets_own_word_counts_when_it_is_known(said: str, passes: bool) -> None:
    """A bucket's policy is an output as well: unknown in a preview, empty where there is none."""
    own = Shown(LAKE.type, dict(LAKE.props), "lake", outputs={"policy": said})
    assert (not bad(own, control="DPDP-ENC-03")) == passes


@pytest.mark.parametrize(
    ("sources", "waits"),
    [
        ([LAKE], True),
        ([], False),
        ([Shown("aws:ssm/parameter:Parameter", {}, "said")], False),
        ([LAKE, Shown("pulumi:pulumi:StackReference", {}, "other")], False),
        ([LAKE, Shown("random:index/randomString:RandomString", {}, "any")], False),
    ],
)
@pytest.mark.parametrize(
    ("control", "type_"),
    [
        ("DPDP-ENC-03", "aws:s3/bucketPolicy:BucketPolicy"),
        ("DPDP-ACC-05", "aws:iam/rolePolicy:RolePolicy"),
    ],
)
def test_a_text_waits_for_the_update_only_for_names_of_the_stack(
    control: str, type_: str, sources: list[Shown], waits: bool
) -> None:
    urns = {"policy": [one.urn for one in sources]}
    text = Shown(type_, {"bucket": "lake", "policy": UNKNOWN}, "text", sources=urns)
    assert bool(unresolved(run(*sources, text), control)) != waits
    broad = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}
    known = Shown(type_, {"bucket": "lake", "policy": json.dumps(broad)}, "text", sources=urns)
    assert bad(*sources, known, control=control)


def test_a_parameter_group_of_the_stack_settles_its_name() -> None:
    group = Shown("aws:rds/parameterGroup:ParameterGroup", {"family": "postgres14"}, "group")
    elsewhere = Shown("aws:ssm/parameter:Parameter", {}, "said")

    def database(*sources: Shown) -> Shown:
        props = {"engine": "postgres", "parameterGroupName": UNKNOWN}
        urns = {"parameterGroupName": [one.urn for one in sources]}
        return Shown("aws:rds/instance:Instance", props, "database", sources=urns)

    assert not unresolved(run(group, database(group)), "DPDP-ENC-03")
    assert bad(group, database(group), control="DPDP-ENC-03")  # the group itself says nothing
    for sources in ([], [elsewhere], [group, elsewhere]):
        assert unresolved(run(group, elsewhere, database(*sources)), "DPDP-ENC-03")


def test_other_engines_are_not_asked_for_parameters() -> None:
    oracle = {"engine": "oracle-ee"}
    assert not bad(Shown("aws:rds/instance:Instance", oracle), control="DPDP-ENC-03")
    unknown = Shown("aws:rds/instance:Instance", {"engine": UNKNOWN})
    assert unresolved(run(unknown), "DPDP-ENC-03")


def listener(**props: Any) -> Shown:
    return Shown("aws:lb/listener:Listener", {"port": 80, "protocol": "HTTP"} | props)


def test_plain_http_may_only_redirect() -> None:
    redirect = {"type": "redirect", "redirect": {"protocol": "HTTPS"}}
    forward = {"type": "forward", "targetGroupArn": "t"}
    assert not bad(listener(defaultActions=[redirect]), control="DPDP-ENC-03")
    assert bad(listener(defaultActions=[redirect, forward]), control="DPDP-ENC-03")
    assert bad(listener(defaultActions=[{"redirect": {"protocol": "HTTP"}}]), control="DPDP-ENC-03")
    assert bad(listener(defaultActions=[]), control="DPDP-ENC-03")
    for hidden in (UNKNOWN, [UNKNOWN], [{"redirect": UNKNOWN}], [{"redirect": {"protocol": UNKNOWN}}]):
        found = run(listener(defaultActions=hidden))
        assert unresolved(found, "DPDP-ENC-03") or failures(found, "DPDP-ENC-03")


def test_a_plain_proxy_of_google_redirects() -> None:
    urls = {"defaultUrlRedirect": {"httpsRedirect": True}}
    good, plain = (Shown("gcp:compute/uRLMap:URLMap", props, "urls") for props in (urls, {}))
    proxy = Shown(
        "gcp:compute/targetHttpProxy:TargetHttpProxy",
        {"urlMap": UNKNOWN},
        "proxy",
        sources={"urlMap": [good.urn]},
    )
    assert not bad(good, proxy, control="DPDP-ENC-03")
    assert bad(plain, proxy, control="DPDP-ENC-03")
    assert bad(proxy, control="DPDP-ENC-03")


def test_a_member_of_a_cache_group_is_told_by_its_group() -> None:
    cache = "aws:elasticache/cluster:Cluster"
    assert bad(Shown(cache, {}), control="DPDP-ENC-03")
    assert not bad(Shown(cache, {"replicationGroupId": UNKNOWN}), control="DPDP-ENC-03")


@pytest.mark.parametrize(
    ("annotations", "passes"),
    [({"alb.ingress.kubernetes.io/certificate-arn": "c"}, True), ({"a": "b"}, False), ({}, False)],
)
def test_a_certificate_may_be_an_annotation(annotations: dict[str, str], passes: bool) -> None:
    type_ = "kubernetes:networking.k8s.io/v1:Ingress"
    ingress = Shown(type_, {"metadata": {"annotations": annotations}, "spec": {}})
    assert (not bad(ingress, control="DPDP-ENC-03")) == passes
    assert run(Shown(type_, {"metadata": UNKNOWN, "spec": {}}))


# ENC-05


@pytest.mark.parametrize(
    "other", [{"customerMasterKeySpec": "RSA_2048"}, {"keyUsage": "GENERATE_VERIFY_MAC"}]
)
def test_a_key_that_cannot_rotate_is_not_asked_to(other: dict[str, str]) -> None:
    assert not bad(Shown("aws:kms/key:Key", other), control="DPDP-ENC-05")
    assert bad(Shown("aws:kms/key:Key", other | {"deletionWindowInDays": 7}), control="DPDP-ENC-05")
    assert unresolved(run(Shown("aws:kms/key:Key", dict.fromkeys(other, UNKNOWN))), "DPDP-ENC-05")


def test_a_signing_key_of_google_does_not_rotate() -> None:
    key = "gcp:kms/cryptoKey:CryptoKey"
    assert not bad(Shown(key, {"purpose": "ASYMMETRIC_SIGN"}), control="DPDP-ENC-05")
    assert bad(Shown(key, {"purpose": "ENCRYPT_DECRYPT"}), control="DPDP-ENC-05")
    assert unresolved(run(Shown(key, {"purpose": UNKNOWN})), "DPDP-ENC-05")


def test_how_often_a_google_key_rotates_is_a_setting() -> None:
    name = next(control.policy_name for control in CONTROLS if control.id == "DPDP-ENC-05")
    yearly = Shown("gcp:kms/cryptoKey:CryptoKey", {"rotationPeriod": "31536000s"})
    assert bad(yearly, control="DPDP-ENC-05")
    assert not bad(yearly, control="DPDP-ENC-05", config={name: {"gcpRotationDays": 365}})


# ENC-08

MASKS = json.dumps(
    {
        "Configuration": {"CustomDataIdentifier": [{"Name": "Any", "Regex": "[0-9A-Z -]{10,}"}]},
        "Statement": [{"DataIdentifier": ["Any"], "Operation": {"Deidentify": {"MaskConfig": {}}}}],
    }
)


def group(name: Any = "shop", data_class: Any = "personal", provider: Any = None) -> Shown:
    tags = {"dpdp:data-class": data_class} if data_class else {}
    return Shown("aws:cloudwatch/logGroup:LogGroup", {"name": name, "tags": tags}, "group", provider=provider)


def masking(of: Any, sources: dict[str, list[str]] | None = None) -> Shown:
    type_ = "aws:cloudwatch/logDataProtectionPolicy:LogDataProtectionPolicy"
    return Shown(type_, {"logGroupName": of, "policyDocument": MASKS}, "masking", sources=sources or {})


def test_logs_of_persons_are_masked() -> None:
    assert bad(group(), control="DPDP-ENC-08")
    assert bad(group(data_class=None), control="DPDP-ENC-08")
    assert bad(group(data_class=UNKNOWN), control="DPDP-ENC-08")
    assert not bad(group(data_class="internal"), control="DPDP-ENC-08")
    assert not bad(group(), masking("shop"), control="DPDP-ENC-08")
    assert not bad(group(), masking(UNKNOWN, {"logGroupName": [group().urn]}), control="DPDP-ENC-08")
    assert bad(group(), masking("another"), control="DPDP-ENC-08")
    assert bad(group(), masking(UNKNOWN), control="DPDP-ENC-08")
    assert bad(group(None), masking(None), control="DPDP-ENC-08")


def test_the_class_may_be_the_providers() -> None:
    internal = {"defaultTags": '{"tags": {"dpdp:data-class": "internal"}}'}
    assert not bad(group(data_class=None, provider=internal), control="DPDP-ENC-08")


@pytest.mark.parametrize(
    ("name", "passes"),
    [
        ("/aws/vpc/c/flow-logs", True),
        ("/aws/eks/c/cluster", True),
        ("/aws/vendedlogs/vpn/c", True),
        ("/aws/vendedlogs/states/c", False),
        ("/aws/lambda/f", False),
        ("/aws/eks/c/application", False),
        (UNKNOWN, False),
    ],
)
def test_logs_that_aws_writes_itself_hold_no_words_of_an_application(name: Any, passes: bool) -> None:
    assert (not bad(group(name), control="DPDP-ENC-08")) == passes


def test_a_policy_of_the_account_masks_every_group_it_selects() -> None:
    account = {"policyType": "DATA_PROTECTION_POLICY", "policyDocument": MASKS}
    type_ = "aws:cloudwatch/logAccountPolicy:LogAccountPolicy"
    assert not bad(group(), Shown(type_, account, "a"), control="DPDP-ENC-08")
    some = account | {"selectionCriteria": 'LogGroupName NOT IN ["shop"]'}
    assert bad(group(), Shown(type_, some, "a"), control="DPDP-ENC-08")
    other = {"policyType": "SUBSCRIPTION_FILTER_POLICY", "policyDocument": "{}"}
    assert bad(group(), Shown(type_, other, "a"), control="DPDP-ENC-08")


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


# Whatever the shape

ROWS = [
    row
    for rows in yaml.safe_load((FIXTURES / "encryption_and_access.yaml").read_text()).values()
    for row in rows
]
NAMES = ["name", "value", "protocol", "ports", "cidrBlocks", "Effect", "Action", "Resource", "Condition", "Principal",
         "Statement", "NotAction", "hostPath", "path", "env", "capabilities", "drop", "add", "containers", "spec",
         "redirect", "verbs", "resources", "apiGroups", "Regex", "Operation", "Deidentify"]  # fmt: skip
scalars = st.none() | st.booleans() | st.integers(-9, 9999) | st.text(max_size=6) | st.just(UNKNOWN)
junk = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=400)
@given(st.sampled_from(ROWS), junk, st.data())
def test_junk_at_any_level_of_a_path_breaks_nothing(row: dict[str, Any], value: Any, data: Any) -> None:
    path = row["path"][: data.draw(st.integers(1, len(row["path"])))]
    for found in run(Shown(row["type"], put(row.get("props", {}), path, value))):
        assert "could not be evaluated" not in found.message
        assert "can't run policy" not in found.message


@settings(max_examples=150)
@given(junk, junk, st.sampled_from(["policy", "policyDocument"]))
def test_junk_in_a_policy_breaks_nothing(statement: Any, more: Any, name: str) -> None:
    tree = {
        "Statement": [statement, {"Effect": "Allow", "Action": more, "Resource": more}],
        "Configuration": more,
    }
    types = {
        "policy": ("aws:iam/rolePolicy:RolePolicy", "aws:s3/bucketPolicy:BucketPolicy"),
        "policyDocument": ("aws:cloudwatch/logDataProtectionPolicy:LogDataProtectionPolicy",),
    }
    for type_ in types[name]:
        for given_ in (tree, json.dumps(tree)):
            for found in run(Shown(type_, {name: given_})):
                assert "could not be evaluated" not in found.message


# The tables


def _properties(package: str) -> dict[str, set[str]]:
    """The names of the inputs of every resource of an installed provider, by type."""
    spec = find_spec(package)
    assert spec and spec.origin
    found: dict[str, set[str]] = {}
    for file in Path(spec.origin).parent.glob("*/*.py"):
        text = file.read_text()
        for type_ in re.findall(r"^            '((?:aws|gcp):[\w/]+:\w+)',$", text, re.MULTILINE):
            names = re.findall(r'@pulumi\.getter(?:\(name="(\w+)"\))?\n    def (\w+)\(', text)
            found[type_] = {name or python for name, python in names}
    return found


def test_tables_name_types_and_properties_of_the_installed_providers() -> None:
    known = _properties("pulumi_aws") | _properties("pulumi_gcp")
    named: list[tuple[str, str]] = [
        *((type_, path) for type_, one in databases.DATABASES.items() for path in (one.flag, one.key)),
        *((type_, path) for type_, paths in ai_artefacts.ARTEFACTS.items() for path in paths),
        *((type_, path) for type_, pairs in ai_artefacts.NODES.items() for pair in pairs for path in pair),
        *((type_, want.path) for type_, wants in transport.ENDPOINTS.items() for want in wants),
        *((type_, want.path) for type_, wants in exposure.OPENINGS.items() for want in wants),
        *((type_, want.path) for type_, wants in identity.NODES.items() for want in wants),
        *((type_, name) for type_, (name, _) in transport.USERS.items()),
        *((type_, path) for type_, path in identity.IDENTITY_POLICIES.items()),
        *((type_, path) for type_, path in identity.ATTACHMENTS.items()),
        *((type_, block) for type_, (block, _, _) in exposure.RULES.items()),
        *((type_, "") for control in CONTROLS for type_ in control.types if type_.count(":") == 2),
    ]
    for type_, path in named:
        if re.fullmatch(r"(aws|gcp):[\w/]+:\w+", type_):
            assert type_ in known, type_
            if path:
                assert path.split(".")[0].removesuffix("?") in known[type_], (type_, path)
