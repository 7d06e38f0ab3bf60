"""Stores by bare name: buckets, datasets, tables and topics that something is written to, in any type.

stores.yaml has the rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pulumi_policy import PolicyCustomTimeouts, PolicyResource, PolicyResourceOptions

from policies.framework.control import Finding
from policies.framework.resources import Stack
from policies.pack import CONTROLS
from policies.readers.values.copies import only_read
from policies.readers.values.places import places_in
from policies.readers.values.stores import Store, holds, is_public, place_of, store_in
from tests.policies import provider_blocks
from tests.policies.harness import SAFE, UNKNOWN, Shown, put, run, unresolved

MUMBAI = {"region": "ap-south-1"}

BUCKET = Shown("aws:s3/bucket:Bucket", {"bucket": "lake-in"}, "own")
GCS = Shown("gcp:storage/bucket:Bucket", {"name": "gcs-in", "location": "asia-south1"}, "own-gcs")
DATASET = Shown(
    "gcp:bigquery/dataset:Dataset",
    {"datasetId": "mart", "project": "shop", "location": "asia-south1"},
    "own-set",
)
TOPIC = Shown(
    "gcp:pubsub/topic:Topic",
    {
        "name": "orders",
        "project": "shop",
        "messageStoragePolicy": {"allowedPersistenceRegions": ["asia-south1"]},
    },
    "own-topic",
)
NATIVE = Shown("aws-native:s3:Bucket", {"bucketName": "native-in"}, "native")
REPORTING = {f"DPDP-RES-{number}" for number in ("03", "04", "05", "11", "12", "18", "19")}
OVER_THE_STACK = [control for control in CONTROLS if control.stack_check and control.id in REPORTING]
OWN = (BUCKET, GCS, DATASET, TOPIC, NATIVE)


ROWS = yaml.load((Path(__file__).parent / "stores.yaml").read_text(), SAFE)


def told(*shown: Shown, config: Any = None) -> list[str]:
    """Messages about stores and places; those of tags, keys and backups are other tests'."""
    lines = [line for one in run(*shown, config=config) for line in one.message.splitlines()]
    about = (
        "unknown residency",
        "abroad by its name",
        "carries no region",
        "leads out of India",
        "host is in",
    )
    return [line for line in lines if any(words in line for words in about)]


def subject(type_: str, props: dict[str, Any]) -> Shown:
    return Shown(type_, props, provider=MUMBAI if type_.startswith("aws") else {"project": "shop"})


def rows(kind: str) -> Any:
    return pytest.mark.parametrize(
        "row", ROWS[kind], ids=[f"{at} {row['type']}" for at, row in enumerate(ROWS[kind])]
    )


@rows("written")
def test_what_is_written_to_a_store_that_nobody_knows_is_found(row: dict[str, Any]) -> None:
    found = told(*OWN, subject(row["type"], row["props"]))
    assert any(row["value"] in line and row["says"] in line for line in found), found


@rows("quiet")
def test_what_is_known_or_only_read_is_let_through(row: dict[str, Any]) -> None:
    assert told(*OWN, subject(row["type"], row["props"])) == []


# What the stack and the configuration know

LOGS = "aws:lb/loadBalancer:LoadBalancer"


def logs_to(bucket: Any, *sources: str) -> Shown:
    return Shown(
        LOGS, {"accessLogs": {"bucket": bucket}}, provider=MUMBAI, sources={"accessLogs": list(sources)}
    )


@pytest.mark.parametrize(
    ("control", "setting", "row"),
    [
        ("DPDP-RES-18", "buckets", subject(LOGS, {"accessLogs": {"bucket": "central"}})),
        ("DPDP-RES-18", "buckets", subject("aws:never/seen:Before", {"to": "s3://central/x"})),
        ("DPDP-RES-04", "buckets", subject("gcp:storage/bucketObject:BucketObject", {"bucket": "central"})),
        ("DPDP-RES-11", "buckets", subject("aws:cloudwatch/logDelivery:LogDelivery", {"s3Bucket": "central"})),
        ("DPDP-RES-12", "buckets", subject("aws:msk/cluster:Cluster", {"other": {"s3": {"bucket": "central"}}})),
        ("DPDP-K8S-04", "indianBuckets", subject("kubernetes:a.b/v1:C", {"spec": {"bucketName": "central"}})),
    ],
)  # fmt: skip
def test_each_is_reported_once_by_its_family_unless_it_is_listed(
    control: str, setting: str, row: Shown
) -> None:
    (message,) = told(row)
    assert message.startswith(f"[{control}]")
    name = f"{next(one.policy_name for one in CONTROLS if one.id == control)}-stack"
    assert told(row, config={name: {setting: ["central"]}}) == []
    assert told(row, config={name: {setting: ["centra"]}})


