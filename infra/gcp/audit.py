"""Audit: who read and changed what (Cloud Audit Logs), kept in the region, what looks wrong, and whom it alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import pulumi
import pulumi_gcp as gcp
import pulumi_random as random

from infra import contracts
from infra.contracts.governance import AUDIT, DataGovernance
from infra.gcp.iam import Project, service_identity
from infra.settings.gcp import GOOGLE_LOG_DAYS

# Services whose reads and writes of data are written down; what changes their configuration always is.
AUDITED = ("storage.googleapis.com", "cloudkms.googleapis.com", "container.googleapis.com")
DATA_LOGS = ("ADMIN_READ", "DATA_READ", "DATA_WRITE")

AUDIT_LOGS = 'logName:"cloudaudit.googleapis.com"'
# Every entry has a severity, DEFAULT at least. Without a filter here the sink would keep its own, which leaves out what
# `_Required` has: it is updated, not made.
EVERY_LOG = "severity>=DEFAULT"
# Of a stack beside another in one project: who did what, who talked to whom, what the firewall dropped, and what the
# control plane of Kubernetes said.
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
# Google makes this sink with every project, and it sends what nothing else does to a log bucket in `global`.
DEFAULT_SINK = "_Default"
ALERT_PERIOD = "300s"  # one mail in five minutes at most, of each kind


@dataclass(frozen=True)
class Alert:
    """Log entries that alert people: the filter that finds them, how bad it is, and the mail's words.

    `of_cluster` tells whether the entries name a cluster; the others are of the project, whichever stack it is in.
    """

    filter: str
    severity: str
    words: str
    of_cluster: bool = False


# Methods and fields are named as in recorded entries (commands/alarm/data/google_log_entries.json), not as in the APIs'
# references: Cloud KMS writes `SetIamPolicy` where its API has `KeyManagementService.SetIamPolicy`, and a finding of
# GKE is an entry of severity INFO whatever its own severity.
ALERTS: Mapping[str, Alert] = MappingProxyType(
    {
        "keys": Alert(
            f'{AUDIT_LOGS} AND protoPayload.serviceName="cloudkms.googleapis.com" AND protoPayload.methodName=~'
            '"(DestroyCryptoKeyVersion|UpdateCryptoKeyVersion|SetIamPolicy)$"',
            "CRITICAL",
            "A key is to be destroyed, was disabled, or others may use it.",
        ),
        "exposure": Alert(
            f'{AUDIT_LOGS} AND protoPayload.methodName=~"[sS]etIamPermissions|[sS]etIamPolicy" AND '
            'protoPayload.serviceData.policyDelta.bindingDeltas.action="ADD" AND '
            'protoPayload.serviceData.policyDelta.bindingDeltas.member=("allUsers" OR "allAuthenticatedUsers")',
            "CRITICAL",
            "Something was opened to everybody. CERT-In must hear of a listed incident within 6 hours of its being "
            "noticed.",
        ),
        "findings": Alert(
            'logName:"containersecurity.googleapis.com%2Ffinding" AND jsonPayload.state="ACTIVE" AND '
            'jsonPayload.severity=("SEVERITY_HIGH" OR "SEVERITY_CRITICAL")',
            "ERROR",
            "GKE's security posture has a finding. CERT-In must hear of a listed incident within 6 hours of its being "
            "noticed.",
            of_cluster=True,
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
    """`key` is the path of the key of logs. Logs are kept `log_days` at least, ten years at most.

    `default_sink` tells whether the project's sink `_Default` is this stack's: only one stack of a project can have it.
    """

    project: Project
    governance: DataGovernance
    lake: contracts.Lake
    key: pulumi.Output[str]
    name: str
    log_days: int = 365
    alert_emails: Sequence[str] = ()
    default_sink: bool = True


class Audit(pulumi.ComponentResource):
    """Reads and writes of data written down, a log bucket in the region, the audit bucket as its archive, and alerts.

    The project's sink `_Default` writes every log to that log bucket, so nothing is stored in `global`, or twice. What
    Google keeps in `_Required` (changes of configuration) stays where the organisation's settings put it.

    `log_bucket` is the log bucket's path, `channels` are the ids of the notification channels. Alerts are mailed to
    `AuditArgs.alert_emails`; without one they are only incidents in Cloud Monitoring.
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
        _sink(name, args, self.log_bucket, child)
        _archive(name, args, child)
        self.channels = _alerts(name, args, child)
        self.register_outputs({"logBucket": self.log_bucket})


