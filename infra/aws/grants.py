"""Grants: who may do what with which part of the lake, and the IAM statements that say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import pulumi

from infra import interfaces
from infra.aws import iam
from infra.aws.iam import Account, Statement

Right = Literal["read", "write", "prune"]

# Each right includes the one before it. Nobody here may delete a version or change a bucket.
_READ = ("s3:GetObject", "s3:GetObjectTagging")
_WRITE = (
    *_READ,
    "s3:PutObject",
    "s3:PutObjectTagging",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
)
_ACTIONS: Mapping[Right, Sequence[str]] = {
    "read": _READ,
    "write": _WRITE,
    "prune": (*_WRITE, "s3:DeleteObject"),
}


@dataclass(frozen=True)
class Grant:
    """A right to the objects of one bucket below `prefix` (`jobs/`; empty for all).

    `read` gets objects; `write` puts them too; `prune` also deletes them, which can be undone until the lifecycle
    erases the old version.
    """

    bucket: str
    right: Right
    prefix: str = ""


HUMANS: Mapping[str, Sequence[Grant]] = MappingProxyType(
    {
        "data-engineer": (
            Grant("raw", "read"),
            Grant("raw", "write", "landing/"),
            Grant("curated", "prune"),
            Grant("features", "prune"),
        ),
        "ml-engineer": (
            Grant("curated", "read"),
            Grant("features", "read"),
            Grant("models", "read"),
            Grant("models", "write", "released/"),
            Grant("checkpoints", "read"),
            Grant("checkpoints", "prune", "experiments/"),
        ),
        "auditor": (Grant("audit", "read"), Grant("access-logs", "read")),
    }
)
WORKLOADS: Mapping[str, Sequence[Grant]] = MappingProxyType(
    {
        "training": (
            Grant("curated", "read"),
            Grant("features", "read"),
            Grant("models", "write", "candidates/"),
            Grant("checkpoints", "prune", "jobs/"),
        ),
        "serving": (Grant("models", "read", "released/"),),
    }
)


def statements(
    account: Account, buckets: Mapping[str, interfaces.Bucket], grants: Sequence[Grant]
) -> list[Statement]:
    """IAM statements for `grants`: the objects, their listing, and the key they are under.

    Raises:
        LookupError: a grant names a bucket that is not there.
    """
    said: list[Statement] = []
    for number, grant in enumerate(grants):
        if grant.bucket not in buckets:
            raise LookupError(f"a grant names the bucket {grant.bucket}; there are {', '.join(buckets)}")
        said += _statements(f"{_camel(grant.bucket)}{number}", account, buckets[grant.bucket], grant)
    return said


def _statements(sid: str, account: Account, bucket: interfaces.Bucket, grant: Grant) -> list[Statement]:
    arn, verb = bucket.arn_or_id, grant.right.capitalize()
    below: dict[str, Any] | None = {"StringLike": {"s3:prefix": f"{grant.prefix}*"}} if grant.prefix else None
    said = [
        iam.statement(f"{verb}{sid}", _ACTIONS[grant.right], pulumi.Output.concat(arn, f"/{grant.prefix}*")),
        iam.statement(f"List{sid}", ["s3:ListBucket"], arn, conditions=below),
    ]
    if bucket.key is None:
        return said
    uses = ["kms:Decrypt"] if grant.right == "read" else ["kms:Decrypt", "kms:GenerateDataKey"]
    only_for_this_bucket = {
        "StringEquals": {"kms:ViaService": f"s3.{account.region}.amazonaws.com"},
        # With bucket keys the context is the bucket, and the object where one was put without.
        "StringLike": {"kms:EncryptionContext:aws:s3:arn": [arn, pulumi.Output.concat(arn, "/*")]},
    }
    return [*said, iam.statement(f"Key{sid}", uses, bucket.key, conditions=only_for_this_bucket)]


def _camel(words: str) -> str:
    return "".join(word.capitalize() for word in words.split("-"))
