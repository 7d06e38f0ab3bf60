"""Retention: RET-01 personal data has a last day, RET-02 none before its year is over, RET-03 leftovers go too.

The law sets a floor (a year, r.8(3)) and asks for a ceiling (s.8(7)): the owner's own `dpdp:retention-days`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.expectations import number
from policies.framework.remediation import PropertyPatch
from policies.framework.resources import Resource, Settings, Stack, StackResource
from policies.framework.unknowns import Unknown, dig, each, first_unknown
from policies.law import ERASURE, RETENTION_FLOOR
from policies.readers.data_stores import RETENTION_DAYS, is_personal, tag
from policies.readers.s3_buckets import BUCKETS, GCS_BUCKET, LIFECYCLES, bucket_of, parts, personal_buckets

FLOOR_DAYS = 365
_DAY_MS = 86_400_000
ABORT_DAYS = 7
_S3_ABORT, _ABORT = "abortIncompleteMultipartUpload", "AbortIncompleteMultipartUpload"


@dataclass(frozen=True)
class Expiry:
    """Where a type says after how long it forgets, and how many of those units are a day."""

    path: str
    day: int = 1


EXPIRIES = {
    "gcp:bigquery/dataset:Dataset": (
        Expiry("defaultTableExpirationMs", _DAY_MS),
        Expiry("defaultPartitionExpirationMs", _DAY_MS),
    ),
    "aws:timestreamwrite/table:Table": (Expiry("retentionProperties.magneticStoreRetentionPeriodInDays"),),
}
# A Cloud Storage rule with one of these is about versions that are no longer live.
_OF_OLD_VERSIONS = ("daysSinceNoncurrentTime", "noncurrentTimeBefore", "numNewerVersions")
_NARROWER = (
    "createdBefore",
    "customTimeBefore",
    "daysSinceCustomTime",
    "matchesPrefixes",
    "matchesStorageClasses",
    "matchesSuffixes",
    "sizeAboveBytes",
    "sizeBelowBytes",
)


def google_ceiling(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """RET-01: a Cloud Storage bucket deletes all that is live, on the day that its label says at the latest."""
    if not is_personal(resource):
        return
    rules = resource.props.get("lifecycleRules")
    ages = {
        f"lifecycleRules[{index}].condition.age": dig(rule, "condition", "age")
        for index, rule in _deletions(rules)
        if not (first_unknown(rule) or _old_versions(rule) or _narrowed(rule))
    }
    yield from _ceiling(resource, "lifecycleRules", ages, first_unknown(rules))


def s3_ceiling(stack: Stack, _settings: Settings) -> Iterator[tuple[str, Finding]]:
    """RET-01 over the stack: likewise for S3, where a lifecycle is a resource of its own."""
    for bucket in personal_buckets(stack):
        days = {
            f"{where}.expiration.days": dig(rule, "expiration", "days")
            for lifecycle in (bucket, *parts(stack, bucket, *LIFECYCLES))
            for where, rule in _enabled(lifecycle)
            if _of_everything(rule)
        }
        for found in _ceiling(bucket.alone, "the bucket's lifecycle", days, None):
            if isinstance(found, Finding):
                yield bucket.urn, found


def _ceiling(
    resource: Resource, where: str, days: Mapping[str, Any], unknown: Unknown | None
) -> Iterator[Finding | Unknown]:
    """The earliest of `days` counts; the tag bounds it where there is one."""
    ends = {at: found for at, one in days.items() if (found := number(one)) is not None}
    if not ends:
        yield unknown or Finding(
            "personal data in it has no last day", where, None, "an expiration of everything, in days"
        )
        return
    place, told = tag(resource, RETENTION_DAYS)
    limit, first = number(told), min(ends, key=lambda at: ends[at])
    if isinstance(told, Unknown):
        yield told
    elif limit is not None and ends[first] > limit:
        yield Finding(f"data outlives {place}", first, ends[first], f"at most {told} days")


def floor(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
    """RET-02: nothing deletes personal data, or logs of its processing, within `minimumDays`."""
    if not is_personal(resource):
        return
    if resource.type == GCS_BUCKET:
        yield from _google_floor(resource.props.get("lifecycleRules"), _minimum(settings))
    for expiry in EXPIRIES.get(resource.type, ()):
        value = dig(resource.props, *expiry.path.split("."))
        if isinstance(value, Unknown):
            yield value
        elif value is not None and (number(value) or 0) < _minimum(settings) * expiry.day:
            yield _early(expiry.path, value, _minimum(settings))


def _google_floor(rules: Any, days: int) -> Iterator[Finding | Unknown]:
    if isinstance(rules, Unknown):
        yield rules
    for index, rule in _deletions(rules):
        age = dig(rule, "condition", "age")
        if unknown := first_unknown(rule):
            yield unknown
        elif not _old_versions(rule) and (number(age) or 0) < days:
            yield _early(f"lifecycleRules[{index}].condition.age", age, days)


def s3_floor(stack: Stack, settings: Settings) -> Iterator[tuple[str, Finding]]:
    """RET-02 over the stack: likewise for S3. A lifecycle of a bucket that is not here may be of personal data."""
    for lifecycle in stack.of(*LIFECYCLES, *BUCKETS):
        bucket = lifecycle if lifecycle.type in BUCKETS else bucket_of(stack, lifecycle)
        if bucket is None or is_personal(bucket.alone):
            for where, rule in _enabled(lifecycle):
                for found in _expiration(rule, f"{where}.expiration", _minimum(settings)):
                    yield lifecycle.urn, found


def _enabled(lifecycle: StackResource) -> Iterator[tuple[str, Any]]:
    """Rules that are not switched off, in a lifecycle or, in old programs, in the bucket itself."""
    name = "lifecycleRules" if lifecycle.type in BUCKETS else "rules"
    for index, rule in enumerate(each(lifecycle.props.get(name))):
        if dig(rule, "status") != "Disabled" and dig(rule, "enabled") is not False:
            yield f"{name}[{index}]", rule


def _expiration(rule: Any, where: str, days: int) -> Iterator[Finding]:
    """A date says nothing of age. Old programs write `expiration: {}` where nothing expires."""
    expiration = dig(rule, "expiration")
    if dig(expiration, "expiredObjectDeleteMarker") is True and not dig(expiration, "days"):
        return  # markers of what is deleted already
    for name in ("days", "date"):
        value = expiration if isinstance(expiration, Unknown) else dig(expiration, name)
        if isinstance(value, Unknown):
            yield _early(f"{where}.{name}", "unknown", days)
        elif value not in (None, "") and (name == "date" or (number(value) or 0) < days):
            yield _early(f"{where}.{name}", value, days)


def _minimum(settings: Settings) -> int:
    return int(settings.get("minimumDays", FLOOR_DAYS))


def _early(where: str, value: Any, days: int) -> Finding:
    return Finding(
        "personal data may be deleted before its year is over", where, value, f"at least {days} days"
    )


def leftovers(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """RET-03: what a deletion leaves behind (old versions, parts of uploads) goes too."""
    if resource.type == GCS_BUCKET:
        yield from _google_leftovers(resource.props)
        return
    rules = resource.props.get("rules")
    for name, days, what in (
        (_S3_ABORT, "daysAfterInitiation", "parts of broken uploads stay"),
        ("noncurrentVersionExpiration", "noncurrentDays", "old versions stay"),
    ):
        given = [dig(rule, name, days) for rule in each(rules) if dig(rule, "status") == "Enabled"]
        yield from _one_of(given, rules, "rules", what, name)


def aborts(resource: Resource, _settings: Settings) -> Iterator[PropertyPatch]:
    """RET-03: an end of broken uploads after 7 days: in the first rule of an S3 lifecycle that is for everything, or as
    a rule of a Google bucket. When old versions go is for their owner to say."""
    google = resource.type == GCS_BUCKET
    name = "lifecycleRules" if google else "rules"
    rules = resource.props.get(name)
    if first_unknown(rules) or not isinstance(rules, list | None):
        return
    if google and not any(_acts(rule, _ABORT) for rule in each(rules)):
        added = {"action": {"type": _ABORT}, "condition": {"age": ABORT_DAYS}}
        yield PropertyPatch((name, len(rules or ())), added)
    elif not google and not any(dig(rule, _S3_ABORT) for rule in each(rules)):
        for index, rule in enumerate(each(rules)):
            if dig(rule, "status") == "Enabled" and _of_everything(rule):
                yield PropertyPatch((name, index, _S3_ABORT), {"daysAfterInitiation": ABORT_DAYS})
                return


def _google_leftovers(props: dict[str, Any]) -> Iterator[Finding | Unknown]:
    rules, where = props.get("lifecycleRules"), "lifecycleRules"
    ages = [dig(rule, "condition", "age") for rule in each(rules) if _acts(rule, _ABORT)]
    yield from _one_of(ages, rules, where, "parts of broken uploads stay", _ABORT)
    versioning = dig(props, "versioning", "enabled")
    if isinstance(versioning, Unknown):
        yield versioning
    elif versioning is True:
        deletions = [rule for _, rule in _deletions(rules) if _old_versions(rule)]
        ends = [
            dig(rule, "condition", name)
            for rule in deletions
            for name in ("age", "daysSinceNoncurrentTime", "numNewerVersions")
        ]
        yield from _one_of(ends, rules, where, "old versions stay", "a Delete of what is no longer live")


def _one_of(
    values: list[Any], rules: Any, where: str, what: str, expected: str
) -> Iterator[Finding | Unknown]:
    """One of `values` is there; where none is, it may be in whatever of `rules` can't be known."""
    if not any((number(value) or 0) > 0 for value in values):
        yield first_unknown(rules) or Finding(what, where, rules, expected)


