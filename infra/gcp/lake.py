"""Lake: the buckets of a team's data, and of the logs about it."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import pulumi
import pulumi_gcp as gcp

from infra import interfaces
from infra.gcp.bucket import Bucket, BucketArgs, UsageLog
from infra.gcp.iam import USAGE_LOG_WRITER, Project
from infra.gcp.tags import Handling
from infra.handling import ACCESS_LOGS, AUDIT, DATA, lifecycle
from infra.settings.stack import PERSONAL_RETENTION_DAYS

KEPT_DAYS = (
    PERSONAL_RETENTION_DAYS  # logs can't be altered in the year that the DPDP Rules, 6(1)(e), keep them
)


@dataclass(frozen=True)
class LakeArgs:
    """`handling` is of the data; `lake_key` and `logs_key` are paths of keys. `dual_region` is of the data alone: logs
    stay in the region.

    `protect` keeps the buckets when the stack is destroyed; without it they go with all that is in them.
    """

    project: Project
    handling: Handling
    lake_key: pulumi.Output[str]
    logs_key: pulumi.Output[str]
    dual_region: bool = False
    protect: bool = True


class Lake(pulumi.ComponentResource):
    """Buckets raw, curated, features, models and checkpoints under the lake's key, audit and access-logs for logs.

    `lake` is what other modules see, `access_logs` the bucket of the usage logs of all the others.
    """

    lake: interfaces.Lake
    access_logs: interfaces.Bucket

    def __init__(self, name: str, args: LakeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:gcp:Lake", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.access_logs = Bucket(f"{name}-{ACCESS_LOGS}", _logs(ACCESS_LOGS, args, None), child).bucket
        delivery = gcp.storage.BucketIAMMember(
            f"{name}-{ACCESS_LOGS}-delivery",
            bucket=self.access_logs.name,
            role="roles/storage.objectCreator",
            member=USAGE_LOG_WRITER,
            opts=child,
        )
        buckets = {}
        for role in DATA:
            given = _data(role, args, UsageLog(delivery.bucket, f"{role}/"))
            buckets[role] = Bucket(f"{name}-{role}", given, child).bucket
        audit = _logs(AUDIT, args, UsageLog(delivery.bucket, f"{AUDIT}/"))
        buckets[AUDIT] = Bucket(f"{name}-{AUDIT}", audit, child).bucket
        self.lake = interfaces.Lake(MappingProxyType(buckets))
        self.register_outputs({role: bucket.name for role, bucket in buckets.items()})


def _data(role: str, args: LakeArgs, usage_log: UsageLog) -> BucketArgs:
    return BucketArgs(
        project=args.project,
        handling=args.handling,
        lifecycle=lifecycle(role, args.handling),
        key=args.lake_key,
        protect=args.protect,
        dual_region=args.dual_region,
        usage_log=usage_log,
    )


def _logs(role: str, args: LakeArgs, usage_log: UsageLog | None) -> BucketArgs:
    return BucketArgs(
        project=args.project,
        handling=args.handling,
        lifecycle=lifecycle(role, args.handling),
        key=args.logs_key,
        protect=args.protect,
        kept_days=KEPT_DAYS,
        usage_log=usage_log,
    )
