"""Stores by bare name: buckets, datasets, tables and topics that something is written to, in any type.

stores.yaml has the rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import provider_blocks
import pytest
import yaml
from harness import Shown, put, run
from pulumi_policy import PolicyCustomTimeouts, PolicyResource, PolicyResourceOptions

from policies.framework.resources import Stack
from policies.pack import CONTROLS
from policies.readers.values.stores import holds

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


ROWS = yaml.safe_load((Path(__file__).parent / "stores.yaml").read_text())


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
            if any(isinstance(one, tuple) and one[1].where.startswith(path[0]) for one in found):
                return True
    return False


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
