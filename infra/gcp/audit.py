"""Audit: who read and changed what (Cloud Audit Logs), kept in the region, what looks wrong, and who is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import pulumi
import pulumi_gcp as gcp

from infra import interfaces
from infra.gcp import tags
from infra.gcp.iam import Project
from infra.gcp.tags import Handling
from infra.handling import AUDIT
from infra.settings.gcp import GOOGLE_LOG_DAYS

# Services whose reads and writes of data are written down; what changes their configuration always is.
AUDITED = ("storage.googleapis.com", "cloudkms.googleapis.com", "container.googleapis.com")
DATA_LOGS = ("ADMIN_READ", "DATA_READ", "DATA_WRITE")

AUDIT_LOGS = 'logName:"cloudaudit.googleapis.com"'
# Besides: who talked to whom, what the firewall dropped, and what the control plane of Kubernetes said.
KEPT_LOGS = " OR ".join(
    (
        AUDIT_LOGS,
        'logName:"compute.googleapis.com%2Fvpc_flows"',
        'logName:"compute.googleapis.com%2Ffirewall"',
        'logName:"compute.googleapis.com%2Fnat_flows"',
        'logName:"container.googleapis.com%2F"',
        'logName:"containersecurity.googleapis.com%2F"',
    )
)
ALERT_PERIOD = "300s"  # one mail in five minutes at most, of each kind


@dataclass(frozen=True)
class Alert:
    """Log entries that people are told about: the filter that finds them, how bad it is, and the mail's words."""

    filter: str
    severity: str
    words: str


ALERTS: Mapping[str, Alert] = MappingProxyType(
    {
        "keys": Alert(
            f"{AUDIT_LOGS} AND protoPayload.methodName=~"
            '"(DestroyCryptoKeyVersion|UpdateCryptoKeyVersion|KeyManagementService.*SetIamPolicy)"',
            "CRITICAL",
            "A key is to be destroyed, was disabled, or others may use it.",
        ),
        "exposure": Alert(
            f'{AUDIT_LOGS} AND protoPayload.methodName=~"[sS]etIamPermissions|[sS]etIamPolicy" AND '
            'protoPayload.serviceData.policyDelta.bindingDeltas.member=("allUsers" OR "allAuthenticatedUsers")',
            "CRITICAL",
            "Something was opened to everybody. CERT-In must hear of a listed incident within 6 hours of its being "
            "noticed.",
        ),
        "findings": Alert(
            'logName:"containersecurity.googleapis.com%2Ffinding" AND severity>=ERROR',
            "ERROR",
            "GKE's security posture has a finding. CERT-In must hear of a listed incident within 6 hours of its being "
            "noticed.",
        ),
        "spot": Alert(
            f'{AUDIT_LOGS} AND protoPayload.methodName="compute.instances.preempted"',
            "WARNING",
            "Google takes a spot node back within 30 seconds. The node pool starts another when there is one.",
        ),
    }
)


@dataclass(frozen=True)
class AuditArgs:
    """`key` is the path of the key of logs and alerts. Logs are kept `log_days` at least, ten years at most."""

    project: Project
    handling: Handling
    lake: interfaces.Lake
    key: pulumi.Output[str]
    name: str
    log_days: int = 365
    alert_emails: Sequence[str] = ()


