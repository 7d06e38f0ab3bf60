"""Who may reach other regions: RES-14 what IAM grants, RES-15 the guardrail of an organisation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.provenance import settled_by_own_parts
from policies.framework.resources import Resource, Settings, Stack, StackResource
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

SCP = "aws:organizations/policy:Policy"
SCP_ATTACHED = "aws:organizations/policyAttachment:PolicyAttachment"
ORGANISATION = (
    "aws:organizations/organization:Organization",
    "aws:organizations/organizationalUnit:OrganizationalUnit",
    "aws:organizations/account:Account",
)
ACCOUNT_REGION = "aws:account/region:Region"
GCP_FOLDER = "gcp:organizations/folder:Folder"
ORG_POLICY = "gcp:orgpolicy/policy:Policy"
OLD_ORG_POLICIES = ("gcp:organizations/policy:Policy", "gcp:folder/organizationPolicy:OrganizationPolicy",
                    "gcp:projects/organizationPolicy:OrganizationPolicy")  # fmt: skip
LOCATIONS = "gcp.resourceLocations"
INDIAN_GROUPS = frozenset(
    {"in:in-locations", *(f"in:{region}-locations" for region in locations.GCP_REGIONS)}
)


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


def guardrail_values(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """RES-15: no account opens a region abroad, and a Google location policy allows Indian locations only."""
    if resource.type == ACCOUNT_REGION:
        yield from _opened(resource.props)
    elif resource.type == ORG_POLICY:
        name = resource.props.get("name")
        if isinstance(name, Unknown):
            yield name
        elif str(name).endswith(LOCATIONS):
            yield from _allowed("spec.rules", dig(resource.props, "spec", "rules"))
    elif resource.type in OLD_ORG_POLICIES:
        constraint = resource.props.get("constraint")
        if isinstance(constraint, Unknown):
            yield constraint
        elif str(constraint).endswith(LOCATIONS):
            yield from _indian_groups(
                "listPolicy.allow.values", dig(resource.props, "listPolicy", "allow", "values")
            )


def guardrail(stack: Stack, _settings: Settings) -> Iterator[tuple[str, Finding]]:
    """RES-15: who makes accounts or folders of an organisation also denies them all regions but the Indian ones."""
    if any(stack.of(*ORGANISATION)) and not any(_denies_abroad(stack, policy) for policy in stack.of(SCP)):
        yield (
            stack.urn,
            Finding(
                "no service control policy denies regions abroad",
                "the AWS organisation",
                None,
                f"an attached Deny where aws:RequestedRegion is none of {', '.join(locations.AWS_REGIONS)}",
            ),
        )
    if any(stack.of(GCP_FOLDER)) and not any(
        _limits_locations(policy) for policy in stack.of(ORG_POLICY, *OLD_ORG_POLICIES)
    ):
        yield (
            stack.urn,
            Finding(
                "no organisation policy limits where resources may be",
                "the Google organisation",
                None,
                f"{LOCATIONS} with {', '.join(sorted(INDIAN_GROUPS))}",
            ),
        )


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


def _opened(props: dict[str, Any]) -> Iterator[Finding | Unknown]:
    enabled, name = props.get("enabled"), props.get("regionName")
    if isinstance(enabled, Unknown) or isinstance(name, Unknown):
        yield from (one for one in (enabled, name) if isinstance(one, Unknown))
    elif enabled not in (False, "false") and not _is_indian(name):
        yield Finding("the account opens a region abroad", "regionName", name, locations.EXPECTED_AWS)


def _allowed(where: str, rules: Any) -> Iterator[Finding | Unknown]:
    if isinstance(rules, Unknown):
        yield rules
        return
    for index, rule in enumerate(each(rules)):
        if isinstance(rule, Unknown):
            yield rule
            continue
        for name in ("allowAll", "denyAll"):
            value = dig(rule, name)
            if isinstance(value, Unknown):
                yield value
        if str(dig(rule, "allowAll")).lower() == "true":
            yield Finding(
                "every location is allowed", f"{where}[{index}].allowAll", "TRUE", "Indian locations only"
            )
        elif str(dig(rule, "denyAll")).lower() != "true":
            yield from _indian_groups(
                f"{where}[{index}].values.allowedValues", dig(rule, "values", "allowedValues")
            )


def _indian_groups(where: str, values: Any) -> Iterator[Finding | Unknown]:
    if isinstance(values, Unknown):
        yield values
        return
    if not each(values):
        yield Finding("no location is named", where, values, ", ".join(sorted(INDIAN_GROUPS)))
    for index, value in enumerate(each(values)):
        if isinstance(value, Unknown):
            yield value
        elif not isinstance(value, str) or not (value in INDIAN_GROUPS or locations.gcp_place(value)):
            yield Finding(
                "a location abroad is allowed", f"{where}[{index}]", value, ", ".join(sorted(INDIAN_GROUPS))
            )


def _denies_abroad(stack: Stack, policy: StackResource) -> bool:
    attached = any(
        source.urn == policy.urn for other in stack.of(SCP_ATTACHED) for source in other.sources("policyId")
    ) or any(
        other.props.get("policyId") == policy.props.get("id") is not None for other in stack.of(SCP_ATTACHED)
    )
    return attached and any(
        isinstance(statement, Statement) and _is_guardrail(statement)
        for statement in statements(policy.props.get("content"), "content")
    )


def _is_guardrail(statement: Statement) -> bool:
    """A Deny of everything but named global services, wherever the region is none of India's."""
    broad = "NotAction" in statement.body or "*" in statement.texts("Action")
    return statement.body.get("Effect") == "Deny" and broad and any(
        key == _REGION_KEY and operator in ("stringnotequals", "stringnotlike") and values
        and all(_is_indian(value) for value in values)
        for operator, key, values in statement.conditions()
    )  # fmt: skip


def _limits_locations(policy: StackResource) -> bool:
    return str(policy.props.get("name", policy.props.get("constraint"))).endswith(LOCATIONS)


RES_14 = Control(
    id="DPDP-RES-14",
    title="No grants abroad",
    law=RESIDENCY_GUARD,
    severity=Severity.HIGH,
    level=EnforcementLevel.ADVISORY,
    types=tuple(DOCUMENTS),
    remedy="name models and resources of Indian regions, or add a condition on aws:RequestedRegion",
    check=granted_regions,
    settles=settled_by_own_parts,
)
RES_15 = Control(
    id="DPDP-RES-15",
    title="Region guardrail of the organisation",
    law=RESIDENCY_GUARD,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=(ACCOUNT_REGION, ORG_POLICY, *OLD_ORG_POLICIES),
    remedy="deny all regions but the Indian ones to the whole organisation, global services excepted",
    check=guardrail_values,
    stack_check=guardrail,
)
CONTROLS = (RES_14, RES_15)
