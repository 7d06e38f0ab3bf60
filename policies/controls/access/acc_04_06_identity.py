"""Identity: ACC-04 no static keys, ACC-05 least privilege to data, ACC-06 guarded node metadata."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.expectations import Expectation, check_expectations, is_named, one_of, values_at
from policies.framework.provenance import is_own, resolved_by_own_parts, sources
from policies.framework.remediation import PropertyPatch
from policies.framework.resources import Resource, Settings, Stack, StackResource
from policies.framework.unknowns import Unknown, dig, each
from policies.law import ACCESS, CONFINEMENT
from policies.readers.iam_documents import Statement, statements
from policies.readers.pod_specs import containers, pod_specs

ACCESS_KEYS = (
    "aws:iam/accessKey:AccessKey",
    "aws:iam/serviceSpecificCredential:ServiceSpecificCredential",
)
ACCOUNT_KEY = "gcp:serviceaccount/key:Key"
HMAC_KEY = "gcp:storage/hmacKey:HmacKey"
_KEYS = (*ACCESS_KEYS, ACCOUNT_KEY, HMAC_KEY)
GKE = "gcp:container/cluster:Cluster"
NODE_POOL = "gcp:container/nodePool:NodePool"
# The names under which the clouds' own libraries look for keys that never end.
SECRET_NAMES = frozenset({"AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "GOOGLE_CREDENTIALS"})
_LOOKS_LIKE_ONE = re.compile(
    r"\bAKIA[0-9A-Z]{16}\b|-----BEGIN (RSA |EC )?PRIVATE KEY-----|\"private_key\"\s*:"
)
_STATIC = "a key that never ends by itself"
_ROLES = "a role of the pod (Pod Identity, Workload Identity)"

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

METADATA = "metadataOptions"


def static_keys(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """ACC-04: no keys are made for workloads, nor handed to pods, and GKE gives pods identities of their own."""
    if resource.type in ACCESS_KEYS:
        yield from check_expectations(
            resource.props, [Expectation("status", one_of("Inactive"), _STATIC, f"no such key, but {_ROLES}")]
        )
    if resource.type == HMAC_KEY:
        yield from check_expectations(
            resource.props, [Expectation("state", one_of("INACTIVE"), _STATIC, f"no such key, but {_ROLES}")]
        )
    if resource.type == ACCOUNT_KEY:
        yield Finding(
            _STATIC,
            "serviceAccountId",
            _shown(resource.props.get("serviceAccountId")),
            f"no such key, but {_ROLES}",
        )
    if resource.type == GKE:
        what = "pods of the cluster have no identity of their own, but the node's"
        yield from check_expectations(
            resource.props,
            [Expectation("workloadIdentityConfig.workloadPool", is_named, what, "PROJECT.svc.id.goog")],
        )
    if resource.type.startswith("kubernetes:"):
        yield from _kept_in_kubernetes(resource)


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


def instance_metadata(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """ACC-06: a node's credentials are given out by session only, and no further than a pod away."""
    yield from check_expectations(resource.props, NODES.get(resource.type, ()))


def resolved(unknown: Unknown, resource: StackResource, _stack: Stack) -> bool:
    """An unknown value that comes from the stack's own resources, or was drawn at random, is a name and no access
    key, unless the resource is itself a key."""
    types = sources(unknown, resource)
    return bool(types) and all(is_own(type_, ("random:",)) and type_ not in _KEYS for type_ in types)


def _shown(value: Any) -> Any:
    return "unknown" if isinstance(value, Unknown) else value


def _kept_in_kubernetes(resource: Resource) -> Iterator[Finding | Unknown]:
    """Cloud keys in a pod's environment, a ConfigMap or a Secret."""
    if resource.type.endswith((":Secret", ":ConfigMap")) and resource.type.startswith("kubernetes:core/"):
        for block in ("data", "stringData", "binaryData"):
            yield from _entries(block, resource.props.get(block))
        return
    for found in pod_specs(resource.props):
        if isinstance(found, Unknown):
            yield found
            continue
        for inner in containers(*found):
            if isinstance(inner, Unknown):
                yield inner
            else:
                yield from _environment(*inner)


def _environment(where: str, container: dict[str, Any]) -> Iterator[Finding | Unknown]:
    env = container.get("env")
    if isinstance(env, Unknown):
        yield env
    for index, variable in enumerate(env if isinstance(env, list) else []):
        name, value = dig(variable, "name"), dig(variable, "value")
        if isinstance(variable, Unknown) or isinstance(name, Unknown):
            yield variable if isinstance(variable, Unknown) else name
        elif isinstance(name, str) and name in SECRET_NAMES:
            yield Finding(_STATIC, f"{where}.env[{index}].name", name, _ROLES)
        elif isinstance(value, Unknown):
            yield value
        elif isinstance(value, str) and _LOOKS_LIKE_ONE.search(value):
            yield Finding(_STATIC, f"{where}.env[{index}].value", "(not shown)", _ROLES)


