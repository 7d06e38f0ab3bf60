"""What a team reads: the same findings in every preview, each thing once, and the fix that is theirs to make."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.framework import baseline
from policies.framework.record import Record
from policies.pack import CONTROLS
from policies.readers.data_stores import STORES
from policies.reports.evidence import STATUS, evidence
from policies.reports.positions import Positions
from tests.examples import examples
from tests.policies.harness import Shown, failures, of, run, run_and_record

STACK = "urn:pulumi:test::project::pulumi:pulumi:Stack::project-test"
PERSONAL = {"dpdp:data-class": "personal"}


def many_stores() -> list[Shown]:
    """A store of every type, tagged and not, and what stands beside them, on both clouds."""
    stores = [
        Shown(type_, {"tags": PERSONAL} if number % 2 and type_.startswith("aws:") else {}, f"store-{number}")
        for number, type_ in enumerate(STORES)
    ]
    beside = [
        Shown("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16"}, "net"),
        Shown("gcp:compute/network:Network", {}, "net"),
        Shown("aws:organizations/account:Account", {"name": "a"}, "second"),
        Shown("aws:organizations/account:Account", {"name": "b"}, "first"),
        Shown("gcp:organizations/folder:Folder", {"displayName": "f"}, "folder"),
        Shown("aws:sns/topic:Topic", {}, "unheard"),
        Shown("gcp:monitoring/alertPolicy:AlertPolicy", {}, "unheard"),
        Shown("aws:s3/bucketVersioning:BucketVersioning", {"bucket": "b"}, "versions"),
        Shown("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", {"bucket": "b"}, "block"),
        Shown("kubernetes:core/v1:Namespace", {"metadata": {"name": "n"}}, "space"),
        Shown("pulumi:providers:mongodbatlas", {}, "atlas"),
    ]
    return stores + beside


MANY = many_stores()


def identities(record: Record) -> Counter[tuple[str, str, str]]:
    return Counter((told.control, told.urn, told.where) for told in record.findings)


@pytest.fixture(scope="module")
def first() -> Record:
    return run_and_record(*MANY)[1]


@pytest.mark.slow
@settings(max_examples=examples(100), deadline=None)
@given(order=st.permutations(MANY))
def test_findings_are_the_same_in_any_order(first: Record, order: Sequence[Shown]) -> None:
    # Not only the identity: what is said must not change either, or a comment on a pull request would.
    again = run_and_record(*order)[1]
    assert identities(again) == identities(first)
    assert {told.message for told in again.findings} == {told.message for told in first.findings}


@pytest.fixture(scope="module")
def kept(first: Record, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    file = tmp_path_factory.mktemp("baseline") / "dpdp-baseline.json"
    baseline.write(file, {baseline.Known.of(told) for told in first.of("fail", "unresolved")})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INDIA_DPDP_BASELINE", str(file))
        yield file


@settings(max_examples=examples(50), deadline=None)
@given(order=st.permutations(MANY))
def test_a_baseline_holds_in_any_order(kept: Path, order: Sequence[Shown]) -> None:
    assert json.loads(kept.read_text())["findings"]
    diagnostics, record = run_and_record(*order)
    assert [told.message for told in record.findings if told.stops] == []
    assert not [one.message for one in diagnostics if one.enforcementLevel == 1]


@pytest.mark.slow
def test_findings_do_not_depend_on_how_python_orders_sets(first: Record) -> None:
    program = (
        "from tests.policies.test_quiet import MANY, run_and_record\n"
        "print('\\n'.join(sorted(told.message for told in run_and_record(*MANY)[1].findings)))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
    assert len(next(iter(said)).splitlines()) == len(first.findings)


def test_what_is_asked_of_the_account_is_said_once_of_the_stack() -> None:
    record = run_and_record(*MANY)[1]
    for control, count in {"DPDP-LOG-01": 1, "DPDP-BRE-01": 1, "DPDP-BRE-02": 2}.items():
        told = [one for one in record.findings if one.control == control]
        assert [one.urn for one in told] == [STACK] * count
        assert len({one.where for one in told}) == count
        assert all(
            one.fix.startswith("where the organisation has it in another stack, set `elsewhere`")
            for one in told
        )


def test_a_store_more_changes_nothing_of_what_is_said_of_the_stack() -> None:
    def of_the_stack(*shown: Shown) -> set[tuple[str, str, str]]:
        found = identities(run_and_record(*shown)[1])
        return {key for key in found if key[1] == STACK}

    some = [Shown("aws:sqs/queue:Queue", {}, "b"), Shown("gcp:pubsub/topic:Topic", {}, "b")]
    more = [Shown("aws:dynamodb/table:Table", {}, "a"), Shown("gcp:compute/disk:Disk", {}, "a")]
    assert of_the_stack(*some) == of_the_stack(*more, *some) != set()


def test_the_missing_tags_of_a_store_are_one_line() -> None:
    (line,) = failures(run(Shown("aws:sqs/queue:Queue", {"tags": PERSONAL})), "DPDP-GOV-02")
    assert "the store does not say its owner, purpose and retention-days; at tags = nothing" in line
    (line,) = failures(
        run(Shown("gcp:pubsub/topic:Topic", {"labels": {"dpdp-owner": "o", "dpdp-purpose": "p"}})),
        "DPDP-GOV-02",
    )
    assert "does not say its retention-days; at labels" in line
    assert "dpdp-retention-days" in line


def test_the_switches_of_an_access_block_are_one_line() -> None:
    block = Shown(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        {"bucket": "b", "blockPublicAcls": True, "blockPublicPolicy": False},
    )
    (line,) = failures(run(block), "DPDP-ACC-01")
    assert "true for blockPublicPolicy, ignorePublicAcls, restrictPublicBuckets" in line


UNTAGGED = [
    Shown("aws:s3/bucket:Bucket", {"bucket": "lake"}),
    Shown("aws:dynamodb/table:Table", {"name": "t"}),
    Shown("aws:rds/instance:Instance", {"engine": "postgres"}),
    Shown("aws:cloudwatch/logGroup:LogGroup", {"name": "l"}),
    Shown("gcp:storage/bucket:Bucket", {"location": "asia-south1"}),
    Shown("gcp:sql/databaseInstance:DatabaseInstance", {"settings": {"tier": "t"}}),
    Shown("gcp:bigtable/instance:Instance", {}),
]


@pytest.mark.parametrize("store", UNTAGGED, ids=lambda store: store.type)
def test_an_untagged_store_says_how_many_findings_a_tag_takes_away(store: Shown) -> None:
    def count(shown: Shown) -> int:
        findings = run_and_record(shown)[1].findings
        return sum(told.urn == shown.urn and told.control != "DPDP-GOV-01" for told in findings)

    tagged = {
        "aws": {"tags": {"dpdp:data-class": "internal"}},
        "gcp": {"labels": {"dpdp-data-class": "internal"}},
    }[store.type[:3]]
    if "sql" in store.type:
        tagged = {"settings": {"tier": "t", "userLabels": {"dpdp-data-class": "internal"}}}
    go = count(store) - count(Shown(store.type, {**store.props, **tagged}))
    assert go > 0
    (line,) = of(run(store), "DPDP-GOV-01")
    assert "untagged, so judged as personal: tag it as internal or public, if it is that, and" in line
    assert f"and {go} finding" in line


def test_of_several_untagged_stores_each_says_its_own_number() -> None:
    told = [one for one in run_and_record(*UNTAGGED)[1].findings if one.control == "DPDP-GOV-01"]
    alone = {store.urn: of(run(store), "DPDP-GOV-01")[0].split(";")[0] for store in UNTAGGED}
    assert {one.urn: f"[DPDP-GOV-01] {one.what}" for one in told} == alone


def test_a_tagged_store_is_not_told_to_tag_itself() -> None:
    for value in ("personal", "internal"):
        assert not of(run(Shown("aws:sqs/queue:Queue", {"tags": {"dpdp:data-class": value}})), "DPDP-GOV-01")


_WORDS = {
    "aws": ("gke", "googlegroup", "loggingconfig", "iamauditconfig", "publicaccessprevention"),
    "gcp": (
        "eks",
        "aws",
        "cloudtrail",
        "enabledclusterlogtypes",
        "metadataoptions",
        "bucketlogging",
        "data events",
    ),
}


def test_no_fix_speaks_of_the_other_cloud() -> None:
    beside = [
        Shown("gcp:container/cluster:Cluster", {"location": "asia-south1"}, "gke"),
        Shown("gcp:container/nodePool:NodePool", {"location": "asia-south1"}, "pool"),
        Shown(
            "gcp:compute/subnetwork:Subnetwork", {"network": "n"}, "sub", sources={"network": [MANY[-10].urn]}
        ),
        Shown("gcp:compute/instance:Instance", {"zone": "asia-south1-a"}, "vm"),
        Shown("gcp:storage/bucketIAMMember:BucketIAMMember", {"member": "allUsers"}, "public"),
        Shown("aws:eks/cluster:Cluster", {}, "eks"),
        Shown("aws:ec2/instance:Instance", {}, "vm"),
        Shown("aws:ec2/launchTemplate:LaunchTemplate", {}, "template"),
    ]
    for told in run_and_record(*MANY, *beside)[1].findings:
        cloud = told.urn.split("::")[2][:3]
        wrong = [word for word in _WORDS.get(cloud, ()) if word in told.fix.lower()]
        assert not wrong, f"{told.control} on {told.urn}: {told.fix}"


def statuses(*shown: Shown) -> dict[str, str]:
    record = run_and_record(*shown)[1]
    return {control["id"]: control["status"] for control in evidence(record, Positions({}))["controls"]}


def test_evidence_of_a_stack_without_any_of_it_passes_nothing() -> None:
    # Controls of everything look at whatever is there; those of stores, clusters, accounts and budgets have nothing.
    found = statuses(Shown("random:index/randomId:RandomId", {"byteLength": 8}))
    passed = {control for control, status in found.items() if status == "pass"}
    assert passed <= {control.id for control in CONTROLS if control.types == ("",)}
    assert (
        found["DPDP-BCK-01"] == found["DPDP-LOG-01"] == found["COST-01"] == found["DPDP-GOV-05"] == "nothing"
    )
    assert STATUS["nothing"] == "nothing of this kind in the stack"


@pytest.mark.parametrize(
    ("shown", "has", "has_not"),
    [
        (
            Shown("aws:ec2/vpc:Vpc", {}),
            (),
            ("DPDP-BRE-01", "DPDP-BCK-01", "DPDP-K8S-05", "DPDP-ENC-08"),
        ),
        (
            Shown("aws:sqs/queue:Queue", {"tags": {"dpdp:data-class": "internal"}}),
            ("DPDP-BRE-01", "DPDP-GOV-01"),
            ("DPDP-BCK-01", "DPDP-K8S-05"),
        ),
        (
            Shown(
                "kubernetes:core/v1:Namespace",
                {"metadata": {"name": "n", "labels": {"dpdp-data-class": "internal"}}},
            ),
            ("DPDP-K8S-05", "DPDP-K8S-04"),
            ("DPDP-BRE-02", "DPDP-GOV-01"),
        ),
        (
            Shown("pulumi:providers:aws", {"region": "ap-south-1"}, "p"),
            ("DPDP-GOV-05", "DPDP-RES-02"),
            ("DPDP-LOG-01",),
        ),
    ],
)
def test_evidence_says_what_a_control_looked_at(
    shown: Shown, has: tuple[str, ...], has_not: tuple[str, ...]
) -> None:
    found = statuses(shown)
    assert {control: found[control] for control in has} == dict.fromkeys(has, "pass")
    assert {control: found[control] for control in has_not} == dict.fromkeys(has_not, "nothing")


def test_the_log_of_a_public_zone_is_not_asked_for_in_india() -> None:
    log = Shown(
        "aws:route53/queryLog:QueryLog", {"cloudwatchLogGroupArn": "arn:aws:logs:us-east-1:0:log-group:g"}
    )
    (line,) = failures(run(log), "DPDP-RES-11")
    assert "expected: no log of a public zone, which can be in us-east-1 only" in line
    assert "ResolverQueryLogConfig" in line


def test_a_secrets_value_is_in_no_message() -> None:
    host, packed = (
        "eu-west-1.secret-host.example.com",
        base64.b64encode(b"https://api.openai.com/v1").decode(),
    )
    for block, value in (
        ("stringData", f"https://{host}"),
        ("data", packed),
        ("stringData", "s3://a-secret-host"),
    ):
        secret = Shown(
            "kubernetes:core/v1:Secret", {"metadata": {"name": "s", "namespace": "n"}, block: {"URL": value}}
        )
        for told in run_and_record(secret)[1].findings:
            assert "secret-host" not in told.message
            assert "openai.com" not in told.message


METADATA = {"settings": {"metadata": {"bucket": "lake-of-others"}, "kind": {"bucketName": "kind-of-others"}}}


def test_metadata_of_anything_but_an_object_is_read() -> None:
    chart = Shown(
        "kubernetes:helm.sh/v3:Release", {"chart": "c", "values": METADATA, "metadata": {"bucket": "own"}}
    )
    lines = failures(run(chart), "DPDP-K8S-04")
    assert sorted(line.split(" = ")[1].split(";")[0] for line in lines) == [
        "'kind-of-others'",
        "'lake-of-others'",
    ]
    pods = {
        "spec": {"template": {"metadata": {"annotations": {"bucket": "a-note"}}, "spec": {"containers": []}}}
    }
    assert not failures(run(Shown("kubernetes:apps/v1:Deployment", pods)), "DPDP-K8S-04")


def test_an_e_mail_channel_behind_an_unread_topic_is_heard() -> None:
    def channel(name: str, kind: str) -> Shown:
        return Shown(
            "gcp:monitoring/notificationChannel:NotificationChannel", {"type": kind, "name": name}, name
        )

    store = Shown("gcp:pubsub/topic:Topic", {})
    alert = Shown("gcp:monitoring/alertPolicy:AlertPolicy", {"notificationChannels": ["a", "b"]})
    unread, mail, broken = (
        channel("a", "pubsub"),
        channel("b", "email"),
        Shown(channel("b", "").type, {"name": "b"}, "b"),
    )
    assert not failures(run(store, alert, unread, mail), "DPDP-BRE-02")
    assert not failures(run(store, alert, Shown(mail.type, {"name": "a"}, "a"), mail), "DPDP-BRE-02")
    assert failures(run(store, alert, unread, broken), "DPDP-BRE-02")
