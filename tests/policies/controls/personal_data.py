"""Stores of personal data, and what controls of a whole stack find about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.policies.harness import UNKNOWN, Shown, failures, put, run

Sources = dict[str, list[str]]
DATA_CLASS = {"tags": {"dpdp:data-class": "personal", "dpdp:retention-days": "400"}}
BUCKET = Shown("aws:s3/bucket:Bucket", {"bucket": "lake", **DATA_CLASS}, "bucket")
PUBLIC = Shown(BUCKET.type, {"bucket": "lake", "tags": {"dpdp:data-class": "public"}}, "bucket")
FROM_BUCKET = {"bucket": [BUCKET.urn]}
GCS = Shown(
    "gcp:storage/bucket:Bucket", {"name": "lake", "labels": {"dpdp-data-class": "personal"}}, "google"
)
TRAIL_PROPS = {
    "s3BucketName": "logs",
    "enableLogFileValidation": True,
    "isMultiRegionTrail": True,
    "kmsKeyId": "k",
}


def part(kind: str, props: dict[str, Any], sources: Sources | None = None, name: str = "it") -> Shown:
    return Shown(f"aws:s3/bucket{kind}:Bucket{kind}", {"bucket": "lake"} | props, name, sources=sources or {})


def trail(sources: Sources | None = None, **props: Any) -> Shown:
    return Shown("aws:cloudtrail/trail:Trail", TRAIL_PROPS | props, "trail", sources=sources or {})


def told(control: str, *shown: Shown, config: Mapping[str, Any] | None = None) -> list[str]:
    settings = {policy: dict(given) for policy, given in (config or {}).items()}
    return failures(run(*shown, config=settings), control)


def is_asked_only_of_personal_data(
    control: str, store: Shown, tags: Sequence[str] = ("tags", "dpdp:data-class")
) -> None:
    for value in ("personal", "sensitive", "payment", "anything", None, UNKNOWN):
        assert told(control, Shown(store.type, put(store.props, list(tags), value), store.name)), value
    for value in ("internal", "public"):
        assert not told(control, Shown(store.type, put(store.props, list(tags), value), store.name)), value


VPC = Shown("aws:ec2/vpc:Vpc", {}, "vpc")
NETWORK = Shown("gcp:compute/network:Network", {"name": "net"}, "net")


def subnet(**props: Any) -> Shown:
    return Shown("gcp:compute/subnetwork:Subnetwork", {"network": "net"} | props, "subnet")
