"""The pack as a whole: names, settings, tables against the installed SDK, and the process that the engine starts."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import grpc
import pytest
import yaml
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2 as proto
from pulumi.runtime.proto import analyzer_pb2_grpc

from policies.controls.encryption.enc_01_04_storage import STORES
from policies.controls.residency.res_01_02_regions import BLOCKS_OF_KEYS, BLOCKS_OF_PLACES
from policies.controls.residency.res_13_inference import BLOCKS_OF_MODELS
from policies.pack import CONTROLS, NAME
from policies.pack import run as fresh
from policies.readers.data_stores import AWS_STORES
from policies.readers.exceptions import GLOBAL_TYPES
from tests.policies import provider_blocks
from tests.policies.harness import Shown, failures, of, run

PROJECT = Path(__file__).parents[2]
PACK = PROJECT / "policies"

# Ids and names are API: exemptions, configuration and evidence of other people refer to them.
POLICY_NAMES = [
    "dpdp-res-01-resource-location-in-india",
    "dpdp-res-02-provider-pinned-to-india",
    "dpdp-res-02-provider-pinned-to-india-stack",
    "dpdp-res-08-keys-stay-in-india",
    "dpdp-enc-01-storage-under-a-customer-key",
    "dpdp-enc-01-storage-under-a-customer-key-stack",
    "dpdp-enc-04-kubernetes-secrets-enveloped",
    "dpdp-acc-01-no-public-object-storage",
    "dpdp-acc-01-no-public-object-storage-stack",
    "dpdp-log-03-logs-kept-for-a-year",
    "dpdp-log-09-logs-have-a-last-day",
    "dpdp-log-01-audit-trail-on-and-validated",
    "dpdp-log-01-audit-trail-on-and-validated-stack",
    "dpdp-log-02-access-to-personal-data-logged",
    "dpdp-log-02-access-to-personal-data-logged-stack",
    "dpdp-log-04-logs-can-not-be-altered",
    "dpdp-log-04-logs-can-not-be-altered-stack",
    "dpdp-log-07-inference-logs-stay-in-the-stack",
    "dpdp-log-07-inference-logs-stay-in-the-stack-stack",
    "dpdp-log-05-network-traffic-logged",
    "dpdp-log-05-network-traffic-logged-stack",
    "dpdp-log-06-cluster-control-plane-logs-on",
    "dpdp-log-08-clocks-agree-with-nic-or-npl",
    "dpdp-ret-01-personal-buckets-have-a-last-day",
    "dpdp-ret-01-personal-buckets-have-a-last-day-stack",
    "dpdp-ret-02-personal-data-kept-for-a-year",
    "dpdp-ret-02-personal-data-kept-for-a-year-stack",
    "dpdp-ret-03-old-versions-and-parts-expire",
    "dpdp-bck-01-personal-stores-are-backed-up",
    "dpdp-bck-02-second-copy-of-backups-in-india",
    "dpdp-bre-01-detection-is-on",
    "dpdp-bre-01-detection-is-on-stack",
    "dpdp-bre-02-alerts-reach-a-person",
    "dpdp-sdf-01-specified-data-and-its-traffic-stay",
    "dpdp-gov-02-personal-stores-name-owner-purpose-and-retention",
    "dpdp-gov-05-every-provider-is-judged-or-known",
    "cost-01-stack-within-its-budget",
    "dpdp-enc-02-databases-and-caches-encrypted",
    "dpdp-enc-03-tls-only",
    "dpdp-enc-03-tls-only-stack",
    "dpdp-enc-05-keys-rotate-and-are-protected",
    "dpdp-enc-06-ai-artefacts-under-a-customer-key",
    "dpdp-enc-07-node-disks-encrypted",
    "dpdp-enc-08-logs-mask-personal-identifiers",
    "dpdp-enc-08-logs-mask-personal-identifiers-stack",
    "dpdp-acc-02-no-public-databases-or-notebooks",
    "dpdp-acc-03-cluster-api-closed-to-the-world",
    "dpdp-acc-04-no-static-keys",
    "dpdp-acc-05-least-privilege-to-data",
    "dpdp-acc-06-node-metadata-asks-for-a-session",
    "dpdp-acc-07-pods-are-confined",
    "dpdp-res-06-backup-copies-stay-in-india",
    "dpdp-res-09-secrets-stay-in-india",
    "dpdp-res-10-images-stay-in-india",
    "dpdp-res-17-no-edge-caching-of-personal-data",
    "dpdp-res-22-global-services-from-the-list",
    "dpdp-res-14-no-grants-abroad",
    "dpdp-res-15-region-guardrail-of-the-organisation",
    "dpdp-res-15-region-guardrail-of-the-organisation-stack",
    "dpdp-res-13-model-inference-stays-in-india",
    "dpdp-res-13-model-inference-stays-in-india-stack",
    "dpdp-k8s-03-region-variables-in-india",
    "dpdp-k8s-06-telemetry-off",
    "dpdp-k8s-07-images-from-indian-registries",
    "dpdp-k8s-05-default-deny-egress-for-personal-data",
    "dpdp-k8s-04-backups-and-artefacts-in-india",
    "dpdp-k8s-04-backups-and-artefacts-in-india-stack",
    "dpdp-res-11-logs-are-stored-in-india",
    "dpdp-res-11-logs-are-stored-in-india-stack",
    "dpdp-res-18-data-movers-point-to-india",
    "dpdp-res-18-data-movers-point-to-india-stack",
    "dpdp-res-19-exports-stay-in-india",
    "dpdp-res-21-templates-stay-in-india",
    "dpdp-res-03-no-multi-region-outside-india",
    "dpdp-res-03-no-multi-region-outside-india-stack",
    "dpdp-res-07-copies-never-default-abroad",
    "dpdp-res-16-no-network-path-abroad",
    "dpdp-res-04-object-replication-stays-in-india",
    "dpdp-res-04-object-replication-stays-in-india-stack",
    "dpdp-res-05-database-replicas-stay-in-india",
    "dpdp-res-05-database-replicas-stay-in-india-stack",
    "dpdp-k8s-01-no-foreign-saas-endpoints",
    "dpdp-k8s-02-no-implicit-saas",
    "dpdp-res-20-nothing-shared-with-strangers",
    "dpdp-res-20-nothing-shared-with-strangers-stack",
    "dpdp-res-23-no-silent-default-abroad",
    "dpdp-res-24-unclear-defaults-are-looked-at",
    "dpdp-res-12-streams-and-events-stay-in-india",
    "dpdp-res-12-streams-and-events-stay-in-india-stack",
    "dpdp-gov-01-data-stores-carry-a-data-class",
    "dpdp-gov-04-no-value-stays-unresolved",
    "dpdp-unresolved-values",
    "dpdp-gov-03-exemptions-are-valid",
    "dpdp-exempt-findings",
]


def test_names_are_stable() -> None:
    names = [policy.name for policy in fresh().policies]
    assert sorted(names) == sorted(POLICY_NAMES)
    # These speak of what the others found.
    assert names[-3:] == POLICY_NAMES[-3:]


def test_every_control_is_described() -> None:
    for control in CONTROLS:
        assert control.remedy
        assert bool(control.types) == bool(control.check)


@pytest.mark.parametrize(
    ("shown", "policy", "settings", "passes"),
    [
        (Shown("aws:ebs/volume:Volume", {"encrypted": True}), "DPDP-ENC-01", {"customerKey": False}, True),
        (Shown("aws:ebs/volume:Volume", {"encrypted": False}), "DPDP-ENC-01", {"customerKey": False}, False),
        (
            Shown("aws:cloudwatch/logGroup:LogGroup", {"retentionInDays": 180}),
            "DPDP-LOG-03",
            {"minimumDays": 180},
            True,
        ),
        (
            Shown("aws:cloudwatch/logGroup:LogGroup", {"retentionInDays": 90}),
            "DPDP-LOG-03",
            {"minimumDays": 30},
            False,
        ),
        (
            Shown("aws:sqs/queue:Queue", {"tags": {"dpdp:data-class": "health"}}),
            "DPDP-GOV-01",
            {"classes": ["health"]},
            True,
        ),
        (Shown("aws:sqs/queue:Queue", {}), "DPDP-GOV-01", {"enforcementLevel": "DISABLED"}, True),
    ],
)
def test_settings(shown: Shown, policy: str, settings: dict, passes: bool) -> None:
    control = next(one for one in CONTROLS if one.id == policy)
    assert (not failures(run(shown, config={control.policy_name: settings}), policy)) == passes


def test_the_data_class_may_come_from_the_providers_default_tags() -> None:
    """The engine shows a provider's nested inputs as JSON text."""
    default = {"region": "ap-south-1", "defaultTags": '{"tags": {"dpdp:data-class": "personal"}}'}
    assert not of(run(Shown("aws:sqs/queue:Queue", {}, provider=default)), "DPDP-GOV-01")
    assert of(run(Shown("aws:sqs/queue:Queue", {}, provider={"defaultTags": "{"})), "DPDP-GOV-01")