def _entries(block: str, entries: Any) -> Iterator[Finding | Unknown]:
    if isinstance(entries, Unknown):
        yield entries
    for name, value in entries.items() if isinstance(entries, dict) else ():
        if name in SECRET_NAMES:
            yield Finding(_STATIC, f"{block}.{name}", "(not shown)", _ROLES)
        elif isinstance(value, Unknown):
            yield value
        elif any(_LOOKS_LIKE_ONE.search(text) for text in _readings(value)):
            yield Finding(_STATIC, f"{block}.{name}", "(not shown)", _ROLES)


def _readings(value: Any) -> Iterator[str]:
    """A text, and what it says in base64, as Secrets keep it."""
    if not isinstance(value, str):
        return
    yield value
    try:
        yield base64.b64decode(value, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return


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


def _few_hops(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value <= 2


def _sessions(prefix: str, *, default: bool = False) -> tuple[Expectation, ...]:
    what = "whoever gets one plain request through to the node's metadata takes its credentials"
    return (
        Expectation(f"{prefix}httpTokens", one_of("required"), what, "required", absent=default),
        Expectation(
            f"{prefix}httpPutResponseHopLimit",
            _few_hops,
            "a node's credentials travel too far from it",
            "1, or 2 where pods need it",
            absent=True,
        ),
    )


_GOOGLE_METADATA = "pods may ask the node's metadata for its credentials"
NODES: dict[str, tuple[Expectation, ...]] = {
    "aws:ec2/launchTemplate:LaunchTemplate": _sessions(f"{METADATA}."),
    "aws:ec2/instance:Instance": _sessions(f"{METADATA}."),
    "aws:ec2/launchConfiguration:LaunchConfiguration": _sessions(f"{METADATA}."),
    "aws:ec2/instanceMetadataDefaults:InstanceMetadataDefaults": _sessions(""),
    # Karpenter requires sessions, one hop away, unless told otherwise.
    "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass": _sessions(f"spec?.{METADATA}?.", default=True),
    "aws:sagemaker/notebookInstance:NotebookInstance": (
        Expectation(
            "instanceMetadataServiceConfiguration.minimumInstanceMetadataServiceVersion",
            lambda value: value in ("2", 2),
            "the notebook gives out credentials without a session",
            "2",
        ),
    ),
    NODE_POOL: (
        Expectation(
            "nodeConfig.workloadMetadataConfig.mode", one_of("GKE_METADATA"), _GOOGLE_METADATA, "GKE_METADATA"
        ),
    ),
    GKE: (
        Expectation(
            "nodeConfig?.workloadMetadataConfig.mode",
            one_of("GKE_METADATA"),
            _GOOGLE_METADATA,
            "GKE_METADATA",
        ),
    ),
}

# Where a program leaves the hop limit out, the cloud's own is as few: nothing to fill in.
_SESSION_TOKENS = {
    "aws:ec2/launchTemplate:LaunchTemplate": (METADATA, "httpTokens"),
    "aws:ec2/instance:Instance": (METADATA, "httpTokens"),
    "aws:ec2/launchConfiguration:LaunchConfiguration": (METADATA, "httpTokens"),
    "aws:ec2/instanceMetadataDefaults:InstanceMetadataDefaults": ("httpTokens",),
}


def sessions(resource: Resource, _settings: Settings) -> Iterator[PropertyPatch]:
    """ACC-06: `httpTokens` required, on machines of AWS."""
    if path := _SESSION_TOKENS.get(resource.type):
        yield PropertyPatch(path, "required")


ACC_04 = Control(
    id="DPDP-ACC-04",
    title="No static keys",
    law=ACCESS,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=(*ACCESS_KEYS, ACCOUNT_KEY, HMAC_KEY, GKE, "kubernetes:"),
    remedy="give the workload a role of its own, by Pod Identity, IRSA or Workload Identity",
    check=static_keys,
    resolves=resolved,
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
ACC_06 = Control(
    id="DPDP-ACC-06",
    title="Node metadata asks for a session",
    law=CONFINEMENT,
    severity=Severity.MEDIUM,
    level=EnforcementLevel.MANDATORY,
    types=tuple(NODES),
    remedy="metadataOptions with httpTokens required and a hop limit of 1 (GKE: GKE_METADATA)",
    remedies={
        "aws:": "metadataOptions with httpTokens required and a hop limit of 1",
        "gcp:": "workloadMetadataConfig with mode GKE_METADATA, and workloadIdentityConfig on the cluster",
    },
    check=instance_metadata,
    remediate=sessions,
)
CONTROLS = (ACC_04, ACC_05, ACC_06)
