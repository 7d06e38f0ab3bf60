"""What pods are told and where namespaces may call, what settles an unknown, and settings: K8S-01 to K8S-05."""

from __future__ import annotations

from typing import Any

import pytest

from policies.pack import CONTROLS
from policies.readers.pod_environment import BLOCKS
from policies.readers.tables import table
from tests.policies.harness import UNKNOWN, Shown, failures, run, unresolved

NAMESPACE, DENY, CONFIG_MAP = (
    "kubernetes:core/v1:Namespace", "kubernetes:networking.k8s.io/v1:NetworkPolicy", "kubernetes:core/v1:ConfigMap",
)  # fmt: skip
POD = "kubernetes:core/v1:Pod"


def pod(container: dict[str, Any], name: str = "pod", sources: dict[str, list[str]] | None = None) -> Shown:
    return Shown(POD, {"spec": {"containers": [container]}}, name, sources=sources or {})


def setting(control: str, **settings: Any) -> dict[str, Any]:
    (found,) = [one for one in CONTROLS if one.id == control]
    names = [found.policy_name, f"{found.policy_name}-stack"]
    return dict.fromkeys(names if found.check and found.stack_check else names[:1], settings)


# Hosts and variables


def test_the_table_of_telemetry_is_dated_and_sourced() -> None:
    for row in table("telemetry.csv"):
        assert row["as_of"].startswith("20")
        assert row["source"]
        assert None not in row.values()


def test_accepted_hosts_and_services() -> None:
    said = pod(
        {"env": [{"name": "A", "value": "https://acme.sentry.io"}, {"name": "DD_API_KEY", "value": "k"}]}
    )
    accepted = setting("DPDP-K8S-01", allowedHosts=["acme.sentry.io"]) | setting(
        "DPDP-K8S-02", allowedServices=["Datadog"]
    )
    for control in ("DPDP-K8S-01", "DPDP-K8S-02"):
        assert failures(run(said), control)
        assert not failures(run(said, config=accepted), control)


def test_a_service_that_is_offline_needs_no_address() -> None:
    key = {"name": "WANDB_API_KEY", "value": "k"}
    assert failures(run(pod({"env": [key, {"name": "WANDB_MODE", "value": "online"}]})), "DPDP-K8S-02")
    assert not failures(run(pod({"env": [key, {"name": "WANDB_MODE", "value": "offline"}]})), "DPDP-K8S-02")


def test_variables_that_charts_take_as_a_mapping() -> None:
    release = Shown(
        "kubernetes:helm.sh/v3:Release",
        {"values": {"app": {"env": {"DD_API_KEY": "k", "AWS_REGION": "us-east-1"}}}},
    )
    assert failures(run(release), "DPDP-K8S-02")
    assert failures(run(release), "DPDP-K8S-03")


@pytest.mark.parametrize(
    ("control", "variable", "key"),
    [("DPDP-K8S-01", "WANDB_BASE_URL", "url"), ("DPDP-K8S-03", "AWS_REGION", "region")],
)
def test_a_value_from_a_config_map_is_settled_by_that_of_the_stack(
    control: str, variable: str, key: str
) -> None:
    said = pod({"env": [{"name": variable, "valueFrom": {"configMapKeyRef": {"name": "c", "key": key}}}]})
    there = Shown(CONFIG_MAP, {"metadata": {"name": "c"}, "data": {key: "ap-south-1"}}, "c")
    lacking = Shown(CONFIG_MAP, {"metadata": {"name": "c"}, "data": {"other": "x"}}, "c")
    assert not unresolved(run(said, there), control)
    assert unresolved(run(said), control)
    assert unresolved(run(said, lacking), control)


def test_a_value_from_elsewhere_that_no_control_needs_is_no_matter() -> None:
    said = pod(
        {
            "image": "app",
            "env": [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "p"}}}],
        }
    )
    for control in ("DPDP-K8S-01", "DPDP-K8S-02", "DPDP-K8S-03", "DPDP-K8S-04", "DPDP-K8S-06"):
        assert not unresolved(run(said), control)


def test_a_key_beside_env_from_depends_on_what_that_has() -> None:
    said = pod(
        {"env": [{"name": "OPENAI_API_KEY", "value": "k"}], "envFrom": [{"configMapRef": {"name": "c"}}]}
    )
    there = Shown(CONFIG_MAP, {"metadata": {"name": "c"}, "data": {"OPENAI_BASE_URL": "http://vllm"}}, "c")
    assert unresolved(run(said), "DPDP-K8S-02")
    assert not unresolved(run(said, there), "DPDP-K8S-02")