def test_us_east_1_only_for_what_can_live_nowhere_else() -> None:
    assert not run(Shown("aws:acm/certificate:Certificate", {"region": "us-east-1"}))
    assert failures(run(Shown("aws:acm/certificate:Certificate", {"region": "eu-west-1"})), "DPDP-RES-01")
    assert not run(Shown("gcp:gkehub/membership:Membership", {"location": "global"}))


def test_tables_name_types_that_the_installed_provider_has() -> None:
    spec = find_spec("pulumi_aws")
    assert spec and spec.origin
    known = set(re.findall(r'"(aws:[\w/]+:\w+)": "', Path(spec.origin).read_text()))
    named = {*AWS_STORES, *STORES, *(type_ for control in CONTROLS for type_ in control.types)}
    ours = {type_ for type_ in named if re.fullmatch(r"aws:[\w/]+:\w+", type_)}
    assert len(ours) > 30
    assert ours <= known


@pytest.mark.slow
def test_blocks_are_those_of_the_installed_provider() -> None:
    """A new version may nest a region or a key elsewhere; `python tests/policies/provider_blocks.py` takes it in."""
    assert set(provider_blocks.blocks_of_places()) == BLOCKS_OF_PLACES
    assert set(provider_blocks.blocks_of_keys()) == BLOCKS_OF_KEYS
    assert set(provider_blocks.blocks_of_models()) == BLOCKS_OF_MODELS
    assert set(provider_blocks.global_types()) == GLOBAL_TYPES


