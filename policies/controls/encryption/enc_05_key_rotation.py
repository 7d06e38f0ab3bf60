"""Care of keys: ENC-05 they rotate, and one that is to be deleted can still be called back for a month."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.expectations import Expectation, check_expectations, is_on
from policies.framework.remediation import PropertyPatch
from policies.framework.resources import Resource, Settings
from policies.framework.unknowns import Unknown, dig
from policies.law import KEY_CARE

AWS_KEY = "aws:kms/key:Key"
AWS_OTHER_KEYS = (
    "aws:kms/externalKey:ExternalKey",
    "aws:kms/replicaKey:ReplicaKey",
    "aws:kms/replicaExternalKey:ReplicaExternalKey",
)
GCP_KEY = "gcp:kms/cryptoKey:CryptoKey"
WINDOW_DAYS = 30  # the longest that KMS offers, and the default of both clouds
AWS_ROTATION_DAYS = 365  # KMS's default
GCP_ROTATION_DAYS = 90  # Google's own advice
_ROTATED = (("customerMasterKeySpec", "SYMMETRIC_DEFAULT"), ("keyUsage", "ENCRYPT_DECRYPT"))
_DAY = 24 * 60 * 60
_SECONDS = re.compile(r"(\d{1,12})(\.\d{1,9})?s")


def care(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
    """ENC-05: keys for encryption rotate by themselves, and every key waits long before it is gone."""
    if resource.type == GCP_KEY:
        yield from _google(resource.props, int(settings.get("gcpRotationDays", GCP_ROTATION_DAYS)))
        return
    if resource.type not in (AWS_KEY, *AWS_OTHER_KEYS):
        return
    yield from check_expectations(resource.props, [_DELETION])
    if resource.type == AWS_KEY:
        yield from _rotates(resource.props)


def _rotates(props: dict[str, Any]) -> Iterator[Finding | Unknown]:
    """KMS rotates symmetric keys of its own making; for others it can't be asked."""
    for name, rotated in _ROTATED:
        value = props.get(name)
        if isinstance(value, Unknown):
            yield value
            return
        if isinstance(value, str) and value != rotated:
            return
    yield from check_expectations(props, _AWS_ROTATION)


def _google(props: dict[str, Any], days: int) -> Iterator[Finding | Unknown]:
    yield from check_expectations(props, [_DESTRUCTION])
    purpose = props.get("purpose")
    if isinstance(purpose, Unknown):
        yield purpose
    elif not isinstance(purpose, str) or purpose == "ENCRYPT_DECRYPT":
        expected = f"{days * _DAY}s ({days} days) or less"
        within = lambda value: 0 < _seconds(value) <= days * _DAY  # noqa: E731
        yield from check_expectations(
            props, [Expectation("rotationPeriod", within, "the key does not rotate in time", expected)]
        )


def rotation(resource: Resource, settings: Settings) -> Iterator[PropertyPatch]:
    """ENC-05: rotation, where the cloud itself made the key and so can rotate it (each 90 days on Google)."""
    props = resource.props
    if resource.type == GCP_KEY:
        level = dig(props, "versionTemplate", "protectionLevel")
        by_google = level in (None, "SOFTWARE", "HSM") and _says_none(props, "importOnly", "cryptoKeyBackend")
        if by_google and _is(props, "purpose", "ENCRYPT_DECRYPT"):
            days = min(GCP_ROTATION_DAYS, int(settings.get("gcpRotationDays", GCP_ROTATION_DAYS)))
            yield PropertyPatch(("rotationPeriod",), f"{days * _DAY}s")
        return
    of_kms = resource.type == AWS_KEY and _says_none(props, "customKeyStoreId")
    if of_kms and all(_is(props, *kind) for kind in _ROTATED):
        yield PropertyPatch(("enableKeyRotation",), True)


def _is(props: dict[str, Any], name: str, default: str) -> bool:
    return props.get(name) in (None, default)


def _says_none(props: dict[str, Any], *names: str) -> bool:
    return all(props.get(name) in (None, "", False) for name in names)


def _seconds(text: Any) -> int:
    match = _SECONDS.fullmatch(text) if isinstance(text, str) else None
    return int(match[1]) if match else 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_DELETION = Expectation(
    "deletionWindowInDays",
    lambda value: _is_number(value) and value >= WINDOW_DAYS,
    "a deleted key is gone too soon",
    f"{WINDOW_DAYS} days",
    absent=True,
)
_DESTRUCTION = Expectation(
    "destroyScheduledDuration",
    lambda value: _seconds(value) >= WINDOW_DAYS * _DAY,
    "a destroyed key version is gone too soon",
    f"{WINDOW_DAYS * _DAY}s ({WINDOW_DAYS} days) or more",
    absent=True,
)
_AWS_ROTATION = (
    Expectation("enableKeyRotation", is_on, "the key does not rotate", "true"),
    Expectation(
        "rotationPeriodInDays",
        lambda value: _is_number(value) and 0 < value <= AWS_ROTATION_DAYS,
        "the key rotates too seldom",
        f"{AWS_ROTATION_DAYS} days or less",
        absent=True,
    ),
)

ENC_05 = Control(
    id="DPDP-ENC-05",
    title="Keys rotate and are protected",
    law=KEY_CARE,
    severity=Severity.MEDIUM,
    level=EnforcementLevel.MANDATORY,
    types=(AWS_KEY, *AWS_OTHER_KEYS, GCP_KEY),
    remedy="switch rotation on, and leave the wait before deletion at 30 days",
    check=care,
    remediate=rotation,
    settings={
        "gcpRotationDays": {
            "type": "integer",
            "minimum": 1,
            "maximum": 365,
            "default": GCP_ROTATION_DAYS,
            "description": "how many days a Google key may go without rotation",
        }
    },
)
CONTROLS = (ENC_05,)