def _of_everything(rule: Any) -> bool:
    """No filter, or one that lets everything through."""
    chosen = dig(rule, "filter")
    filters = list(chosen.values()) if isinstance(chosen, dict) else [] if chosen is None else [chosen]
    return not any(filters) and not dig(rule, "prefix")


def _deletions(rules: Any) -> Iterator[tuple[int, Any]]:
    """(index, rule) for each lifecycle rule that deletes, or may: its action can be unknown."""
    for index, rule in enumerate(each(rules)):
        if _acts(rule, "Delete") or isinstance(dig(rule, "action", "type"), Unknown):
            yield index, rule


def _narrowed(rule: Any) -> bool:
    return any(dig(rule, "condition", name) for name in _NARROWER)


def _acts(rule: Any, action: str) -> bool:
    return dig(rule, "action", "type") == action


def _old_versions(rule: Any) -> bool:
    condition = dig(rule, "condition")
    return dig(condition, "withState") == "ARCHIVED" or any(
        number(dig(condition, name)) or isinstance(dig(condition, name), str) for name in _OF_OLD_VERSIONS
    )


_MINIMUM = {
    "minimumDays": {
        "type": "integer",
        "minimum": 1,
        "default": FLOOR_DAYS,
        "description": "days that nothing personal is deleted within; r.8(3) says one year",
    }
}
RET_01 = Control(
    id="DPDP-RET-01",
    title="Personal buckets have a last day",
    law=ERASURE,
    severity=Severity.MEDIUM,
    level=EnforcementLevel.ADVISORY,
    types=(GCS_BUCKET,),
    remedy="a lifecycle rule that expires everything after dpdp:retention-days",
    remedies={"gcp:": "a lifecycle rule that deletes everything at the age of dpdp-retention-days"},
    check=google_ceiling,
    stack_check=s3_ceiling,
)
RET_02 = Control(
    id="DPDP-RET-02",
    title="Personal data kept for a year",
    law=RETENTION_FLOOR,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=(GCS_BUCKET, *EXPIRIES),
    remedy="365 days or more: within the year r.8(3) has data kept even of an account that its owner has closed",
    check=floor,
    stack_check=s3_floor,
    settings=_MINIMUM,
)
RET_03 = Control(
    id="DPDP-RET-03",
    title="Old versions and parts expire",
    law=ERASURE,
    severity=Severity.LOW,
    level=EnforcementLevel.ADVISORY,
    types=(GCS_BUCKET, *LIFECYCLES),
    remedy="noncurrentVersionExpiration and abortIncompleteMultipartUpload; on Google, rules that do the same",
    remedies={
        "aws:": "noncurrentVersionExpiration and abortIncompleteMultipartUpload",
        "gcp:": "lifecycle rules with daysSinceNoncurrentTime, and with AbortIncompleteMultipartUpload",
    },
    check=leftovers,
    remediate=aborts,
)
CONTROLS: tuple[Control, ...] = (RET_01, RET_02, RET_03)
