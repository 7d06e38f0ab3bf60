"""What a site on AWS stands on: its account, its keys and the lake, in the other region too if the stack asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pulumi
import pulumi_aws as aws

from infra import contracts
from infra.aws import tags
from infra.aws.iam import Account
from infra.aws.keys import DATABASE, EVERY_STACKS, Keys, KeysArgs
from infra.aws.lake import Lake, LakeArgs, audit_bucket
from infra.aws.replica import Replica, ReplicaArgs
from infra.catalog.resolved import ResolvedPool
from infra.contracts.governance import DataGovernance
from infra.contracts.needs import WorkloadNeeds
from infra.settings.aws import Aws
from infra.settings.aws_pools import AwsPool
from infra.settings.stack import Settings
from infra.sites.databases import with_database


@dataclass(frozen=True)
class LakeReplica:
    """The lake in the other region, the addresses of S3 there, and whether workloads use it now."""

    lake: contracts.Lake
    region: str
    s3_cidrs: pulumi.Output[list[str]]
    failover: bool


@dataclass(frozen=True)
class Foundation:
    """What the whole site stands on. `name` is that of the cluster, and the start of other names in AWS; `pools` are
    resolved within the zones of the network; `needs` are of the workloads that may run here; `watched` says whether
    GuardDuty's agent runs on the nodes; `opts` names the provider of the region."""

    name: str
    settings: Settings
    cloud: Aws
    pools: Sequence[ResolvedPool[AwsPool]]
    needs: Sequence[WorkloadNeeds]
    account: Account
    governance: DataGovernance
    keys: Keys
    lake: Lake
    replica: LakeReplica | None
    watched: bool
    opts: pulumi.ResourceOptions


def foundation(
    name: str,
    settings: Settings,
    cloud: Aws,
    resolved: Sequence[ResolvedPool[AwsPool]],
    needs: Sequence[WorkloadNeeds],
    provider: aws.Provider,
) -> Foundation:
    """The data, its keys, and who and what everything else is made for."""
    opts = pulumi.ResourceOptions(provider=provider)
    account = Account.current(cloud.region, pulumi.InvokeOptions(provider=provider))
    governance = DataGovernance(
        settings.data_class, settings.owner, settings.purpose, settings.retention_days
    )
    keys_args = KeysArgs(
        account,
        governance,
        name,
        trail_name=name,
        protect=cloud.protect_data,
        audit_bucket=audit_bucket("lake"),
        uses=(*EVERY_STACKS, *([DATABASE] if with_database(settings, "aws", needs) else [])),
    )
    keys = Keys("keys", keys_args, opts)
    lake_args = LakeArgs(
        account, governance, keys.lake, keys.logs, trail_name=name, protect=cloud.protect_data
    )
    lake = Lake("lake", lake_args, opts)
    # The agent would report to no detector; and Runtime Monitoring doesn't support clusters with nodes on premises
    # (GuardDuty user guide, "Prerequisites for Amazon EKS cluster support").
    watched = cloud.audit.guardduty and settings.on_premises is None
    base = Foundation(
        name, settings, cloud, resolved, needs, account, governance, keys, lake, None, watched, opts
    )
    return replace(base, replica=_replica(base, provider))


def _replica(base: Foundation, home: aws.Provider) -> LakeReplica | None:
    """The lake a second time, if the stack asks for it."""
    asked = base.cloud.replica
    if asked is None:
        return None
    provider = aws.Provider(
        "aws-replica",
        region=asked.region,
        default_tags={"tags": tags.defaults(pulumi.get_project(), pulumi.get_stack(), base.settings.owner)},
    )
    there = Account(base.account.id, asked.region)
    args = ReplicaArgs(
        base.account,
        there,
        base.governance,
        base.lake,
        base.keys.lake,
        base.name,
        provider,
        base.cloud.protect_data,
    )
    made = Replica("replica", args, pulumi.ResourceOptions(provider=home))
    s3 = aws.ec2.get_prefix_list_output(
        name=f"com.amazonaws.{asked.region}.s3", opts=pulumi.InvokeOutputOptions(provider=provider)
    )
    addresses = s3.cidr_blocks.apply(lambda cidrs: [str(cidr) for cidr in cidrs or ()])
    return LakeReplica(made.lake, asked.region, addresses, asked.failover)
