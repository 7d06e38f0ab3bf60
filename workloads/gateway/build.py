"""The gateway that the settings ask for."""

import pulumi

from infra.contracts.site import Sites
from infra.settings.errors import Problem
from infra.settings.valid_parts import Parts
from infra.settings.workloads import path_of
from infra.settings.workloads.gateway import Gateway
from workloads.gateway.needs import NEEDS
from workloads.gateway.smg import IMAGE
from workloads.workload import Workload


def check_cloud(parts: Parts) -> list[Problem]:
    """A problem where it is not said, or wrongly, in which cloud's cluster the gateway is."""
    asked = parts.workload(Gateway)
    clouds = [each.cloud for each in parts.clouds]
    if asked is None or not clouds or asked.cloud in clouds or (asked.cloud is None and len(clouds) == 1):
        return []
    allowed = f"{' or '.join(clouds)}: the cloud whose cluster has the models"
    return [Problem(f"{path_of(Gateway)}.cloud", str(asked.cloud or "none given"), allowed, clouds[0])]


def build(settings: Gateway, sites: Sites) -> None:
    """The gateway, in the cluster of its cloud."""
    # The SDK of Kubernetes, which only who builds waits for.
    from workloads.gateway.component import GatewayArgs, ModelGateway

    here = sites.of(NEEDS)
    site = here[settings.cloud] if settings.cloud else next(iter(here.values()))
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


WORKLOAD = Workload(NEEDS, build, checks=(check_cloud,))
