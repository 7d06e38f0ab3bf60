"""What an organisation writes for all its accounts: RES-15 guardrails that keep data in India, without a door."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.provenance import resolved_by_own_parts
from policies.framework.resources import Resource, Settings, Stack, StackResource, document
from policies.framework.unknowns import Leaf, Unknown, dig, dotted, each, leaves
from policies.law import RESIDENCY_GUARD
from policies.readers import locations
from policies.readers.iam_documents import Statement, statements
from policies.readers.region_guardrails import first_data_action, is_about_regions, is_everybody, loopholes

POLICY = "aws:organizations/policy:Policy"
POLICY_ATTACHED = "aws:organizations/policyAttachment:PolicyAttachment"
ORGANISATION = (
    "aws:organizations/organization:Organization",
    "aws:organizations/organizationalUnit:OrganizationalUnit",
    "aws:organizations/account:Account",
)
ACCOUNT_REGION = "aws:account/region:Region"
TOWER = "aws:controltower/controlTowerControl:ControlTowerControl"
GCP_FOLDER = "gcp:organizations/folder:Folder"
# Google's constraints: where each type has the constraint's name, and its body.
CONSTRAINTS = {
    "gcp:orgpolicy/policy:Policy": ("name", "spec"),
    "google-native:orgpolicy/v2:Policy": ("name", "spec"),
    "google-native:orgpolicy/v2:OrganizationPolicy": ("name", "spec"),
    "gcp:organizations/policy:Policy": ("constraint", ""),
    "gcp:folder/organizationPolicy:OrganizationPolicy": ("constraint", ""),
    "gcp:projects/organizationPolicy:OrganizationPolicy": ("constraint", ""),
    "kubernetes:orgpolicy.cnrm.cloud.google.com/v1beta1:OrgPolicyPolicy": ("spec.resourceID", "spec.spec"),
    "kubernetes:resourcemanager.cnrm.cloud.google.com/v1beta1:ResourceManagerPolicy": (
        "spec.constraint",
        "spec",
    ),
}
LOCATIONS = "gcp.resourceLocations"
INDIAN_GROUPS = frozenset(
    {"in:in-locations", *(f"in:{region}-locations" for region in locations.GCP_REGIONS)}
)
# Constraints that keep data from strangers, and are worth nothing once they are off or allow everything.
_GUARDS = (
    "iam.allowedPolicyMemberDomains",
    "iam.managed.allowedPolicyMembers",
    "storage.publicAccessPrevention",
    "sql.restrictPublicIp",
)
# EC2's declarative policies: what else than "unblocked" keeps images and snapshots from everybody.
_EC2_BLOCKS = ("image_block_public_access", "snapshot_block_public_access")


def guardrail_values(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """RES-15: no account opens a region abroad; what denies regions, data to strangers or AI leaves nobody out."""
    if resource.type == ACCOUNT_REGION:
        yield from _opened(resource.props)
    elif resource.type == POLICY:
        yield from _policy(resource.props.get("content"))
    elif resource.type == TOWER:
        yield from _tower(resource.props.get("parameters"))
    else:
        yield from _constraint(resource)


def guardrail(stack: Stack, _settings: Settings) -> Iterator[tuple[str, Finding]]:
    """RES-15: who makes accounts or folders of an organisation also denies them all regions but the Indian ones."""
    if any(stack.of(*ORGANISATION)) and not any(_denies_abroad(stack, policy) for policy in stack.of(POLICY)):
        yield (
            stack.urn,
            Finding(
                "no service control policy denies regions abroad",
                "the AWS organisation",
                None,
                f"an attached Deny where aws:RequestedRegion is none of {', '.join(locations.AWS_REGIONS)}, "
                "which leaves out neither data services nor every role",
            ),
        )
    if any(stack.of(GCP_FOLDER)) and not any(_limits_locations(policy) for policy in stack.of(*CONSTRAINTS)):
        yield (
            stack.urn,
            Finding(
                "no organisation policy limits where resources may be",
                "the Google organisation",
                None,
                f"{LOCATIONS} with {', '.join(sorted(INDIAN_GROUPS))}",
            ),
        )


# AWS


def _opened(props: dict[str, Any]) -> Iterator[Finding | Unknown]:
    enabled, name = props.get("enabled"), props.get("regionName")
    if isinstance(enabled, Unknown) or isinstance(name, Unknown):
        yield from (one for one in (enabled, name) if isinstance(one, Unknown))
    elif enabled not in (False, "false") and name not in locations.AWS_REGIONS:
        yield Finding("the account opens a region abroad", "regionName", name, locations.EXPECTED_AWS)


def _policy(content: Any) -> Iterator[Finding | Unknown]:
    if isinstance(content, Unknown):
        yield content
        return
    tree = document(content)
    if not isinstance(tree, dict):
        return
    if "Statement" in tree:
        yield from _guardrail_of_regions(content)
    for leaf in leaves(tree):
        yield from _inherited(leaf)
    yield from _copies(tree)


def _guardrail_of_regions(content: Any) -> Iterator[Finding | Unknown]:
    for statement in statements(content, "content"):
        if not isinstance(statement, Statement):
            yield statement
        elif is_about_regions(statement):
            for hole in loopholes(statement):
                yield Finding(
                    hole.what, hole.where, hole.value, "global services, and callers by name, alone left out"
                )


def _inherited(leaf: Leaf) -> Iterator[Finding]:
    """Words of AI opt-out and declarative policies, whose values are under `@@assign`."""
    if "opt_out_policy" in leaf.path and str(leaf.value).lower() == "optin":
        yield Finding(
            "AI services may keep what they are given, in other regions too",
            f"content.{dotted(leaf.path)}",
            leaf.value,
            "optOut",
            fix="opt out of the use of content by AI services, for the whole organisation",
        )
    elif any(one in leaf.path for one in _EC2_BLOCKS) and leaf.value == "unblocked":
        yield Finding(
            "images and snapshots may be given to everybody",
            f"content.{dotted(leaf.path)}",
            leaf.value,
            "block_new_sharing or block_all_sharing",
        )


def _copies(tree: dict[str, Any]) -> Iterator[Finding]:
    """The vaults that a backup policy copies to are keys; RES-01 and the walk of references read values."""
    for leaf in leaves(tree.get("plans")):
        if "copy_actions" not in leaf.path:
            continue
        vault = leaf.path[leaf.path.index("copy_actions") + 1 :][:1]
        arn = locations.arn(str(vault[0])) if vault else None
        if arn and arn.region not in locations.AWS_REGIONS:
            yield Finding(
                "backups are copied abroad", "content.plans.copy_actions", vault[0], locations.EXPECTED_AWS
            )


def _tower(parameters: Any) -> Iterator[Finding | Unknown]:
    """Control Tower's own guardrail of regions (CT.MULTISERVICE.PV.1) takes exemptions as parameters."""
    for index, parameter in enumerate(each(parameters)):
        if isinstance(parameter, Unknown):
            yield parameter
            continue
        key, value = str(dig(parameter, "key")).lower(), document(dig(parameter, "value"))
        where = f"parameters[{index}].value"
        if isinstance(value, Unknown):
            yield value
        elif key == "exemptedprincipalarns" and any(map(is_everybody, each(value))):
            yield Finding("every caller is left out of the guardrail", where, value, "callers by name")
        elif key == "exemptedactions" and (action := first_data_action([str(one) for one in each(value)])):
            yield Finding(f"{action} is left out of the guardrail", where, value, "global services alone")