def test_an_unknown_value_is_settled_by_the_stacks_own_and_a_block_by_nothing() -> None:
    own = Shown("aws:s3/bucket:Bucket", {"bucket": "b"}, "b")
    other = Shown("pulumi:pulumi:StackReference", {}, "other")
    for control in ("DPDP-K8S-01", "DPDP-K8S-04"):
        for source, settled in ((own, True), (other, False)):
            args = pod({"args": ["--to", UNKNOWN]}, sources={"spec": [source.urn]})
            assert bool(unresolved(run(args, source), control)) != settled
        for hidden in (
            {"spec": UNKNOWN},
            {"spec": {"containers": UNKNOWN}},
            {"spec": {"containers": [{"args": UNKNOWN}]}},
        ):
            assert unresolved(run(Shown(POD, hidden, sources={"spec": [own.urn]}), own), control)


def test_blocks_have_the_names_that_walks_read() -> None:
    assert {"env", "envFrom", "containers", "data", "values"} <= BLOCKS


def test_a_schema_may_speak_of_anything() -> None:
    crd = Shown(
        "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition",
        {"spec": {"description": "see https://huggingface.co, such as hf://a/b in us-east-1"}},
    )
    assert not [one for one in run(crd) if "K8S" in one.message]


def test_an_unknown_name_may_be_any_variable() -> None:
    said = pod({"env": [{"name": UNKNOWN, "value": "mars"}]})
    for control in ("DPDP-K8S-02", "DPDP-K8S-03"):
        assert unresolved(run(said), control)


# Buckets


def test_a_bucket_that_a_pod_names_is_the_stacks_or_declared() -> None:
    said = pod({"args": ["--uri", "s3://lake-models/llama", "gs://mine"]})
    own = Shown("aws:s3/bucket:Bucket", {"bucket": "lake-models"}, "b")
    found = failures(run(said, own), "DPDP-K8S-04")
    assert [("args[2]" in one, "'mine'" in one) for one in found] == [(True, True)]
    assert not failures(run(said, own, config=setting("DPDP-K8S-04", indianBuckets=["mine"])), "DPDP-K8S-04")
    velero = Shown(
        "kubernetes:velero.io/v1:BackupStorageLocation",
        {"spec": {"objectStorage": {"bucket": "backups"}}},
        "v",
    )
    assert failures(run(velero), "DPDP-K8S-04")


# Egress


def namespace(
    label: Any = "personal", name: str = "training", provider: dict[str, Any] | None = None
) -> Shown:
    labels = {} if label is None else {"dpdp-data-class": label}
    return Shown(NAMESPACE, {"metadata": {"name": name, "labels": labels}}, "namespace", provider=provider)


def deny(
    spec: dict[str, Any], namespace: Any = "training", sources: dict[str, list[str]] | None = None
) -> Shown:
    return Shown(
        DENY,
        {"metadata": {"namespace": namespace}, "spec": spec},
        f"deny-{namespace}-{len(spec)}",
        sources=sources or {},
    )


ALL = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_a_personal_namespace_denies_egress() -> None:
    assert not failures(run(namespace(), deny(ALL)), "DPDP-K8S-05")
    for lacking in (
        [],
        [deny(ALL, "serving")],
        [deny(ALL | {"policyTypes": ["Ingress"]})],
        [deny(ALL | {"podSelector": {"matchLabels": {"a": "b"}}})],
        [deny(ALL | {"podSelector": UNKNOWN})],
    ):
        assert failures(run(namespace(), *lacking), "DPDP-K8S-05")


def test_a_policy_of_another_cluster_does_not_count() -> None:
    elsewhere = Shown(
        DENY, {"metadata": {"namespace": "training"}, "spec": ALL}, "deny", provider={"context": "b"}
    )
    assert failures(run(namespace(), elsewhere), "DPDP-K8S-05")
    assert not failures(run(namespace(provider={"context": "b"}), elsewhere), "DPDP-K8S-05")


@pytest.mark.parametrize(
    ("label", "passes"),
    [("internal", True), ("public", True), (None, False), ("secret", False), (UNKNOWN, False), (5, False)],
)
def test_the_class_of_a_namespace(label: Any, passes: bool) -> None:
    assert (not failures(run(namespace(label)), "DPDP-K8S-05")) == passes