def test_one_version_of_each_package() -> None:
    pins, own = (
        set(re.findall(r"^[\w-]+==\S+", (folder / "requirements.txt").read_text(), re.MULTILINE))
        for folder in (PROJECT, PACK)
    )
    assert own <= pins
    assert {pin.partition("==")[0] for pin in own} >= {"pulumi-policy", "pydantic", "typer", "jinja2"}
    assert yaml.safe_load((PACK / "PulumiPolicy.yaml").read_text())["runtime"]["name"] == "python"


@pytest.mark.slow
def test_it_loads_little() -> None:
    """The engine starts the pack in every preview: it must bring neither the clouds' SDKs, which take seconds, nor the
    catalogue, which only a stack with a budget needs."""
    code = "import sys, policies.pack; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, check=True, text=True
    )
    heavy = {
        "pulumi_aws",
        "pulumi_gcp",
        "pulumi_kubernetes",
        "boto3",
        "infra.aws",
        "infra.gcp",
        "infra.catalog",
    }
    assert "policies.pack" in loaded.stdout.split()
    assert heavy & set(loaded.stdout.split()) == set()


@pytest.mark.slow
def test_it_runs_as_the_engine_runs_it(tmp_path: Path) -> None:
    """`python -m pulumi.policy ENGINE PACK`, from another folder, prints a port and serves the pack there."""
    command = [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(PACK)]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as pack:
        try:
            assert pack.stdout
            port = int(pack.stdout.readline())
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                stub = analyzer_pb2_grpc.AnalyzerStub(channel)
                info = stub.GetAnalyzerInfo(empty_pb2.Empty(), timeout=10)
                request = proto.AnalyzeRequest(
                    type="aws:sqs/queue:Queue", urn="urn:pulumi:s::p::aws:sqs/queue:Queue::q"
                )
                request.properties.update({"region": "us-east-1"})
                answer = stub.Analyze(request, timeout=10)
        finally:
            pack.terminate()
    assert info.name == NAME
    assert sorted(policy.name for policy in info.policies) == sorted(POLICY_NAMES)
    assert any(one.message.splitlines()[1].startswith("[DPDP-RES-01]") for one in answer.diagnostics)