class Audit(pulumi.ComponentResource):
    """Reads and writes of data written down, a log bucket in the region, the audit bucket as its archive, and alerts.

    `log_bucket` is the log bucket's path, `topic` the id of the topic that alerts go to.
    """

    def __init__(self, name: str, args: AuditArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:gcp:Audit", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        for service in AUDITED:
            gcp.projects.IAMAuditConfig(
                f"{name}-{service.partition('.')[0]}",
                project=args.project.id,
                service=service,
                audit_log_configs=[{"log_type": kind} for kind in DATA_LOGS],
                opts=child,
            )
        self.log_bucket = _log_bucket(name, args, child)
        _archive(name, args, child)
        self.topic = _alerts(name, args, child)
        self.register_outputs({"logBucket": self.log_bucket, "topic": self.topic})


def _log_bucket(name: str, args: AuditArgs, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    project = args.project
    bucket = gcp.logging.ProjectBucketConfig(
        name,
        project=project.id,
        location=project.region,
        bucket_id=f"{args.name}-audit",
        description="Audit, flow and cluster logs, in the region",
        retention_days=min(GOOGLE_LOG_DAYS, max(args.log_days, args.handling.log_days)),
        locked=False,  # a lock can never be lifted
        cmek_settings={"kms_key_name": args.key},
        opts=opts,
    )
    path = pulumi.Output.concat(
        f"projects/{project.id}/locations/{project.region}/buckets/", bucket.bucket_id
    )
    gcp.logging.ProjectSink(
        name,
        project=project.id,
        destination=pulumi.Output.concat("logging.googleapis.com/", path),
        filter=KEPT_LOGS,
        unique_writer_identity=True,
        opts=opts,
    )
    return path


def _archive(name: str, args: AuditArgs, opts: pulumi.ResourceOptions) -> None:
    """Audit logs once more, in the bucket where nothing can be altered for a year."""
    bucket = args.lake[AUDIT].name
    gcp.storage.BucketIAMMember(
        f"{name}-archive",
        bucket=bucket,
        role="roles/storage.objectCreator",
        # A project's sinks write as its logging agent. Said so, and not taken from the sink, a preview knows it too.
        member=args.project.agent("logging"),
        opts=opts,
    )
    gcp.logging.ProjectSink(
        f"{name}-archive",
        project=args.project.id,
        destination=pulumi.Output.concat("storage.googleapis.com/", bucket),
        filter=AUDIT_LOGS,
        unique_writer_identity=True,
        opts=opts,
    )


def _alerts(name: str, args: AuditArgs, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    project = args.project.id
    topic = gcp.pubsub.Topic(
        f"{name}-alerts",
        project=project,
        kms_key_name=args.key,
        message_storage_policy={
            "allowed_persistence_regions": [args.project.region],
            "enforce_in_transit": True,
        },
        labels=tags.labels(args.handling, f"{args.name}-alerts", args.handling.log_days),
        opts=opts,
    )
    publisher = gcp.pubsub.TopicIAMMember(
        f"{name}-alerts",
        project=project,
        topic=topic.name,
        role="roles/pubsub.publisher",
        member=args.project.agent("notifications"),
        opts=opts,
    )
    channels = [
        gcp.monitoring.NotificationChannel(
            f"{name}-topic",
            project=project,
            type="pubsub",
            display_name=f"{args.name} alerts",
            labels={"topic": topic.id},
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[publisher])),
        )
    ]
    channels += [
        gcp.monitoring.NotificationChannel(
            f"{name}-{email}",
            project=project,
            type="email",
            display_name=email,
            labels={"email_address": email},
            opts=opts,
        )
        for email in args.alert_emails
    ]
    for alert, told in ALERTS.items():
        _alert(f"{name}-{alert}", args, told, channels, opts)
    return topic.id


def _alert(
    name: str,
    args: AuditArgs,
    told: Alert,
    channels: Sequence[gcp.monitoring.NotificationChannel],
    opts: pulumi.ResourceOptions,
) -> None:
    gcp.monitoring.AlertPolicy(
        name,
        project=args.project.id,
        display_name=f"{args.name}: {name}",
        combiner="OR",
        severity=told.severity,
        conditions=[{"display_name": name, "condition_matched_log": {"filter": told.filter}}],
        alert_strategy={"notification_rate_limit": {"period": ALERT_PERIOD}},
        documentation={"content": told.words, "mime_type": "text/markdown"},
        notification_channels=[channel.id for channel in channels],
        opts=opts,
    )