def test_an_unknown_name_must_come_from_a_store_of_the_stack() -> None:
    role = Shown("aws:iam/role:Role", {}, "role")
    suffix = Shown("random:index/randomId:RandomId", {}, "suffix")
    named = Shown("aws:s3/bucket:Bucket", {"bucket": UNKNOWN}, "named", sources={"bucket": [suffix.urn]})
    assert told(BUCKET, role, logs_to(UNKNOWN, BUCKET.urn, role.urn)) == []
    assert told(BUCKET, role, logs_to(UNKNOWN, role.urn))
    assert told(BUCKET, suffix, logs_to(UNKNOWN, suffix.urn))
    assert told(named, suffix, logs_to(UNKNOWN, suffix.urn)) == []


@pytest.mark.parametrize("sources", [[], ["urn:pulumi:test::project::pulumi:pulumi:StackReference::other"]])
def test_an_unknown_name_from_elsewhere_stops_the_preview(sources: list[str]) -> None:
    other = Shown("pulumi:pulumi:StackReference", {}, "other")
    assert unresolved(run(BUCKET, other, logs_to(UNKNOWN, *sources)), "DPDP-GOV-04")


def test_a_dataset_of_another_project_is_another_and_ones_own_topic_is_ones_own() -> None:
    def export(dataset: str) -> list[str]:
        type_ = "gcp:securitycenter/projectSccBigQueryExport:ProjectSccBigQueryExport"
        return told(DATASET, TOPIC, subject(type_, {"dataset": dataset}))

    assert export("projects/shop/datasets/mart") == []
    assert export("projects/other/datasets/mart")
    job = "gcp:cloudscheduler/job:Job"
    for project, found in (("shop", 0), ("other", 1)):
        target = {"pubsubTarget": {"topicName": f"projects/{project}/topics/elsewhere"}}
        assert len(told(subject(job, {"region": "asia-south1", **target}))) == found


def test_a_container_with_a_store_of_its_own_says_nothing_of_the_next() -> None:
    own = {
        "name": "a",
        "env": [{"name": "S3_ENDPOINT", "value": "http://minio:9000"}, {"name": "BUCKET", "value": "models"}],
    }
    out = {"name": "b", "env": [{"name": "BUCKET", "value": "dumps"}]}
    pods = Shown("kubernetes:core/v1:Pod", {"spec": {"containers": [own, out]}})
    (message,) = told(pods)
    assert "'dumps'" in message
    abroad = {**own, "env": [{"name": "S3_ENDPOINT", "value": "https://s3.example.com"}, own["env"][1]]}
    assert told(Shown("kubernetes:core/v1:Pod", {"spec": {"containers": [abroad]}}))


# Names and texts, drawn

NAME = st.from_regex(r"[a-z][a-z0-9]{3,12}(-[a-z0-9]{2,6})?", fullmatch=True).filter(
    lambda name: not list(places_in(name)) and not is_public(Store("bucket", name))
)
WAYS = st.sampled_from(
    [
        ("s3://{}/k", "bucket"),
        ("s3a://{}", "bucket"),
        ("gs://{}/a/b", "bucket"),
        ("arn:aws:s3:::{}/*", "bucket"),
        ("https://{}.s3.amazonaws.com/x", "bucket"),
        ("https://s3.amazonaws.com/{}/x", "bucket"),
        ("https://storage.googleapis.com/{}/x", "bucket"),
        ("bigquery.googleapis.com/projects/pr/datasets/{}", "dataset"),
        ("projects/pr/topics/{}", "topic"),
        ("bq://pr.{}", "dataset"),
    ]
)


@given(NAME, WAYS)
def test_an_address_is_read_whatever_the_name(name: str, way: tuple[str, str]) -> None:
    text, kind = way
    for alone in (True, False):
        found = store_in(text.format(name), "aws:never/seen:Before", ("any", "thing"), alone)
        assert found is not None
        assert (found.kind, found.name, found.use) == (kind, name, "written")


@given(
    NAME,
    st.sampled_from(["", "EXPORT_", "my-", "s3."]),
    st.sampled_from(["BUCKET", "bucketName", "Bucket", "bucket_name"]),
)
def test_a_bare_name_counts_below_a_name_that_says_so(name: str, before: str, key: str) -> None:
    assert store_in(name, "aws:never/seen:Before", (before + key,), True) == Store("bucket", name)
    assert store_in(name, "aws:never/seen:Before", ("colour",), True) is None
    assert store_in(name, "aws:never/seen:Before", (before + key,), False) is None


@given(st.lists(st.sampled_from(["alpha", "beta", "config", "s3", "spec"]), max_size=6), NAME)
def test_the_nearest_word_decides_what_is_done(between: list[str], name: str) -> None:
    for outer, inner, use in (("source", "sink", "written"), ("export", "input", "read")):
        keys = (outer, *between, inner, *between, "bucket")
        found = store_in(name, "aws:never/seen:Before", keys, True)
        assert found is not None and found.use == use


