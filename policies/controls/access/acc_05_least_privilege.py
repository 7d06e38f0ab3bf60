"""ACC-05: least privilege to data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.expectations import Expectation, check_expectations, is_named, values_at
from policies.framework.provenance import resolved_by_own_parts
from policies.framework.resources import Resource, Settings
from policies.framework.unknowns import Unknown, dig, each
from policies.law import ACCESS
from policies.readers.iam_documents import Statement, statements

IDENTITY_POLICIES: dict[str, str] = {
    # Where each type keeps its document.
    "aws:iam/policy:Policy": "policy",
    "aws:iam/rolePolicy:RolePolicy": "policy",
    "aws:iam/userPolicy:UserPolicy": "policy",
    "aws:iam/groupPolicy:GroupPolicy": "policy",
    "aws:iam/role:Role": "inlinePolicies?.policy?",
    "aws:ssoadmin/permissionSetInlinePolicy:PermissionSetInlinePolicy": "inlinePolicy",
}
ATTACHMENTS: dict[str, str] = {
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": "policyArn",
    "aws:iam/userPolicyAttachment:UserPolicyAttachment": "policyArn",
    "aws:iam/groupPolicyAttachment:GroupPolicyAttachment": "policyArn",
    "aws:iam/policyAttachment:PolicyAttachment": "policyArn",
    "aws:iam/role:Role": "managedPolicyArns?",
}
_EVERYTHING = (
    "AdministratorAccess",
    "AmazonBedrockFullAccess",
    "AmazonDynamoDBFullAccess",
    "AmazonRDSFullAccess",
    "AmazonRedshiftFullAccess",
    "AmazonS3FullAccess",
    "AmazonSageMakerFullAccess",
    "PowerUserAccess",
)
# Over a whole project, folder or organisation.
GRANTS = tuple(
    f"gcp:{scope}/iAM{kind}:IAM{kind}"
    for scope in ("projects", "folder", "organizations")
    for kind in ("Member", "Binding")
)
_BROAD_ROLES = frozenset(
    {
        "roles/owner",
        "roles/editor",
        "roles/viewer",
        "roles/storage.admin",
        "roles/storage.objectAdmin",
        "roles/bigquery.admin",
        "roles/bigquery.dataOwner",
        "roles/cloudsql.admin",
        "roles/spanner.admin",
    }
)
KUBERNETES_ROLES = (
    "kubernetes:rbac.authorization.k8s.io/v1:Role",
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole",
)
LAKE_GRANT = "aws:lakeformation/permissions:Permissions"
_DATA_SERVICES = ("s3", "dynamodb", "rds", "redshift", "lakeformation", "kinesis", "es", "aoss", "s3vectors")


def least_privilege(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """ACC-05: nobody may do everything with a store of data, or reach all of them at once."""
    if path := IDENTITY_POLICIES.get(resource.type):
        for where, policy in values_at(resource.props, path):
            for found in statements(policy, where):
                if isinstance(found, Statement):
                    yield from _statement(found.at, found.body)
                else:
                    yield found
    if path := ATTACHMENTS.get(resource.type):
        yield from _attached(resource.props, path)
    if resource.type in GRANTS:
        what = "the role reaches every store of data of the project"
        good = lambda role: is_named(role) and role not in _BROAD_ROLES  # noqa: E731
        yield from check_expectations(
            resource.props, [Expectation("role", good, what, "a role on the one store, or a narrower one")]
        )
    if resource.type in KUBERNETES_ROLES:
        yield from _kubernetes_role(resource.props)
    if resource.type == LAKE_GRANT:
        everyone = lambda name: is_named(name) and name != "IAM_ALLOWED_PRINCIPALS"  # noqa: E731
        what = "whoever IAM lets in may read the lake"
        yield from check_expectations(
            resource.props, [Expectation("principal", everyone, what, "a named role")]
        )


def _statement(where: str, statement: dict[str, Any]) -> Iterator[Finding]:
    if statement.get("Effect") != "Allow":
        return
    if "NotAction" in statement:
        yield Finding(
            "the policy allows all but what it names",
            f"{where}.NotAction",
            statement["NotAction"],
            "the actions that are needed",
        )
    everywhere = any(
        resource in ("*", "arn:aws:s3:::*", "arn:aws:s3:::*/*")
        for resource in each(statement.get("Resource"))
    )
    for action in each(statement.get("Action")):
        if _is_everything(action):
            yield Finding(
                "the policy allows everything with a store of data",
                f"{where}.Action",
                action,
                "the actions that are needed",
            )
        elif everywhere and _reads_or_writes(action) and not statement.get("Condition"):
            yield Finding(
                "the policy reaches every bucket or table",
                f"{where}.Resource",
                statement.get("Resource"),
                "the stores that are needed",
            )


def _is_everything(action: Any) -> bool:
    if not isinstance(action, str):
        return True
    service, _, verb = action.lower().partition(":")
    return service == "*" or (service in _DATA_SERVICES and verb == "*")


def _reads_or_writes(action: str) -> bool:
    """Object and item access: `s3:GetObject`, `s3:Get*`, `dynamodb:Query`; not lists of buckets or their settings."""
    service, _, verb = action.lower().partition(":")
    if service == "s3":
        return verb.startswith(("getobject", "putobject", "deleteobject")) or verb in (
            "get*",
            "put*",
            "delete*",
        )
    return service == "dynamodb" and verb.startswith(
        ("get", "query", "scan", "put", "update", "delete", "batch")
    )


def _attached(props: dict[str, Any], path: str) -> Iterator[Finding | Unknown]:
    for at, value in values_at(props, path):
        for index, arn in enumerate(each(value) or [None]):
            if isinstance(arn, Unknown):
                yield arn
            elif not isinstance(arn, str) or not arn or arn.rpartition("/")[2] in _EVERYTHING:
                where = f"{at}[{index}]" if isinstance(value, list) else at
                what = "the policy allows everything with stores of data"
                yield Finding(what, where, arn, "a policy of your own")


def _kubernetes_role(props: dict[str, Any]) -> Iterator[Finding | Unknown]:
    rules = props.get("rules")
    if isinstance(rules, Unknown):
        yield rules
        return
    for index, rule in enumerate(each(rules)):
        asked = {name: dig(rule, name) for name in ("verbs", "resources", "apiGroups")}
        parts = [rule, *asked.values(), *(one for many in asked.values() for one in each(many))]
        if unknown := next((part for part in parts if isinstance(part, Unknown)), None):
            yield unknown
            continue
        of_secrets = any(one in ("*", "secrets") for one in each(asked["resources"]))
        of_core = any(one in ("*", "") for one in each(asked["apiGroups"]))
        if of_secrets and of_core and "*" in each(asked["verbs"]):
            yield Finding(
                "the role may do everything with secrets",
                f"rules[{index}].verbs",
                asked["verbs"],
                "the verbs that are needed",
            )


ACC_05 = Control(
    id="DPDP-ACC-05",
    title="Least privilege to data",
    law=ACCESS,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=(*IDENTITY_POLICIES, *ATTACHMENTS, *GRANTS, *KUBERNETES_ROLES, LAKE_GRANT),
    remedy="allow the actions that are needed, on the stores that they are needed for",
    check=least_privilege,
    resolves=resolved_by_own_parts,
)
CONTROLS = (ACC_05,)
