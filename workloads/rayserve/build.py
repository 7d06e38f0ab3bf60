"""The service of Ray Serve that the settings ask for."""

import pulumi

from infra.contracts.site import Sites
from infra.settings.workloads.rayserve import Rayserve
from workloads.rayserve.needs import NEEDS, needs_for
from workloads.workload import Workload


def build(settings: Rayserve, sites: Sites) -> None:
    """The service, on the CPUs of the stack's first place."""
    # The SDK of Kubernetes, which only who builds waits for.
    from workloads.rayserve.component import RayService, RayServiceArgs

    site = next(iter(sites.of(NEEDS).values()))
    service = RayService(
        settings.name,
        RayServiceArgs(
            cluster=site.cluster,
            image=site.image(settings.image),
            model=pulumi.Output.concat(site.lake["models"].uri, "/", settings.model),
            workers=settings.workers,
            cpus=settings.cpus,
            memory_gib=settings.memory_gib,
            min_replicas=settings.min_replicas,
            endpoint=site.lake.endpoint,
        ),
    )
    pulumi.export("rayserveUrl", service.url)


WORKLOAD = Workload(NEEDS, build, needs_for)