def _log_bucket(name: str, args: AuditArgs, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    project = args.project
    # A deleted log bucket holds its name for seven days ("Delete a log bucket"), so the name ends in something random.
    end = random.RandomId(f"{name}-log-bucket", byte_length=3, keepers={"region": project.region}, opts=opts)
    bucket = gcp.logging.ProjectBucketConfig(
        name,
        project=project.id,
        location=project.region,
        bucket_id=pulumi.Output.concat(f"{args.name}-audit-", end.hex),
        description="Every log of the project, in the region",
        retention_days=min(GOOGLE_LOG_DAYS, max(args.log_days, args.governance.log_days)),
        locked=False,  # a lock can never be lifted
        cmek_settings={"kms_key_name": args.key},
        opts=opts,
    )
    return pulumi.Output.concat(
        f"projects/{project.id}/locations/{project.region}/buckets/", bucket.bucket_id
    )


def _sink(name: str, args: AuditArgs, log_bucket: pulumi.Output[str], opts: pulumi.ResourceOptions) -> None:
    """Log entries to the log bucket. A sink to a bucket of its own project needs no grant."""
    gcp.logging.ProjectSink(
        name,
        name=DEFAULT_SINK if args.default_sink else None,
        project=args.project.id,
        destination=pulumi.Output.concat("logging.googleapis.com/", log_bucket),
        filter=EVERY_LOG if args.default_sink else KEPT_LOGS,
        unique_writer_identity=True,
        opts=opts,
    )


def _archive(name: str, args: AuditArgs, opts: pulumi.ResourceOptions) -> None:
    """Audit logs once more, in the bucket where nothing can be altered for a year."""
    bucket = args.lake[AUDIT].name
    agent = service_identity(f"{name}-logging", args.project, "logging", opts)
    grant = gcp.storage.BucketIAMMember(
        f"{name}-archive",
        bucket=bucket,
        role="roles/storage.objectCreator",
        # A project's sinks write as its logging agent. Composed, and not taken from the sink, a preview knows it too.
        member=args.project.agent("logging"),
        opts=_after(opts, agent),
    )
    gcp.logging.ProjectSink(
        f"{name}-archive",
        project=args.project.id,
        destination=pulumi.Output.concat("storage.googleapis.com/", bucket),
        filter=AUDIT_LOGS,
        unique_writer_identity=True,
        opts=_after(opts, grant),
    )


def _after(opts: pulumi.ResourceOptions, *first: pulumi.Resource) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=list(first)))


def _alerts(name: str, args: AuditArgs, opts: pulumi.ResourceOptions) -> list[pulumi.Output[str]]:
    """Mail to each address. There is no Pub/Sub topic: one whose messages stay in the region on their way refuses what
    Monitoring publishes from another, and Google tells nobody from where it does ("Configure message storage
    policies")."""
    channels = [
        gcp.monitoring.NotificationChannel(
            f"{name}-{email}",
            project=args.project.id,
            type="email",
            display_name=email,
            labels={"email_address": email},
            opts=opts,
        )
        for email in args.alert_emails
    ]
    for alert, told in ALERTS.items():
        _alert(f"{name}-{alert}", args, told, channels, opts)
    return [channel.id for channel in channels]


def _alert(
    name: str,
    args: AuditArgs,
    told: Alert,
    channels: Sequence[gcp.monitoring.NotificationChannel],
    opts: pulumi.ResourceOptions,
) -> None:
    own = f'resource.labels.cluster_name="{args.name}" AND resource.labels.location="{args.project.region}"'
    found = f"{told.filter} AND {own}" if told.of_cluster else told.filter
    gcp.monitoring.AlertPolicy(
        name,
        project=args.project.id,
        display_name=f"{args.name}: {name}",
        combiner="OR",
        severity=told.severity,
        conditions=[{"display_name": name, "condition_matched_log": {"filter": found}}],
        alert_strategy={"notification_rate_limit": {"period": ALERT_PERIOD}},
        documentation={"content": told.words, "mime_type": "text/markdown"},
        notification_channels=[channel.id for channel in channels],
        opts=opts,
    )
