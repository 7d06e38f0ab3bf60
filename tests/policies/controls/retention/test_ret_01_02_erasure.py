"""The last day of data, and the year that logs are kept: RET-01, RET-02."""

from __future__ import annotations

from typing import Any

import pytest

from tests.policies.controls.personal_data import (
    BUCKET,
    FROM_BUCKET,
    GCS,
    PUBLIC,
    Sources,
    is_asked_only_of_personal_data,
    part,
    told,
)
from tests.policies.harness import UNKNOWN, Shown


def lifecycle(*rules: Any, bucket: Any = "lake", sources: Sources | None = None) -> Shown:
    given = [{"status": "Enabled"} | rule for rule in rules]
    return part("LifecycleConfiguration", {"bucket": bucket, "rules": given}, sources)


def days(number: Any, **more: Any) -> dict[str, Any]:
    return {"expiration": {"days": number}, **more}


@pytest.mark.parametrize("rule", [days(400), days(365, filter={"prefix": ""}), days(1, filter={})])
def test_a_bucket_with_a_last_day(rule: dict[str, Any]) -> None:
    assert not told("DPDP-RET-01", BUCKET, lifecycle(rule))
    assert not told("DPDP-RET-01", BUCKET, lifecycle(rule, bucket=UNKNOWN, sources=FROM_BUCKET))
    assert told("DPDP-RET-01", BUCKET, lifecycle(rule, bucket="other"))


@pytest.mark.parametrize(
    "rule",
    [
        days(401),
        days(365, status="Disabled"),
        days(365, filter={"prefix": "raw/"}),
        days(365, filter=UNKNOWN),
        days(UNKNOWN),
        {"expiration": {"expiredObjectDeleteMarker": True}},
    ],
)
def test_a_bucket_without(rule: dict[str, Any]) -> None:
    assert told("DPDP-RET-01", BUCKET, lifecycle(rule))


def test_a_google_bucket_without_personal_data_needs_no_last_day() -> None:
    is_asked_only_of_personal_data("DPDP-RET-01", GCS, ("labels", "dpdp-data-class"))


@pytest.mark.parametrize(
    "rule",
    [
        days(365),
        days(364, status="Disabled"),
        {"expiration": {"expiredObjectDeleteMarker": True}},
        {"noncurrentVersionExpiration": {"noncurrentDays": 30}},
    ],
)
def test_a_lifecycle_that_keeps_the_year(rule: dict[str, Any]) -> None:
    assert not told("DPDP-RET-02", BUCKET, lifecycle(rule))


@pytest.mark.parametrize(
    "rule",
    [
        days(364),
        days(UNKNOWN),
        days("soon"),
        {"expiration": UNKNOWN},
        {"expiration": {"date": "2027-01-01"}},
        days(30, filter={"prefix": "tmp/"}),
    ],
)
def test_a_lifecycle_that_does_not(rule: dict[str, Any]) -> None:
    assert told("DPDP-RET-02", BUCKET, lifecycle(rule))
    assert told("DPDP-RET-02", lifecycle(rule))  # whose bucket is elsewhere
    assert not told("DPDP-RET-02", PUBLIC, lifecycle(rule))


def test_a_lifecycle_written_inside_the_bucket_counts() -> None:
    def inline(number: int) -> Shown:
        rules = [{"enabled": True, "expiration": {"days": number}}]
        return Shown(BUCKET.type, BUCKET.props | {"lifecycleRules": rules}, "bucket")

    assert told("DPDP-RET-02", inline(30))
    assert not told("DPDP-RET-02", inline(365))
    assert not told("DPDP-RET-01", inline(365))


def test_a_lifecycle_that_is_not_known_does_not_keep_the_year() -> None:
    assert told("DPDP-RET-02", BUCKET, part("LifecycleConfiguration", {"rules": UNKNOWN}))
