"""Shares: RES-20 nothing is shared with everybody, nor with accounts that are not declared as kept in India.

An account number says nothing about a country, so that outside accounts are declared (`indianAccounts`). The stack's
own need not be: resources of the stack have it in their ARNs once made, and before that its keys tell it, since KMS
refuses a key policy under which the caller could not change that policy again.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.provenance import settled_by_own_parts
from policies.framework.resources import Resource, Settings, Stack, StackResource, document
from policies.framework.unknowns import Leaf, Unknown, dotted, each, leaves
from policies.law import ACCESS, RESIDENCY_GUARD
from policies.readers.iam_documents import PUBLIC_MEMBERS, Statement, account, is_narrowed, statements

KEY = "aws:kms/key:Key"
# Where policies of resources are written, by type.
DOCUMENTS = {
    KEY: "policy",
    "aws:kms/keyPolicy:KeyPolicy": "policy",
    "aws:kms/externalKey:ExternalKey": "policy",
    "aws:sqs/queue:Queue": "policy",
    "aws:sqs/queuePolicy:QueuePolicy": "policy",
    "aws:sns/topic:Topic": "policy",
    "aws:sns/topicPolicy:TopicPolicy": "policy",
    "aws:s3/bucketPolicy:BucketPolicy": "policy",
    "aws:s3/bucket:Bucket": "policy",
    "aws:s3control/accessPointPolicy:AccessPointPolicy": "policy",
    "aws:secretsmanager/secretPolicy:SecretPolicy": "policy",
    "aws:ecr/repositoryPolicy:RepositoryPolicy": "policy",
    "aws:ecr/registryPolicy:RegistryPolicy": "policy",
    "aws:efs/fileSystemPolicy:FileSystemPolicy": "policy",
    "aws:dynamodb/resourcePolicy:ResourcePolicy": "policy",
    "aws:kinesis/resourcePolicy:ResourcePolicy": "policy",
    "aws:glue/resourcePolicy:ResourcePolicy": "policy",
    "aws:backup/vaultPolicy:VaultPolicy": "policy",
    "aws:opensearch/domainPolicy:DomainPolicy": "accessPolicies",
    "aws:opensearch/domain:Domain": "accessPolicies",
    "aws:cloudwatch/logDestinationPolicy:LogDestinationPolicy": "accessPolicy",
    "aws:cloudwatch/logResourcePolicy:LogResourcePolicy": "policyDocument",
    "aws:iam/role:Role": "assumeRolePolicy",
}
# Properties that name whom something is shared with: accounts, ARNs, or a word for everybody.
GRANTEES = {
    "aws:ec2/amiLaunchPermission:AmiLaunchPermission": (
        "accountId", "group", "organizationArn", "organizationalUnitArn",
    ),
    "aws:ec2/snapshotCreateVolumePermission:SnapshotCreateVolumePermission": ("accountId",),
    "aws:rds/snapshot:Snapshot": ("sharedAccounts",),
    "aws:rds/clusterSnapshot:ClusterSnapshot": ("sharedAccounts",),
    "aws:ram/principalAssociation:PrincipalAssociation": ("principal",),
    "aws:kms/grant:Grant": ("granteePrincipal", "retiringPrincipal"),
    "aws:lambda/permission:Permission": ("principal",),
    "aws:lambda/layerVersionPermission:LayerVersionPermission": ("principal",),
    "aws:ec2/vpcEndpointServiceAllowedPrinciple:VpcEndpointServiceAllowedPrinciple": ("principalArn",),
    "aws:ec2/vpcEndpointService:VpcEndpointService": ("allowedPrincipals",),
    "aws:redshift/dataShareAuthorization:DataShareAuthorization": ("consumerIdentifier",),
    "aws:cloudwatch/eventPermission:EventPermission": ("principal",),
}  # fmt: skip
RESOURCE_SHARE = "aws:ram/resourceShare:ResourceShare"
_MEMBERS = ("iammember:", "iambinding:", "iampolicy:")
_EVERYBODY = ("*", "all", "arn:aws:iam::*:root")
# Types whose output `arn` has the number of the account that they are made in.
_OWN_ARN = (
    KEY,
    "aws:sqs/queue:Queue",
    "aws:sns/topic:Topic",
    "aws:iam/role:Role",
    "aws:ecr/repository:Repository",
)


def shares(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
    """RES-20: no image, snapshot, share, policy or Google role is for everybody, or for whom nobody knows yet."""
    if resource.type.startswith("gcp:"):
        yield from _members(resource, settings)
    if resource.type == RESOURCE_SHARE:
        yield from _outside(resource.props.get("allowExternalPrincipals"))
    for leaf in _grantees(resource.type, resource.props):
        if isinstance(leaf.value, Unknown):
            yield leaf.value
        elif str(leaf.value).lower() in _EVERYBODY:
            yield _public(dotted(leaf.path), leaf.value)
    for statement in _statements(resource.type, resource.props):
        if not isinstance(statement, Statement):
            yield statement
        elif any(one in _EVERYBODY for one in statement.principals()) and not _is_bounded(statement):
            yield _public(f"{statement.at}.Principal", statement.body.get("Principal"))


def outside_accounts(stack: Stack, settings: Settings) -> Iterator[tuple[str, Finding]]:
    """RES-20: whom policies, images, snapshots and shares name is the stack's own account or a declared one."""
    known = {one for one in each(settings.get("indianAccounts")) if isinstance(one, str)} | own_accounts(
        stack
    )
    for resource in stack.of(*DOCUMENTS, *GRANTEES):
        for where, principal in _named(resource):
            number = account(principal)
            organisation = ":organizations:" in principal
            if (number and number not in known) or (organisation and principal not in known):
                yield (
                    resource.urn,
                    Finding(
                        "it is shared with an account that nobody has declared",
                        where,
                        principal,
                        "this stack's account, or one of the setting indianAccounts",
                    ),
                )