def test_unlabelled_namespaces_may_be_let_go() -> None:
    assert not failures(
        run(namespace(None), config=setting("DPDP-K8S-05", unlabelled="internal")), "DPDP-K8S-05"
    )


ANYWHERE = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]}
CHOSEN = {"podSelector": {"matchLabels": {"egress": "internet"}}, "policyTypes": ["Egress"]}


@pytest.mark.parametrize(
    ("spec", "passes"),
    [
        (ALL | {"egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/16"}}]}]}, True),
        (ALL | {"egress": [ANYWHERE | {"ports": [{"port": 443}]}]}, False),
        (ALL | {"egress": [{}]}, False),
        (ALL | {"egress": [{"to": [], "ports": [{"port": 53}]}]}, False),
        (CHOSEN | {"egress": [ANYWHERE | {"ports": [{"port": 443}]}]}, True),
        (CHOSEN | {"egress": [ANYWHERE]}, False),
        (ALL | {"egress": UNKNOWN}, False),
        (ALL | {"egress": [{"to": [{"ipBlock": {"cidr": UNKNOWN}}]}]}, False),
    ],
)
def test_what_a_policy_lets_out(spec: dict[str, Any], passes: bool) -> None:
    found = failures(run(namespace(), deny(ALL), deny(spec | {"x": 1})), "DPDP-K8S-05")
    assert (not found) == passes


def test_unknown_networks_of_the_stack_are_its_own() -> None:
    endpoint = Shown("aws:ec2/vpcEndpoint:VpcEndpoint", {}, "endpoint")
    spec = ALL | {"egress": [{"to": [{"ipBlock": {"cidr": UNKNOWN}}]}]}
    assert not failures(
        run(namespace(), endpoint, deny(spec, sources={"spec": [endpoint.urn]})), "DPDP-K8S-05"
    )


def test_cilium() -> None:
    cilium = "kubernetes:cilium.io/v2:CiliumNetworkPolicy"
    for rule, passes in (
        ({"toFQDNs": [{"matchName": "a.in"}]}, True),
        ({"toEntities": ["world"]}, False),
        ({"toCIDR": ["0.0.0.0/0"]}, False),
        ({"toFQDNs": [{"matchPattern": "*"}]}, False),
    ):
        policy = Shown(
            cilium,
            {"metadata": {"namespace": "training"}, "spec": {"endpointSelector": {}, "egress": [rule]}},
            "c",
        )
        assert (not failures(run(namespace(), policy), "DPDP-K8S-05")) == passes


# Odd input

ODD = (
    None,
    True,
    1.5,
    "x",
    UNKNOWN,
    [],
    {},
    [None],
    [[]],
    [{"name": []}],
    {"a": None},
    [{"name": "A", "valueFrom": 3}],
    {"env": 1},
)


@pytest.mark.slow
@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    "name",
    ["spec", "env", "envFrom", "containers", "args", "metadata", "data", "values", "egress", "podSelector"],
)
def test_odd_shapes_are_no_exception(name: str, odd: Any) -> None:
    for type_ in (
        POD,
        NAMESPACE,
        DENY,
        CONFIG_MAP,
        "kubernetes:core/v1:Secret",
        "kubernetes:velero.io/v1:BackupStorageLocation",
    ):
        for props in (
            {name: odd},
            {"spec": {name: odd}},
            {"spec": {"containers": [{name: odd, "image": "a"}]}},
            {"metadata": {"name": "training", name: odd}},
        ):
            for diagnostic in run(Shown(type_, props), namespace()):
                assert "could not be evaluated" not in diagnostic.message
                assert "can't run policy" not in diagnostic.message


@pytest.mark.parametrize("odd", ODD)
def test_odd_names_and_references_are_no_exception(odd: Any) -> None:
    reference = {"configMapKeyRef": {"name": odd, "key": odd}}
    said = pod(
        {
            "env": [{"name": "AWS_REGION", "valueFrom": reference}],
            "envFrom": [{"configMapRef": {"name": odd}}],
        }
    )
    holder = Shown(CONFIG_MAP, {"metadata": {"name": odd}, "data": odd}, "c")
    buckets = [
        Shown(f"{of}:Bucket", {"bucket": odd, "name": odd}) for of in ("aws:s3/bucket", "gcp:storage/bucket")
    ]
    for diagnostic in run(said, holder, *buckets, Shown("aws:kms/key:Key", {"policy": odd, "arn": odd})):
        assert "could not be evaluated" not in diagnostic.message
        assert "can't run policy" not in diagnostic.message