@given(st.text(max_size=200), st.tuples(st.text(max_size=12), st.text(max_size=12)))
def test_no_text_breaks_the_reader(text: str, keys: tuple[str, str]) -> None:
    for key in (keys, (keys[0], "bucket"), (keys[0], "dataset")):
        found = store_in(text, "gcp:x/y:Z", key, True)
        assert found is None or place_of(found, text) is None or found.name
    assert all(address in text for address in only_read(text))


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("aws s3 cp s3://a/x .", ["s3://a/x"]),
        ("sudo /usr/bin/aws s3 sync --region ap-south-1 s3://a/x /data --quiet", ["s3://a/x"]),
        ("aws s3 cp s3://a/x s3://b/y", ["s3://a/x"]),
        ("aws s3 cp /data s3://b/y", []),
        ("aws s3 cp /data s3://b/y 2>&1", []),
        ("tar c . | aws s3 cp - s3://b/y", []),
        ("aws s3 ls s3://a/x", ["s3://a/x"]),
        ("aws s3 cp s3://a/x . && aws s3 cp y s3://a/x", []),
        ("gsutil -m rsync -r gs://a/x /data", ["gs://a/x"]),
        ("gcloud storage cp /data gs://b", []),
        ("curl -fsSLo x https://a.s3.amazonaws.com/x", ["https://a.s3.amazonaws.com/x"]),
        ("curl -T dump https://a.s3.amazonaws.com/x", []),
        ("curl -XPUT --data-binary @d https://a.s3.amazonaws.com/x", []),
        ("wget --post-file=d https://a.s3.amazonaws.com/x", []),
        ("pulumi login s3://state", ["s3://state"]),
    ],
)
def test_what_a_command_only_reads(line: str, read: list[str]) -> None:
    assert only_read(f"#!/bin/sh\n{line}\n") == frozenset(read)


@pytest.mark.parametrize(
    "run_of", ["curl ", "s3://", "projects/", "a.", "aws s3 cp s3://a s3://b ", "arn:aws:s3:::", "://x.py"]
)
def test_long_runs_take_the_time_that_their_length_takes(run_of: str) -> None:
    """One that is quadratic takes minutes for a megabyte, and the suite with it."""
    text = run_of * (1_000_000 // len(run_of))
    store_in(text, "aws:never/seen:Before", ("bucket",), True)
    assert only_read(text) <= {"s3://a", "s3://b"} or "://" in run_of


# Every property of the SDKs

OPTIONS = PolicyResourceOptions(False, [], None, [], PolicyCustomTimeouts(0, 0, 0), [])

_HOLDS_A_STORE = re.compile(
    r"bucket|(s3|gcs)[a-z0-9]*(ur[il]|path|location|directory|destination)|data_?set"
    r"|(output|destination)_?ur[il]",
    re.IGNORECASE,
)
_HOLDS_A_TABLE = re.compile(r"(^t|T)able(s|Ids?|Names?|Uri|Arn|Reference)?$")
_ROUTES = re.compile(r"routeTable|policyTable", re.IGNORECASE)
_NAMES = (
    "elsewhere",
    "elsewhere-us-east-1",
    "other-project.elsewhere.t",
    "s3://elsewhere-us-east-1/x",
    "bq://p.d.t",
)


def store_like(package: str) -> Iterator[tuple[str, tuple[str, ...], str]]:
    for type_, path, annotation in provider_blocks.paths(package):
        name = path[-1]
        if "_builtins.str" not in annotation or _ROUTES.search(name):
            continue
        if _HOLDS_A_STORE.search(name) or _HOLDS_A_TABLE.search(name):
            yield type_, path, annotation


def reported(type_: str, path: tuple[str, ...], annotation: str) -> bool:
    """Whether some control over the stack reports some name at the path."""
    # A bucket must be known by its bare name, since the cloud takes no other there.
    for name in _NAMES[:2] if "bucket" in path[-1].lower() else _NAMES:
        shown = PolicyResource(
            type_, put({}, path, [name] if "Sequence" in annotation else name), "urn", "it", OPTIONS, None, None, [], {}
        )  # fmt: skip
        for control in OVER_THE_STACK:
            assert control.stack_check
            found = control.stack_check(Stack([shown]), {})
            if any(isinstance(one[1], Finding) and one[1].where.startswith(path[0]) for one in found):
                return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("package", ["pulumi_aws", "pulumi_gcp"])
def test_every_property_that_holds_a_store_is_judged_or_listed_with_a_reason(package: str) -> None:
    """After an upgrade of a provider: say in data/store_properties.csv what a new property does with its store."""
    rows = list(store_like(package))
    assert len(rows) > 300, "the SDK was not read"
    judged = [row for row in rows if reported(*row)]
    listed = [row for row in rows if (held := holds(row[0], row[1])).reason or held.use == "read"]
    missed = {(row[0], ".".join(row[1])) for row in rows if row not in judged and row not in listed}
    assert missed == set()
    assert len(judged) > 60
