"""Services without a region: RES-22. Where they keep what they are given, no property says; so they are listed."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.resources import Resource, Settings
from policies.law import RESIDENCY_GUARD
from policies.readers.data_stores import CLASS, NOT_PERSONAL, TAG, tag
from policies.readers.exceptions import AS_SUCH, GLOBAL_TYPES, lets_through


def global_services(resource: Resource, settings: Settings) -> Iterator[Finding]:
    """RES-22: a type without a region belongs to a service that holds no personal data, or says that it has none."""
    allowed = tuple(one for one in settings.get("allowed", ()) if isinstance(one, str) and one)
    if resource.type not in GLOBAL_TYPES or resource.type.startswith(allowed):
        return
    if lets_through(resource.type, AS_SUCH, resource.type) or tag(resource, CLASS)[1] in NOT_PERSONAL:
        return
    yield Finding(
        "the service has no region, so nothing says where it keeps what passes through",
        "type",
        resource.type,
        f"a service of one region, one tagged {TAG}: public, or one allowed in the configuration",
    )


RES_22 = Control(
    id="DPDP-RES-22",
    title="Global services from the list",
    law=RESIDENCY_GUARD,
    severity=Severity.LOW,
    level=EnforcementLevel.ADVISORY,
    types=("aws:",),
    remedy="use a regional service, or tag or allow this one once it is sure that no personal data pass through it",
    check=global_services,
    settings={
        "allowed": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": 'prefixes of more types that may be used, such as "aws:cloudfront/"',
        }
    },
)
CONTROLS = (RES_22,)
