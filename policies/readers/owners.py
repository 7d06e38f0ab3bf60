"""Whose the stack is: its AWS accounts, Google projects and canonical users, by every way that shows them.

Nothing in a preview says which account a program works in. What its resources are called once made does, and so do
the provider's own settings, the role that it assumes, the keys (KMS refuses a key policy under which the caller could
not change that policy again), and what only one's own account may be named in: the role of a service, or the resource
that a policy is put on.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from policies.framework.resources import Stack, StackResource, document
from policies.framework.unknowns import dig, each, leaves
from policies.readers.iam_documents import Statement, account, statements
from policies.readers.tables import table

KEY = "aws:kms/key:Key"
_PROVIDER = "pulumi:providers:aws"
# Outputs and inputs that have the number of the account that a resource is made in.
_OWN_NUMBERS = ("registryId", "ownerId", "ownerAccount")
# These say whose something else is: an invitation, a share, an account that is made.
_OF_OTHERS = ("aws:ram/", "aws:organizations/", "aws:guardduty/", "aws:ec2/vpcPeering", "aws:directconnect/")
# A service takes a role of its own account only, and a policy is put on a resource of the caller's account only.
_OWN_ROLES = re.compile(r"(?:^|[a-z])[rR]ole(?:Arn)?$")
_POLICY_TYPES = re.compile(r"[pP]olicy(?:Attachment)?:|Permissions?:")
_TARGETS = (
    "resourceArn",
    "clusterArn",
    "secretArn",
    "streamArn",
    "topicArn",
    "tableBucketArn",
    "sinkIdentifier",
)
_PROJECT_PATH = re.compile(r"(?:^|/)projects/([^/]+)(?:/|$)")


def accounts(stack: Stack) -> set[str]:
    """The AWS accounts that the stack is in, as far as it shows."""
    shown = set(_numbers(_arns(stack)))
    if shown:
        return shown
    keepers = set(_keepers(stack))
    if len(keepers) == 1:
        return keepers
    roles = set(_numbers(_passed(stack)))
    return roles if len(roles) == 1 else set()


def services() -> frozenset[str]:
    """AWS's own accounts and canonical users, by which its services write (data/service_accounts.csv)."""
    return _services()


def canonical_users(stack: Stack) -> set[str]:
    """The canonical users that are the stack's own: of its distributions, and the owners in its access lists."""
    found = set[str]()
    for resource in stack.all():
        if resource.type.startswith("aws:"):
            owner = dig(resource.props, "accessControlPolicy", "owner", "id")
            found |= {str(one) for one in (resource.props.get("s3CanonicalUserId"), owner) if one}
    return found


def projects(stack: Stack) -> set[str]:
    """The Google projects that the stack works in, by name and by number."""
    found = set[str]()
    for resource in stack.all():
        if not resource.type.startswith(("gcp:", "pulumi:providers:gcp")):
            continue
        for name in ("project", "projectId", "number", "projectNumber"):
            if isinstance(resource.props.get(name), str):
                found.add(resource.props[name].removeprefix("projects/"))
        if resource.provider and isinstance(project := resource.alone.provider_props.get("project"), str):
            found.add(project)
    return found


def project_of(text: str) -> str:
    """The project in a path of Google's (`projects/p/global/networks/n`), or the text itself."""
    found = _PROJECT_PATH.search(text)
    return found[1] if found else text


def _numbers(texts: Iterator[Any]) -> Iterator[str]:
    return (number for text in texts if isinstance(text, str) and (number := account(text)))


def _arns(stack: Stack) -> Iterator[Any]:
    for resource in stack.all():
        if resource.type == _PROVIDER:
            yield from _of_provider(resource.props)
        elif resource.type.startswith("aws:"):
            yield from _of_provider(resource.alone.provider_props)
            yield from _of_resource(resource)


def _of_resource(resource: StackResource) -> Iterator[Any]:
    """The resource's own ARN, an output. An `arn` among the inputs may be another's, so only types without that input
    count."""
    if resource.type.startswith(_OF_OTHERS):
        return
    if "arn" not in resource.inputs or resource.type in _TAKE_NO_ARN:
        yield resource.props.get("arn")
    yield from (resource.props.get(name) for name in _OWN_NUMBERS if name not in resource.inputs)


_TAKE_NO_ARN = (
    KEY,
    "aws:sqs/queue:Queue",
    "aws:sns/topic:Topic",
    "aws:iam/role:Role",
    "aws:ecr/repository:Repository",
)


def _of_provider(props: dict[str, Any]) -> Iterator[Any]:
    yield from each(document(props.get("allowedAccountIds")))
    # Roles are assumed in turn; the last is the one that works.
    chain = each(document(props.get("assumeRoles"))) or each(document(props.get("assumeRole")))
    if chain:
        yield dig(chain[-1], "roleArn")


def _keepers(stack: Stack) -> Iterator[str]:
    for key in stack.beside(KEY):
        if key.props.get("policy") is None:
            continue
        for statement in statements(key.props["policy"], "policy"):
            if isinstance(statement, Statement) and statement.allows and _may_change_the_policy(statement):
                yield from _numbers(iter(statement.principals()))


def _may_change_the_policy(statement: Statement) -> bool:
    return any(fnmatchcase("kms:putkeypolicy", action.lower()) for action in statement.texts("Action"))


def _passed(stack: Stack) -> Iterator[Any]:
    for resource in stack.all():
        if not resource.type.startswith("aws:"):
            continue
        if _POLICY_TYPES.search(resource.type):
            yield from (resource.props.get(name) for name in _TARGETS)
        else:
            yield from (leaf.value for leaf in leaves(resource.props) if _OWN_ROLES.search(leaf.name))


@functools.cache
def _services() -> frozenset[str]:
    return frozenset(row["principal"] for row in table("service_accounts.csv"))
