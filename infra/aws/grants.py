"""Grants as IAM statements: `infra.contracts.grants` in the words of AWS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from infra import contracts
from infra.aws import iam
from infra.aws.iam import Statement
from infra.contracts.grants import Grant, Right

# Nobody here may delete a version or change a bucket.
#
# Beside the objects: their listing, below the prefix; and for writers the place of the bucket, which tells its region
# and no more. That is how a client that may not list the whole bucket learns that it exists: s3fs' makedirs, and so
# torch's and Dask's writers, ask HeadBucket, then GetBucketLocation, then try to make the bucket (fsspec/s3fs#1045).
_READ = ("s3:GetObject", "s3:GetObjectTagging")
_WRITE = (
    *_READ,
    "s3:PutObject",
    "s3:PutObjectTagging",
    "s3:AbortMultipartUpload",
)
_ACTIONS: Mapping[Right, Sequence[str]] = {
    "read": _READ,
    "add": ("s3:PutObject",),
    "write": _WRITE,
    "prune": (*_WRITE, "s3:DeleteObject"),
}
# A multipart upload and a copy decrypt as well.
_KEY_USES: Mapping[Right, Sequence[str]] = {
    "read": ("kms:Decrypt",),
    "add": ("kms:GenerateDataKey",),
    "write": ("kms:Decrypt", "kms:GenerateDataKey"),
    "prune": ("kms:Decrypt", "kms:GenerateDataKey"),
}


def statements(
    regions: Sequence[str], lakes: Sequence[Mapping[str, contracts.Bucket]], grants: Sequence[Grant]
) -> list[Statement]:
    """IAM statements for `grants`: the objects, their listing, and the key they are under.

    `lakes` are the same data in one or more places, `regions` where those are: what is granted in one is in each.

    Raises:
        LookupError: a grant names a bucket that is in none.
    """
    made: list[Statement] = []
    for number, grant in enumerate(grants):
        buckets = [lake[grant.bucket] for lake in lakes if grant.bucket in lake]
        if not buckets:
            raise LookupError(f"a grant names the bucket {grant.bucket}; there are {', '.join(lakes[0])}")
        made += _statements(f"{_camel(grant.bucket)}{number}", regions, buckets, grant)
    return made


def _statements(
    sid: str, regions: Sequence[str], buckets: Sequence[contracts.Bucket], grant: Grant
) -> list[Statement]:
    arns, verb = [bucket.arn_or_id for bucket in buckets], grant.right.capitalize()
    objects = [pulumi.Output.concat(arn, f"/{grant.prefix}*") for arn in arns]
    below: dict[str, Any] | None = {"StringLike": {"s3:prefix": f"{grant.prefix}*"}} if grant.prefix else None
    made = [iam.statement(f"{verb}{sid}", _ACTIONS[grant.right], _one_or_all(objects))]
    if grant.right != "add":
        made.append(iam.statement(f"List{sid}", ["s3:ListBucket"], _one_or_all(arns), conditions=below))
    if grant.right in ("write", "prune"):
        made.append(iam.statement(f"Place{sid}", ["s3:GetBucketLocation"], _one_or_all(arns)))
    keys = [bucket.key for bucket in buckets if bucket.key is not None]
    if not keys:
        return made
    only_for_these_buckets = {
        "StringEquals": {"kms:ViaService": _one_or_all([f"s3.{region}.amazonaws.com" for region in regions])},
        # With bucket keys the context is the bucket, and the object where one was put without.
        "StringLike": {
            "kms:EncryptionContext:aws:s3:arn": [*arns, *(pulumi.Output.concat(arn, "/*") for arn in arns)]
        },
    }
    return [
        *made,
        iam.statement(
            f"Key{sid}", _KEY_USES[grant.right], _one_or_all(keys), conditions=only_for_these_buckets
        ),
    ]


def _one_or_all(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def _camel(words: str) -> str:
    return "".join(word.capitalize() for word in words.split("-"))
