"""Access: ACC-01 no public object storage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.remediation import PropertyPatch
from policies.framework.resources import Resource, Settings, Stack, StackResource
from policies.framework.unknowns import Unknown, dotted, each, leaves
from policies.law import ACCESS
from policies.readers.iam_documents import PUBLIC_MEMBERS, Statement, is_narrowed, statements
from policies.readers.s3_buckets import BUCKET_POLICIES, BUCKETS

BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
ACCOUNT_BLOCK = "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock"
GCS_BUCKET = "gcp:storage/bucket:Bucket"
SWITCHES = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
THE_BLOCK = "the switches"
GCS_SWITCHES = {"publicAccessPrevention": "enforced", "uniformBucketLevelAccess": True}

_PUBLIC_ACLS = ("public-read", "public-read-write", "authenticated-read")
_PUBLIC_GROUPS = ("/groups/global/AllUsers", "/groups/global/AuthenticatedUsers")


def object_storage(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """ACC-01 before a resource is made: blocks are complete, no public ACL, policy or member."""
    if resource.type in (BLOCK, ACCOUNT_BLOCK):
        yield from _switches(resource.props)
    elif resource.type in BUCKET_POLICIES:
        yield from _bucket_policy(resource.props.get("policy"))
    elif resource.type.startswith("aws:s3/"):
        yield from _acls(resource.props)
        if resource.type in BUCKETS:
            yield from _bucket_policy(resource.props.get("policy"), absent_is_fine=True)
    elif resource.type.startswith("gcp:storage/"):
        yield from _gcs(resource)


def closed(resource: Resource, _settings: Settings) -> Iterator[PropertyPatch]:
    """ACC-01: the switches of a public access block, and those of a Google bucket."""
    if resource.type in (BLOCK, ACCOUNT_BLOCK):
        yield from (PropertyPatch((name,), True) for name in SWITCHES)
    elif resource.type == GCS_BUCKET:
        yield from (PropertyPatch((name,), closing) for name, closing in GCS_SWITCHES.items())


def buckets(stack: Stack, _settings: Settings) -> Iterator[tuple[str, Finding]]:
    """ACC-01 over the stack: each bucket has a public access block of its own, or the account has one."""
    if any(stack.of(ACCOUNT_BLOCK)):
        return
    for bucket in stack.of(*BUCKETS):
        if not stack.attached(bucket, "bucket", BLOCK):
            yield (
                bucket.urn,
                Finding(
                    "no public access block belongs to this bucket",
                    "the stack",
                    None,
                    "a BucketPublicAccessBlock with all four switches on",
                ),
            )


def resolved_by_block(unknown: Unknown, resource: StackResource, stack: Stack) -> bool:
    """An unknown bucket policy is harmless where a block refuses public ones: S3 itself rejects it then."""
    if unknown.path[:1] != ("policy",) or resource.type not in BUCKET_POLICIES + BUCKETS:
        return False
    if any(_refuses_public_policies(block) for block in stack.of(ACCOUNT_BLOCK)):
        return True
    return any(
        any(_refuses_public_policies(block) for block in stack.attached(bucket, "bucket", BLOCK))
        for bucket in stack.of(*BUCKETS)
        if resource.urn == bucket.urn or resource in stack.attached(bucket, "bucket", *BUCKET_POLICIES)
    )


def _refuses_public_policies(block: StackResource) -> bool:
    return all(block.props.get(name) is True for name in ("blockPublicPolicy", "restrictPublicBuckets"))


def _switches(props: dict[str, Any]) -> Iterator[Finding | Unknown]:
    """One finding for all four: they are one decision."""
    off: dict[str, Any] = {}
    for name in SWITCHES:
        value = props.get(name)
        if isinstance(value, Unknown):
            yield value
        elif value is not True:
            off[name] = value
    if off:
        yield Finding("the public access block is not complete", THE_BLOCK, off, f"true for {', '.join(off)}")


def _acls(props: dict[str, Any]) -> Iterator[Finding | Unknown]:
    acl = props.get("acl")
    if isinstance(acl, Unknown):
        yield acl
    elif acl in _PUBLIC_ACLS:
        yield Finding("the ACL is public", "acl", acl, "private, or no ACL at all")
    for leaf in leaves({name: props.get(name) for name in ("accessControlPolicy", "grants")}):
        if isinstance(leaf.value, Unknown):
            yield leaf.value
        elif leaf.name == "uri" and str(leaf.value).endswith(_PUBLIC_GROUPS):
            yield Finding(
                "the ACL grants to everybody", dotted(leaf.path), leaf.value, "no grant to a global group"
            )


def _bucket_policy(policy: Any, absent_is_fine: bool = False) -> Iterator[Finding | Unknown]:
    if policy is None and absent_is_fine:
        return
    for one in statements(policy, "policy"):
        if not isinstance(one, Statement):
            yield one
        elif one.allows and _for_everybody(one.body) and not is_narrowed(one.body):
            yield Finding(
                "the policy allows everybody",
                f"{one.at}.NotPrincipal" if "NotPrincipal" in one.body else f"{one.at}.Principal",
                one.body.get("Principal", one.body.get("NotPrincipal")),
                "named principals, or a condition on their account, organisation or VPC endpoint",
            )


def _for_everybody(statement: dict[str, Any]) -> bool:
    if "NotPrincipal" in statement:
        return True
    principal = statement.get("Principal")
    named = principal.values() if isinstance(principal, dict) else [principal]
    return any("*" in each(value) for value in named)


def _gcs(resource: Resource) -> Iterator[Finding | Unknown]:
    if resource.type == GCS_BUCKET:
        for name, expected in GCS_SWITCHES.items():
            value = resource.props.get(name)
            if isinstance(value, Unknown):
                yield value
            elif value != expected:
                yield Finding("the bucket can be opened to the public", name, value, str(expected).lower())
    for leaf in leaves(
        {name: resource.props.get(name) for name in ("member", "members", "entity", "roleEntities")}
    ):
        if isinstance(leaf.value, Unknown):
            yield leaf.value
        elif isinstance(leaf.value, str) and leaf.value.endswith(PUBLIC_MEMBERS):
            yield Finding("the grant is to everybody", dotted(leaf.path), leaf.value, "named members")


ACC_01 = Control(
    id="DPDP-ACC-01",
    title="No public object storage",
    law=ACCESS,
    severity=Severity.CRITICAL,
    level=EnforcementLevel.MANDATORY,
    types=("aws:s3/", "aws:s3control/bucketPolicy:", "gcp:storage/"),
    remedy="block public access in all four ways, and name who may read",
    remedies={"gcp:": "publicAccessPrevention enforced and uniformBucketLevelAccess, and members by name"},
    check=object_storage,
    stack_check=buckets,
    resolves=resolved_by_block,
    remediate=closed,
)
CONTROLS = (ACC_01,)
