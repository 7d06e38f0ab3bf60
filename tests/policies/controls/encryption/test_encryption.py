"""Where one property decides about another, and what only the stack shows: ENC-02 to ENC-08."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policies.pack import CONTROLS
from tests.policies.harness import UNKNOWN, Shown, failures, run, unresolved

LAKE = Shown("aws:s3/bucket:Bucket", {"bucket": "lake", "tags": {"dpdp:data-class": "personal"}}, "lake")
NO_HTTP = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": ["arn:aws:s3:::lake", "arn:aws:s3:::lake/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
STATED = json.dumps({"Statement": [NO_HTTP]})


def bad(*resources: Shown, control: str, config: Any = None) -> list[str]:
    return failures(run(*resources, config=config), control)


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
