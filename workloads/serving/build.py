"""The model server that the settings ask for."""

from dataclasses import replace

import pulumi

from infra import advice
from infra.contracts.needs import WorkloadNeeds
from infra.contracts.site import Site, Sites
from infra.settings.workloads.serving import LAKE_ROLE, Serving
from workloads.serving.burst import burst
from workloads.serving.check_floor import check_floor
from workloads.serving.check_scale import check_scale
from workloads.serving.checks import check_engine
from workloads.serving.engines import engines
from workloads.serving.needs import METRICS_PORT_NAME, NEEDS, PORT_NAME
from workloads.workload import Workload


def build(settings: Serving, sites: Sites) -> None:
    """The model server, where its pool is; what nobody could check about it is logged."""
    # The SDK of Kubernetes, which only who builds waits for.
    from workloads.serving import scaling
    from workloads.serving.component import ModelServer
    from workloads.serving.pod import Floor, ModelServerArgs

    site = sites.with_pool(settings.pool)
    if unchecked := advice.unchecked(settings):
        pulumi.log.warn(f"workloads.serving: {unchecked}")
    engine = engines()[settings.engine]
    if engine.warning:
        pulumi.log.warn(f"workloads.serving.engine: {engine.warning}")
    args = ModelServerArgs(
        cluster=site.cluster,
        pool=settings.pool,
        model=settings.model,
        replicas=scaling.first_replicas(settings),
        floor=Floor(floor.pool, floor.replicas) if (floor := settings.on_demand_floor) else None,
        gpus=settings.gpus,
        engine=engine,
        weights=_in_lake(site, settings.weights) if settings.weights else None,
        revision=settings.revision,
        adapters={name: _in_lake(site, folder) for name, folder in settings.adapters.items()},
        image=site.image(settings.image or engine.image),
        max_model_len=settings.max_model_len,
        gpu_memory_utilization=round(
            ModelServerArgs.gpu_memory_utilization * site.cluster.pools[settings.pool].gpu_memory_share, 3
        ),
        quantization=settings.quantization,
        kv_offload_gib=settings.kv_offload_gib,
        engine_args=settings.engine_args,
        endpoint=site.lake.endpoint if settings.weights or settings.adapters else None,
    )
    if gate := sites.gates.get(settings.name):
        args = replace(args, cluster=replace(site.cluster, platform=[*site.cluster.platform, gate(args)]))
    server = ModelServer(settings.name, args, scaling.options(settings))
    scaling.create(settings, site.cluster, server)
    pulumi.export("modelServerUrl", server.url)


def _in_lake(site: Site, folder: str) -> pulumi.Output[str]:
    """Where a folder of the settings is: `{models}/released/x` is `s3://<bucket>/released/x`."""
    return pulumi.Output.concat(site.lake[LAKE_ROLE].uri, folder.removeprefix(f"{{{LAKE_ROLE}}}"))


def needs_for(settings: Serving) -> WorkloadNeeds:
    """What it needs with another engine than vLLM: alerts and dashboard name metrics of vLLM's."""
    engine = engines()[settings.engine]
    if engine.name == "vllm":
        return NEEDS
    port = PORT_NAME if engine.metrics.port == engine.port else METRICS_PORT_NAME
    (monitor,) = NEEDS.monitors
    return replace(NEEDS, monitors=(replace(monitor, port=port, alerts=()),), dashboards=())


WORKLOAD = Workload(NEEDS, build, needs_for, (check_engine, check_scale, check_floor), burst)
