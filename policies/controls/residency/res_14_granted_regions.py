"""Who may reach other regions: RES-14 what IAM grants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.provenance import resolved_by_own_parts
from policies.framework.resources import Resource, Settings
from policies.framework.unknowns import Unknown, dig, each
from policies.law import RESIDENCY_GUARD
from policies.readers import locations
from policies.readers.iam_documents import Statement, statements

# Where identity policies are written, by type.
DOCUMENTS: dict[str, tuple[str, ...]] = {
    "aws:iam/policy:Policy": ("policy",),
    "aws:iam/rolePolicy:RolePolicy": ("policy",),
    "aws:iam/userPolicy:UserPolicy": ("policy",),
    "aws:iam/groupPolicy:GroupPolicy": ("policy",),
    "aws:iam/role:Role": ("inlinePolicies",),
    "aws:ssoadmin/permissionSetInlinePolicy:PermissionSetInlinePolicy": ("inlinePolicy",),
}
_INFERENCE = (
    "bedrock:invokemodel",
    "bedrock:invokemodelwithresponsestream",
    "bedrock:createmodelinvocationjob",
)
_REGION_KEY = "aws:requestedregion"
_NARROWS = ("stringequals", "stringlike", "stringequalsignorecase")
_GLOBAL_HOME = "us-east-1"  # of certificates, budgets and the like: no personal data


def granted_regions(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """RES-14: no identity policy allows inference that is routed abroad, nor names a resource in a region abroad."""
    for prop in DOCUMENTS.get(resource.type, ()):
        value = resource.props.get(prop)
        if prop == "inlinePolicies":
            if isinstance(value, Unknown):
                yield value
            for index, inline in enumerate(each(value)):
                yield from _granted(
                    f"{prop}[{index}].policy",
                    inline if isinstance(inline, Unknown) else dig(inline, "policy"),
                )
        else:
            yield from _granted(prop, value)


def _granted(where: str, policy: Any) -> Iterator[Finding | Unknown]:
    if policy is None:
        return
    for statement in statements(policy, where):
        if not isinstance(statement, Statement):
            yield statement
        elif statement.allows and not _only_in_india(statement):
            yield from _abroad(statement)


def _abroad(statement: Statement) -> Iterator[Finding]:
    infers = _matches(statement.texts("Action"), any) or (
        "NotAction" in statement.body and not _matches(statement.texts("NotAction"), all)
    )
    for name in statement.texts("Resource") or ["*"]:  # NotResource leaves everything else
        arn = locations.arn(name)
        if infers and (name == "*" or (arn and arn.service in ("bedrock", "*") and _routes(arn))):
            yield Finding(
                "inference is allowed in any region, so also by profiles that route abroad",
                f"{statement.at}.Resource",
                name,
                "models and profiles of ap-south-1 and ap-south-2, or a condition on aws:RequestedRegion",
            )
        elif (
            arn
            and locations.looks_like_a_place(arn.region)
            and arn.region not in {*locations.AWS_REGIONS, _GLOBAL_HOME}
        ):
            yield Finding(
                "a resource abroad is granted", f"{statement.at}.Resource", name, locations.EXPECTED_AWS
            )
    for operator, key, values in statement.conditions():
        if key == _REGION_KEY and operator.split(":")[-1].removesuffix("ifexists") in _NARROWS:
            yield Finding(
                "the condition lets regions abroad in",
                f"{statement.at}.Condition",
                values,
                locations.EXPECTED_AWS,
            )


def _matches(actions: list[str], quantity: Callable[[Iterable[bool]], bool]) -> bool:
    return quantity(any(fnmatchcase(one, action.lower()) for action in actions) for one in _INFERENCE)


def _routes(arn: locations.Arn) -> bool:
    return arn.region not in locations.AWS_REGIONS


def _only_in_india(statement: Statement) -> bool:
    return any(
        key == _REGION_KEY and operator in _NARROWS and values and all(_is_indian(value) for value in values)
        for operator, key, values in statement.conditions()
    )


def _is_indian(region: Any) -> bool:
    return isinstance(region, str) and region in locations.AWS_REGIONS


RES_14 = Control(
    id="DPDP-RES-14",
    title="No grants abroad",
    law=RESIDENCY_GUARD,
    severity=Severity.HIGH,
    level=EnforcementLevel.ADVISORY,
    types=tuple(DOCUMENTS),
    remedy="name models and resources of Indian regions, or add a condition on aws:RequestedRegion",
    check=granted_regions,
    resolves=resolved_by_own_parts,
)
CONTROLS = (RES_14,)