def own_accounts(stack: Stack) -> set[str]:
    """The account that the stack is in, as far as it shows: by ARNs, by the providers' list, by the keys."""
    shown = {str(one.props.get("arn")) for one in stack.beside(*_OWN_ARN)}
    for provider in stack.beside("pulumi:providers:aws"):
        shown |= {str(one) for one in each(document(provider.props.get("allowedAccountIds")))}
    if own := {number for one in shown if (number := account(one))}:
        return own
    keepers = {
        number
        for key in stack.beside(KEY)
        for statement in _statements(KEY, key.props)
        if isinstance(statement, Statement)
        and any(fnmatchcase("kms:putkeypolicy", action.lower()) for action in statement.texts("Action"))
        for principal in statement.principals()
        if (number := account(principal))
    }
    return keepers if len(keepers) == 1 else set()


def _grantees(type_: str, props: dict[str, Any]) -> Iterator[Leaf]:
    return leaves({name: props.get(name) for name in GRANTEES.get(type_, ())})


def _statements(type_: str, props: dict[str, Any]) -> Iterator[Statement | Finding | Unknown]:
    """What a resource's policy allows, and what in it can't be read or known."""
    prop = DOCUMENTS.get(type_, "")
    if props.get(prop) is not None:
        yield from (
            one for one in statements(props[prop], prop) if not isinstance(one, Statement) or one.allows
        )


def _named(resource: StackResource) -> Iterator[tuple[str, str]]:
    for leaf in _grantees(resource.type, resource.props):
        if isinstance(leaf.value, str):
            yield dotted(leaf.path), leaf.value
    for statement in _statements(resource.type, resource.props):
        if isinstance(statement, Statement):
            yield from ((f"{statement.at}.Principal", one) for one in statement.principals())


def _is_bounded(statement: Statement) -> bool:
    """By a condition on who asks, or from where; KMS and others have keys of their own for that."""
    return is_narrowed(statement.body) or any(
        key in ("kms:calleraccount", "lambda:functionurlauthtype") and operator.startswith("stringequals")
        for operator, key, _ in statement.conditions()
    )


def _outside(value: Any) -> Iterator[Finding | Unknown]:
    if isinstance(value, Unknown):
        yield value
    elif value not in (None, False, "false"):
        yield Finding(
            "the share may be offered to any account",
            "allowExternalPrincipals",
            value,
            "false: this organisation only",
        )


def _members(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
    if not any(part in resource.type.lower() for part in _MEMBERS):
        return
    domains = [one for one in each(settings.get("ownDomains")) if isinstance(one, str)]
    given = {name: resource.props.get(name) for name in ("member", "members")}
    given["policyData"] = document(resource.props.get("policyData"))
    for leaf in leaves(given):
        if isinstance(leaf.value, Unknown):
            yield leaf.value
        elif leaf.name not in ("member", "members"):
            continue
        elif str(leaf.value) in PUBLIC_MEMBERS:
            yield _public(dotted(leaf.path), leaf.value)
        elif domains and _is_stranger(str(leaf.value), domains):
            yield Finding(
                "the member is of another domain",
                dotted(leaf.path),
                leaf.value,
                f"members of {', '.join(domains)}",
            )


def _is_stranger(member: str, domains: list[str]) -> bool:
    kind, _, who = member.partition(":")
    return kind in ("user", "group", "domain") and who.rpartition("@")[2] not in domains


def _public(where: str, value: Any) -> Finding:
    return Finding("it is shared with everybody", where, value, "named accounts or members", law=ACCESS)


RES_20 = Control(
    id="DPDP-RES-20",
    title="Nothing shared with strangers",
    law=RESIDENCY_GUARD,
    other_laws=(ACCESS,),
    severity=Severity.CRITICAL,
    level=EnforcementLevel.MANDATORY,
    types=(*DOCUMENTS, *GRANTEES, RESOURCE_SHARE, "gcp:"),
    remedy="name the accounts that may have it, and declare those in the policy's setting indianAccounts",
    check=shares,
    stack_check=outside_accounts,
    settles=settled_by_own_parts,
    settings={
        "indianAccounts": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "AWS accounts and organisation ARNs that keep what they are given in India",
        },
        "ownDomains": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "domains of your people; named, every user and group of another is a finding",
        },
    },
)
CONTROLS = (RES_20,)
