"""Grants as IAM bindings: `infra.contracts.grants` in the words of Google Cloud."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pulumi

from infra import contracts
from infra.contracts.grants import Grant, Right
from infra.gcp.iam import Condition

# What a bucket is, and nothing in it. Google's clients ask for the bucket before its objects: `get_bucket` of the
# Python client, and so the streamer that vLLM loads weights with; gcsfs before it makes a folder.
_BUCKET = "roles/storage.bucketViewer"

# To overwrite is to delete here, so `add` and `write` put new objects only. Nobody may change a bucket. Google's own
# roles, as a custom one that was deleted holds its name for weeks.
ROLES: Mapping[Right, Sequence[str]] = {
    "read": (_BUCKET, "roles/storage.objectViewer"),
    "add": ("roles/storage.objectCreator",),
    "write": (_BUCKET, "roles/storage.objectViewer", "roles/storage.objectCreator"),
    "prune": (_BUCKET, "roles/storage.objectUser"),
}


@dataclass(frozen=True)
class Binding:
    """A role on a bucket; with a condition where it is for a part of it. `label` names it among a member's bindings."""

    label: str
    bucket: pulumi.Output[str]
    role: str
    condition: Condition | None


def bindings(buckets: Mapping[str, contracts.Bucket], grants: Sequence[Grant]) -> Iterator[Binding]:
    """The bindings for `grants`, each once, as two resources that make the same would end it for each other; keys need
    none, as Cloud Storage itself uses them.

    Raises:
        LookupError: a grant names a bucket that there is not.
    """
    seen: set[tuple[str, str, str]] = set()
    for number, grant in enumerate(grants):
        if grant.bucket not in buckets:
            raise LookupError(f"a grant names the bucket {grant.bucket}; there are {', '.join(buckets)}")
        bucket = buckets[grant.bucket]
        for role in ROLES[grant.right]:
            # A bucket is not below a prefix of its own.
            prefix = "" if role == _BUCKET else grant.prefix
            if (grant.bucket, role, prefix) in seen:
                continue
            seen.add((grant.bucket, role, prefix))
            label = f"{grant.bucket}-{number}-{role.rpartition('.')[2]}"
            yield Binding(label, bucket.name, role, _below(bucket, prefix))


def _below(bucket: contracts.Bucket, prefix: str) -> Condition | None:
    """Objects below `prefix`, and lists that ask for no more ("Attribute reference for IAM conditions": a list is a
    request to the bucket, with its prefix as an attribute)."""
    if not prefix:
        return None
    listed = 'api.getAttribute("storage.googleapis.com/objectListPrefix", "")'
    return Condition(
        f"below {prefix}",
        pulumi.Output.concat(
            'resource.name.startsWith("',
            bucket.arn_or_id,
            f'/objects/{prefix}") || {listed}.startsWith("{prefix}")',
        ),
    )
