"""The gateway that the settings ask for."""

import pulumi

from infra.contracts.site import Sites
from infra.settings.workloads.gateway import Gateway
from workloads.gateway.checks import one_revision
from workloads.gateway.needs import NEEDS
from workloads.gateway.smg import IMAGE
from workloads.one_cloud import in_one_cloud
from workloads.workload import Kept, Workload


def build(settings: Gateway, sites: Sites) -> None:
    """The gateway, in the cluster of its cloud."""
    # The SDK of Kubernetes, which only who builds waits for.
    from workloads.gateway.component import GatewayArgs, ModelGateway

    site = sites.in_cloud(settings.cloud, NEEDS)
    cache = settings.cache
    gateway = ModelGateway(
        settings.name,
        GatewayArgs(
            cluster=site.cluster,
            settings=settings,
            image=site.image(settings.image or IMAGE),
            cache_image=site.image(cache.image) if cache else None,
            redis_image=site.image(cache.redis_image) if cache else None,
        ),
    )
    pulumi.export("gatewayUrl", gateway.url)


def keeps(settings: Gateway) -> list[Kept]:
    """The cache's answers, which the command can erase where it is told the address."""
    if settings.cache is None:
        return []
    return [
        Kept("answers in the response cache", "asked to erase them at CACHE= with CACHE_KEY=", cache=True)
    ]


WORKLOAD = Workload(
    NEEDS,
    build,
    checks=(in_one_cloud(Gateway, "the cloud whose cluster has the models"), one_revision),
    keeps=keeps,
)
