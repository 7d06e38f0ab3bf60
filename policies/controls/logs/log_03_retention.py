"""Visibility: LOG-03 logs are kept for a year, LOG-09 and not for ever."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.remediation import PropertyPatch
from policies.framework.resources import Resource, Settings
from policies.framework.unknowns import Unknown
from policies.law import ERASURE, LOG_RETENTION
from policies.readers.data_stores import is_personal

LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
FLOOR_DAYS = 365
# CERT-In Directions of 28 April 2022, (iv): 180 days for all systems. No configuration goes below it.
CERT_IN_DAYS = 180


@dataclass(frozen=True)
class Retention:
    """Where a type says how long it keeps logs, in days; `default` is the cloud's own, and 0 there means for ever."""

    prop: str
    default: int


RETENTIONS = {
    LOG_GROUP: Retention("retentionInDays", 0),
    "aws:cloudtrail/eventDataStore:EventDataStore": Retention("retentionPeriod", 2555),
    "gcp:logging/projectBucketConfig:ProjectBucketConfig": Retention("retentionDays", 30),
    "gcp:logging/folderBucketConfig:FolderBucketConfig": Retention("retentionDays", 30),
    "gcp:logging/organizationBucketConfig:OrganizationBucketConfig": Retention("retentionDays", 30),
    "gcp:logging/billingAccountBucketConfig:BillingAccountBucketConfig": Retention("retentionDays", 30),
}
_DELIVERY = "DELIVERY"  # a log group class that keeps two days, whatever else it says


def log_retention(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
    """LOG-03: nothing that stores logs forgets them within `minimumDays`."""
    retention = RETENTIONS.get(resource.type)
    if retention is None:
        return
    floor = _floor(settings)
    expected = f"at least {floor} days"
    value = resource.props.get(retention.prop)
    if isinstance(value, Unknown):
        yield value
    elif not _long_enough(
        retention.default if value is None else value, floor, forever_is_zero=retention.default == 0
    ):
        what = "the cloud's default keeps logs too briefly" if value is None else "logs are kept too briefly"
        yield Finding(what, retention.prop, value, expected)
    group_class = resource.props.get("logGroupClass")
    if isinstance(group_class, Unknown):
        yield group_class
    elif group_class == _DELIVERY:
        yield Finding(
            "this class of log group keeps two days",
            "logGroupClass",
            _DELIVERY,
            "STANDARD or INFREQUENT_ACCESS",
        )


def last_day(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """LOG-09: a log group that may hold logs of processing keeps them for a number of days, not for ever. Its tag
    `dpdp:data-class` says `internal` or `public` where it holds none."""
    group_class, days = resource.props.get("logGroupClass"), resource.props.get("retentionInDays")
    if group_class == _DELIVERY or not is_personal(resource):
        return
    if isinstance(days, Unknown):
        yield days
    elif days in (None, 0):
        yield Finding("logs are kept for ever", "retentionInDays", days, "a number of days, 365 or more")


def kept(resource: Resource, settings: Settings) -> Iterator[PropertyPatch]:
    """LOG-03: `minimumDays`, for a log bucket of Google, which else keeps logs for 30 days. CloudWatch keeps them for
    ever when nothing is said, and how long `_Required` keeps them is Google's to say."""
    bucket = resource.props.get("bucketId")
    if resource.type.startswith("gcp:") and isinstance(bucket, str) and bucket != "_Required":
        yield PropertyPatch((RETENTIONS[resource.type].prop,), _floor(settings))


def _floor(settings: Settings) -> int:
    return max(CERT_IN_DAYS, int(settings.get("minimumDays", FLOOR_DAYS)))


def _long_enough(days: object, floor: int, *, forever_is_zero: bool) -> bool:
    if isinstance(days, bool) or not isinstance(days, int | float):
        return False
    return days >= floor or (days == 0 and forever_is_zero)


LOG_03 = Control(
    id="DPDP-LOG-03",
    title="Logs kept for a year",
    law=LOG_RETENTION,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=tuple(RETENTIONS),
    remedy="set the retention to 365 days or more; valid CloudWatch values are 365, 400, 545, 731 and up",
    check=log_retention,
    remediate=kept,
    settings={
        "minimumDays": {
            "type": "integer",
            "minimum": CERT_IN_DAYS,
            "default": FLOOR_DAYS,
            "description": "180, CERT-In's floor, only for systems that hold no personal data",
        }
    },
)
LOG_09 = Control(
    id="DPDP-LOG-09",
    title="Logs have a last day",
    law=ERASURE,
    severity=Severity.LOW,
    level=EnforcementLevel.ADVISORY,
    types=(LOG_GROUP,),
    remedy="set retentionInDays to as long as a law or the purpose asks: 365, 400, 545, 731 and up are valid",
    check=last_day,
)
CONTROLS = (LOG_03, LOG_09)
