"""The service of BentoML that the settings ask for."""

import pulumi

from infra.contracts.site import Sites
from infra.settings.workloads.bento import Bento
from workloads.bento.needs import NEEDS
from workloads.workload import Workload


def build(settings: Bento, sites: Sites) -> None:
    """The service, on the CPUs of the stack's first place."""
    # The SDK of Kubernetes, which only who builds waits for.
    from workloads.bento.component import BentoService, BentoServiceArgs

    site = next(iter(sites.of(NEEDS).values()))
    service = BentoService(
        settings.name,
        BentoServiceArgs(
            cluster=site.cluster,
            image=site.image(settings.image),
            model=pulumi.Output.concat(site.lake["models"].uri, "/", settings.model),
            replicas=settings.replicas,
            cpus=settings.cpus,
            memory_gib=settings.memory_gib,
            endpoint=site.lake.endpoint,
        ),
    )
    pulumi.export("bentoUrl", service.url)


WORKLOAD = Workload(NEEDS, build)