def _denies_abroad(stack: Stack, policy: StackResource) -> bool:
    attached = any(
        source.urn == policy.urn
        for other in stack.of(POLICY_ATTACHED)
        for source in other.sources("policyId")
    ) or any(
        other.props.get("policyId") == policy.props.get("id") is not None
        for other in stack.of(POLICY_ATTACHED)
    )
    return attached and any(
        isinstance(statement, Statement) and is_about_regions(statement) and not any(loopholes(statement))
        for statement in statements(policy.props.get("content"), "content")
    )


# Google


@dataclass(frozen=True)
class _Constraint:
    name: Any
    where: str
    body: Any

    def at(self, *names: str) -> str:
        return ".".join(filter(None, (self.where, *names)))


def _read_constraint(type_: str, props: dict[str, Any]) -> _Constraint:
    name, body = CONSTRAINTS[type_]
    return _Constraint(dig(props, *name.split(".")), body, dig(props, *body.split(".")) if body else props)


def _constraint(resource: Resource) -> Iterator[Finding | Unknown]:
    constraint = _read_constraint(resource.type, resource.props)
    if isinstance(constraint.name, Unknown):
        yield constraint.name
    elif str(constraint.name).endswith(LOCATIONS):
        yield from _locations(constraint)
    elif str(constraint.name).endswith(_GUARDS):
        yield from _switched_off(constraint)


def _locations(constraint: _Constraint) -> Iterator[Finding | Unknown]:
    body = constraint.body
    if isinstance(body, Unknown):
        yield body
        return
    if str(dig(body, "reset")).lower() == "true":
        yield Finding(
            "every location is allowed again", constraint.at("reset"), True, "Indian locations only"
        )
    if isinstance(body, dict) and {"listPolicy", "restorePolicy", "booleanPolicy"} & body.keys():
        if str(dig(body, "listPolicy", "deny", "all")).lower() != "true":
            yield from _indian_groups(
                constraint.at("listPolicy.allow.values"), dig(body, "listPolicy", "allow", "values")
            )
    else:
        yield from _allowed(constraint.at("rules"), dig(body, "rules"))


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


def _switched_off(constraint: _Constraint) -> Iterator[Finding | Unknown]:
    if isinstance(constraint.body, Unknown):
        yield constraint.body
        return
    off = {
        "allowAll": "true",
        "all": "true",
        "enforce": "false",
        "enforced": "false",
        "reset": "true",
        "default": "true",
    }
    for leaf in leaves(constraint.body):
        if leaf.name not in off or "dryRunSpec" in leaf.path:
            continue
        if isinstance(leaf.value, Unknown):
            yield leaf.value
        elif str(leaf.value).lower() == off[leaf.name] and "deny" not in leaf.path:
            yield Finding(
                "a guardrail against strangers is off",
                constraint.at(dotted(leaf.path)),
                leaf.value,
                f"{constraint.name} enforced",
            )


def _limits_locations(policy: StackResource) -> bool:
    """A policy that is only tried (`dryRunSpec`) or taken back (`reset`) limits nothing."""
    constraint = _read_constraint(policy.type, policy.props)
    return (
        str(constraint.name).endswith(LOCATIONS)
        and constraint.body is not None
        and str(dig(constraint.body, "reset")).lower() != "true"
    )


RES_15 = Control(
    id="DPDP-RES-15",
    title="Region guardrail of the organisation",
    law=RESIDENCY_GUARD,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=(ACCOUNT_REGION, POLICY, TOWER, *CONSTRAINTS),
    remedy="deny all regions but the Indian ones to the whole organisation, global services excepted",
    check=guardrail_values,
    stack_check=guardrail,
    resolves=resolved_by_own_parts,
)
CONTROLS = (RES_15,)
