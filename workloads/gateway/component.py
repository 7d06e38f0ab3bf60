"""ModelGateway: SMG before the model servers, and a response cache with its Redis before SMG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from infra.contracts.cluster import GpuCluster
from infra.settings.workloads.gateway import Gateway
from workloads.gateway import cache_pods, keys, smg
from workloads.gateway.needs import GATEWAY_APP, METRICS_PORT_NAME, NAMESPACE, NEEDS
from workloads.kubernetes import pods, ways
from workloads.kubernetes.passwords import secret
from workloads.kubernetes.program_files import program_mount, program_texts, program_volume
from workloads.kubernetes.server import (
    FORGET_SECONDS,
    Server,
    deploy,
    forgotten_first,
    from_secret,
    mount,
    needs_of,
    probe,
    secret_volume,
)

WORKERS, TLS = "/etc/gateway", "/etc/tls"


@dataclass(frozen=True)
class GatewayArgs:
    """The gateway of `settings`, in the cluster's namespace `gateway`.

    image: of SMG. cache_image: what workloads/gateway/Dockerfile builds, and redis_image: both None without a cache.
    """

    cluster: GpuCluster
    settings: Gateway
    image: pulumi.Input[str]
    cache_image: pulumi.Input[str] | None = None
    redis_image: pulumi.Input[str] | None = None


class ModelGateway(pulumi.ComponentResource):
    """The servers, their keys, and the ways to the model servers.

    url: of the OpenAI-compatible API inside the cluster. keys: the API key of each tenant, secret.
    """

    url: pulumi.Output[str]
    keys: Mapping[str, pulumi.Output[str]]

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:workloads:ModelGateway", name, None, opts)
        settings, cluster = args.settings, args.cluster
        child = pulumi.ResourceOptions(
            parent=self,
            provider=cluster.provider,
            depends_on=[*cluster.platform],
            deleted_with=cluster.resource,
        )
        tenants = [tenant.name for tenant in settings.tenants]
        self.keys = keys.of_tenants(name, tenants, settings.key_version, child)
        servers = [url for model in settings.models for url in model.urls]
        ways.open_ways(name, ways.Callers(NAMESPACE, GATEWAY_APP), servers, child)
        # With a cache the door is its, and the gateway stands behind.
        behind = f"{name}-smg" if settings.cache else name
        service = deploy(_smg(behind, name, args, child, self.keys), child)
        if settings.cache and args.cache_image and args.redis_image:
            made = cache_pods.CacheArgs(
                settings,
                settings.cache,
                args.cache_image,
                args.redis_image,
                f"http://{behind}.{NAMESPACE}.svc:{smg.PORT}",
            )
            service = cache_pods.create(name, made, self.keys, child)
        scheme = "https" if settings.tls_secret else "http"
        port = cache_pods.PORT if settings.cache else smg.PORT
        self.url = service.metadata.apply(
            lambda metadata: f"{scheme}://{metadata.name}.{metadata.namespace}.svc:{port}/v1"
        )
        self.register_outputs({"url": self.url})


def _smg(
    name: str,
    gateway: str,
    args: GatewayArgs,
    opts: pulumi.ResourceOptions,
    api_keys: Mapping[str, pulumi.Output[str]],
) -> Server:
    settings = args.settings
    labels = {"app.kubernetes.io/name": GATEWAY_APP, "app.kubernetes.io/instance": name}
    servers = {f"model-{at}": model.urls for at, model in enumerate(settings.models)}
    workers = program_texts(name, NAMESPACE, {smg.WORKERS_FILE: smg.manifest(servers)}, labels, opts)
    secret(f"{gateway}-keys", NAMESPACE, api_keys, opts)
    variables = {tenant: f"TENANT_KEY_{at}" for at, tenant in enumerate(sorted(api_keys))}
    tls = settings.tls_secret if settings.cache is None else None
    scheme = "HTTPS" if tls else "HTTP"
    container = k8s.core.v1.ContainerArgs(
        name="smg",
        image=args.image,
        command=["python3", "-m", "smg.launch_router"],
        args=[
            # The kubelet puts a variable's value for $(…): the keys are in no Deployment.
            *smg.flags(WORKERS, {tenant: f"$({variable})" for tenant, variable in variables.items()}),
            *_bounds(settings),
            *([f"--tls-cert-path={TLS}/tls.crt", f"--tls-key-path={TLS}/tls.key"] if tls else []),
        ],
        env=[
            *pods.environment({"HOME": pods.SCRATCH}),
            *(from_secret(variable, f"{gateway}-keys", tenant) for tenant, variable in variables.items()),
        ],
        ports=[
            k8s.core.v1.ContainerPortArgs(name="http", container_port=smg.PORT),
            k8s.core.v1.ContainerPortArgs(name=METRICS_PORT_NAME, container_port=smg.METRICS_PORT),
        ],
        resources=needs_of("500m", 512),
        security_context=pods.container_security(),
        # Not /readiness, which fails while no model server is up: then nobody would tell clients so, and what scales
        # them from zero sees the request here first.
        readiness_probe=probe("/health", scheme=scheme),
        liveness_probe=probe("/liveness", scheme=scheme, period=30, failures=5),
        lifecycle=forgotten_first(),
        volume_mounts=[*pods.scratch_mounts(), program_mount(WORKERS), *([mount("tls", TLS)] if tls else [])],
    )
    return Server(
        name=name,
        namespace=NAMESPACE,
        app=GATEWAY_APP,
        replicas=settings.replicas,
        container=container,
        ports={"http": smg.PORT},
        grace_seconds=FORGET_SECONDS + smg.DRAIN_SECONDS + 5,
        priority_class=NEEDS.priority_class,
        volumes=[program_volume(workers), *([secret_volume("tls", tls)] if tls else [])],
        annotations={"india-ai-infra/key-version": settings.key_version},
    )


def _bounds(settings: Gateway) -> list[str]:
    found = {
        "--max-concurrent-requests": settings.max_concurrent_requests,
        "--rate-limit-tokens-per-second": settings.requests_per_second,
    }
    return [f"{flag}={value}" for flag, value in found.items() if value is not None]
