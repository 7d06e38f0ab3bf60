"""The lake as rooms hand it on, with no cloud's names in its types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi


@dataclass(frozen=True)
class Bucket:
    """Where objects are kept.

    `uri` has the scheme (`s3://name`); `arn_or_id` is what policies name; `key` is the customer key that encrypts the
    objects, None where the cloud can't use one.
    """

    name: pulumi.Output[str]
    uri: pulumi.Output[str]
    arn_or_id: pulumi.Output[str]
    key: pulumi.Output[str] | None


@dataclass(frozen=True)
class Endpoint:
    """An object store that is not the cloud's own. `environment` is what a container is told so that it finds it;
    `secret` is the Kubernetes Secret, in each namespace of workloads, that holds its keys as environment variables.
    `streaming` is what a container is told besides that streams weights from it."""

    environment: Mapping[str, str]
    secret: str
    streaming: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Lake:
    """A team's data, by role: raw, curated, features, models, checkpoints, and audit for the logs about them.

    `endpoint` is where it is reached, None for the cloud's own, which pods' identities open.
    """

    buckets: Mapping[str, Bucket]
    endpoint: Endpoint | None = None

    def __getitem__(self, role: str) -> Bucket:
        return self.buckets[role]
