"""Services without a region: RES-22. Where they keep what they are given, no property says; so they are listed."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.resources import Resource, Settings
from policies.law import RESIDENCY_GUARD
from policies.readers.tables import block_names

# Types of pulumi_aws that take no region, written by tests/policies/provider_blocks.py.
GLOBAL_TYPES = block_names("global_types.txt")
# Control planes: identity, accounts and organisations, names of hosts, bills. They hold nothing about Data Principals.
ALLOWED = tuple(
    f"aws:{service}/"
    for service in (
        *("account", "iam", "organizations", "ram", "rolesanywhere", "servicequotas", "servicecatalog", "uxc"),
        *("bcmdata", "billing", "budgets", "costexplorer", "costoptimizationhub", "cur", "invoicing", "savingsplans"),
        *("backup", "bedrock", "cfg", "cloudformation", "cloudtrail", "directconnect", "ec2", "fms", "s3"),
        *("route53", "route53domains", "route53recoverycontrol", "route53recoveryreadiness", "shield"),
        *("arcregionswitch", "pricingplanmanager"),
    )
)  # fmt: skip


def global_services(resource: Resource, settings: Settings) -> Iterator[Finding]:
    """RES-22: a type without a region belongs to a service that holds no personal data."""
    allowed = (*ALLOWED, *(one for one in settings.get("allowed", ()) if isinstance(one, str) and one))
    if resource.type in GLOBAL_TYPES and not resource.type.startswith(allowed):
        yield Finding(
            "the service has no region, so nothing says where it keeps what passes through",
            "type",
            resource.type,
            "a service of one region, or one allowed in the configuration",
        )


RES_22 = Control(
    id="DPDP-RES-22",
    title="Global services from the list",
    law=RESIDENCY_GUARD,
    severity=Severity.LOW,
    level=EnforcementLevel.ADVISORY,
    types=("aws:",),
    remedy="use a regional service, or allow this one once it is sure that no personal data pass through it",
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
