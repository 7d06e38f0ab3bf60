"""The response cache's pods, and the Redis that they share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_kubernetes as k8s

from infra.settings.workloads.gateway import Gateway, GatewayCache
from workloads.gateway.needs import CACHE_APP, METRICS_PORT_NAME, NAMESPACE, NEEDS, REDIS_APP
from workloads.kubernetes import pods, redis
from workloads.kubernetes.passwords import password, secret
from workloads.kubernetes.program_files import program_mount, program_texts, program_volume
from workloads.kubernetes.server import (
    FORGET_SECONDS,
    Server,
    deploy,
    forgotten_first,
    mount,
    needs_of,
    probe,
    secret_volume,
)

PORT, METRICS_PORT = 8080, 9464
DRAIN_SECONDS = 60  # cache/__main__.py
PACKAGE = Path(__file__).with_name("cache")
PROGRAM, SECRETS, TLS = "/opt/gateway", "/etc/cache", "/etc/tls"
CONFIG = "cache.json"


@dataclass(frozen=True)
class CacheArgs:
    """The cache of a gateway: its settings, its images, and the address of the gateway behind it."""

    gateway: Gateway
    cache: GatewayCache
    image: pulumi.Input[str]
    redis_image: pulumi.Input[str]
    upstream: str


def create(
    name: str, args: CacheArgs, api_keys: Mapping[str, pulumi.Output[str]], opts: pulumi.ResourceOptions
) -> k8s.core.v1.Service:
    """The cache and its Redis; the Service is the gateway's door, called `name`."""
    redis_password = redis.create(_redis(f"{name}-redis", args), opts)
    secret(
        f"{name}-cache",
        NAMESPACE,
        {
            "secret": password(f"{name}-cache-secret", opts),
            "admin": password(f"{name}-cache-admin", opts),
            "redis-password": redis_password,
            **{f"tenant-{tenant}": key for tenant, key in api_keys.items()},
        },
        opts,
    )
    return deploy(_cache(name, args, opts), opts)


def config(args: CacheArgs, redis_host: str) -> str:
    """The cache's file: cache/options.py reads it."""
    said = {
        "upstream": args.upstream,
        "redis": f"redis://{redis_host}:{redis.PORT}/0",
        "tenants": {
            each.name: {"data_class": each.data_class, "above_zero": each.above_zero}
            for each in args.gateway.tenants
        },
        "lives": args.cache.seconds.model_dump(),
        "revisions": {model.name: model.revision for model in args.gateway.models if model.revision},
        "log_prompts": args.cache.log_prompts,
    }
    return json.dumps(said, indent=1, sort_keys=True)


def _cache(name: str, args: CacheArgs, opts: pulumi.ResourceOptions) -> Server:
    tls = args.gateway.tls_secret
    labels = {"app.kubernetes.io/name": CACHE_APP, "app.kubernetes.io/instance": name}
    sources = sorted(PACKAGE.rglob("*.py"))
    texts = {source.relative_to(PACKAGE.parent).as_posix(): source.read_text() for source in sources}
    texts[CONFIG] = config(args, redis.host(f"{name}-redis", NAMESPACE))
    program = program_texts(f"{name}-cache", NAMESPACE, texts, labels, opts)
    flags = ["--config", f"{PROGRAM}/{CONFIG}", "--secrets", SECRETS, "--port", str(PORT)]
    scheme = "HTTPS" if tls else "HTTP"
    container = k8s.core.v1.ContainerArgs(
        name="cache",
        image=args.image,
        working_dir=PROGRAM,
        command=["python", "-m", "cache"],
        args=[*flags, "--metrics-port", str(METRICS_PORT), *(["--tls", TLS] if tls else [])],
        env=pods.environment({"HOME": pods.SCRATCH, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}),
        ports=[
            k8s.core.v1.ContainerPortArgs(name="http", container_port=PORT),
            k8s.core.v1.ContainerPortArgs(name=METRICS_PORT_NAME, container_port=METRICS_PORT),
        ],
        resources=needs_of("500m", 256),
        security_context=pods.container_security(),
        readiness_probe=probe("/healthz", scheme=scheme),
        liveness_probe=probe("/healthz", scheme=scheme, period=30, failures=5),
        lifecycle=forgotten_first(),
        volume_mounts=[
            *pods.scratch_mounts(),
            program_mount(PROGRAM),
            mount("secrets", SECRETS),
            *([mount("tls", TLS)] if tls else []),
        ],
    )
    volumes = [program_volume(program, list(texts)), secret_volume("secrets", f"{name}-cache")]
    return Server(
        name=name,
        namespace=NAMESPACE,
        app=CACHE_APP,
        replicas=args.cache.replicas,
        container=container,
        ports={"http": PORT},
        grace_seconds=FORGET_SECONDS + DRAIN_SECONDS + 5,
        priority_class=NEEDS.priority_class,
        volumes=[*volumes, *([secret_volume("tls", tls)] if tls else [])],
        annotations={"india-ai-infra/key-version": args.gateway.key_version},
    )


def _redis(name: str, args: CacheArgs) -> redis.RedisArgs:
    """What it loses is asked again; the least used entries go first."""
    return redis.RedisArgs(
        name=name,
        namespace=NAMESPACE,
        app=REDIS_APP,
        image=args.redis_image,
        memory_mib=args.cache.memory_mib,
        full="allkeys-lru",
        priority_class=NEEDS.priority_class,
    )
