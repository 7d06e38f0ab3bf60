"""The model server that the settings ask for."""

import pulumi

from infra import advice
from infra.contracts.site import Sites
from infra.settings.workloads.serving import Serving
from workloads.serving.burst import burst
from workloads.serving.check_scale import check_scale
from workloads.serving.needs import IMAGE, NEEDS
from workloads.workload import Workload


def build(settings: Serving, sites: Sites) -> None:
    """The model server, where its pool is; what nobody could check about it is logged."""
    # The SDK of Kubernetes, which only who builds waits for.
    from workloads.serving import scaling
    from workloads.serving.component import ModelServer, ModelServerArgs

    site = sites.with_pool(settings.pool)
    if unchecked := advice.unchecked(settings):
        pulumi.log.warn(f"workloads.serving: {unchecked}")
    server = ModelServer(
        settings.name,
        ModelServerArgs(
            cluster=site.cluster,
            pool=settings.pool,
            model=settings.model,
            replicas=scaling.first_replicas(settings),
            gpus=settings.gpus,
            image=site.image(settings.image or IMAGE),
            max_model_len=settings.max_model_len,
            gpu_memory_utilization=round(
                ModelServerArgs.gpu_memory_utilization * site.cluster.pools[settings.pool].gpu_memory_share, 3
            ),
            quantization=settings.quantization,
            vllm_args=settings.engine_args,
        ),
        scaling.options(settings.scale),
    )
    scaling.create(settings, site.cluster, server)
    pulumi.export("modelServerUrl", server.url)


WORKLOAD = Workload(NEEDS, build, checks=(check_scale,), burst=burst)
