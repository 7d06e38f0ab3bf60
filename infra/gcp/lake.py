"""Lake: the buckets of a team's data, and of the audit logs about it."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import pulumi

from infra import contracts
from infra.contracts.governance import AUDIT, DATA, DataGovernance, lifecycle
from infra.gcp.bucket import Bucket, BucketArgs
from infra.gcp.iam import Project
from infra.settings.stack import PERSONAL_RETENTION_DAYS

KEPT_DAYS = (
    PERSONAL_RETENTION_DAYS  # logs can't be altered in the year that the DPDP Rules, 6(1)(e), keep them
)


@dataclass(frozen=True)
class LakeArgs:
    """`governance` is of the data; `lake_key` and `logs_key` are paths of keys. `dual_region` is of the data alone:
    logs stay in the region.

    `protect` keeps the buckets when the stack is destroyed; without it they go with all that is in them.
    """

    project: Project
    governance: DataGovernance
    lake_key: pulumi.Output[str]
    logs_key: pulumi.Output[str]
    dual_region: bool = False
    protect: bool = True


class Lake(pulumi.ComponentResource):
    """Buckets raw, curated, features, models and checkpoints under the lake's key, and audit for logs.

    `lake` is what other modules see. Who read what is in Cloud Audit Logs, with the reader's identity, for every bucket
    (`audit.AUDITED`). There are no usage logs: a group of google.com would have to be granted a bucket, which
    organisations refuse by default (constraint `iam.allowedPolicyMemberDomains`).
    """

    lake: contracts.Lake

    def __init__(self, name: str, args: LakeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:gcp:Lake", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        given = {role: _data(role, args) for role in DATA} | {AUDIT: _logs(args)}
        buckets = {role: Bucket(f"{name}-{role}", about, child).bucket for role, about in given.items()}
        self.lake = contracts.Lake(MappingProxyType(buckets))
        self.register_outputs({role: bucket.name for role, bucket in buckets.items()})


def _data(role: str, args: LakeArgs) -> BucketArgs:
    return BucketArgs(
        project=args.project,
        governance=args.governance,
        lifecycle=lifecycle(role, args.governance),
        key=args.lake_key,
        protect=args.protect,
        dual_region=args.dual_region,
    )


def _logs(args: LakeArgs) -> BucketArgs:
    return BucketArgs(
        project=args.project,
        governance=args.governance,
        lifecycle=lifecycle(AUDIT, args.governance),
        key=args.logs_key,
        protect=args.protect,
        kept_days=KEPT_DAYS,
    )
