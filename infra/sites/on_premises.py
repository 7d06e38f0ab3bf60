"""A site on premises, as workloads see it: its own pools of the AWS cluster, and its own lake if it has a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pulumi
import pulumi_kubernetes as kubernetes

from infra import contracts
from infra.aws import hybrid_nodes
from infra.aws.pod_environment import store_environment, streaming_environment
from infra.contracts.governance import DataGovernance
from infra.contracts.needs import WorkloadNeeds, on
from infra.contracts.site import Site
from infra.on_premises.lake import Lake, LakeArgs, StoreArgs, store
from infra.settings.credentials import Credentials
from infra.settings.on_premises import OnPremises
from infra.settings.stack import Settings

SECRET = "on-premises-store"


def site(
    settings: Settings,
    asked: OnPremises,
    home: Site,
    credentials: Credentials | None,
    needs: Sequence[WorkloadNeeds] = (),
) -> Site:
    """The pools and the lake of a site whose nodes are part of the cluster of `home`."""
    cluster = replace(home.cluster, pools=hybrid_nodes.describe(asked.pools))
    if asked.store is None or credentials is None:
        return Site(cluster, home.lake, home.registry)
    region = asked.store.region or home.cluster.region
    provider = store(
        "on-premises",
        StoreArgs(asked.store.endpoint, region, credentials.access_key, credentials.secret_key),
    )
    made = Lake(
        "on-premises-lake",
        LakeArgs(
            DataGovernance(settings.data_class, settings.owner, settings.purpose, settings.retention_days),
            prefix=cluster.name,
            key=asked.store.key,
            lacks=asked.store.lacks,
            protect=settings.aws is None or settings.aws.protect_data,
        ),
        pulumi.ResourceOptions(provider=provider),
    )
    secrets = _secrets(cluster, credentials, on({"onPremises"}, needs))
    url = asked.store.endpoint
    access = contracts.Endpoint(store_environment(url, region), SECRET, streaming_environment(url))
    there = replace(cluster, platform=[*cluster.platform, *secrets])
    return Site(there, replace(made.lake, endpoint=access), home.registry)


def _secrets(
    cluster: contracts.GpuCluster, credentials: Credentials, needs: Sequence[WorkloadNeeds]
) -> Sequence[pulumi.Resource]:
    """The store's keys beside the workloads: no identity of a cloud counts there."""
    return [
        kubernetes.core.v1.Secret(
            f"{each.namespace.name}-{SECRET}",
            metadata={"name": SECRET, "namespace": each.namespace.name},
            string_data={
                "AWS_ACCESS_KEY_ID": credentials.access_key,
                "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
            },
            opts=pulumi.ResourceOptions(
                provider=cluster.provider, deleted_with=cluster.resource, depends_on=list(cluster.platform)
            ),
        )
        for each in needs
        if each.namespace
    ]
