"""The response cache's pods, and the Redis that they share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_kubernetes as k8s

from infra.settings.workloads.gateway import Gateway, GatewayCache
from workloads.gateway import keys
from workloads.gateway.needs import CACHE_APP, METRICS_PORT_NAME, REDIS_APP
from workloads.gateway.pods import (
    FORGET_SECONDS,
    NAMESPACE,
    Server,
    deploy,
    forgotten_first,
    from_secret,
    mount,
    needs_of,
    probe,
    secret_volume,
)
from workloads.kubernetes import pods
from workloads.kubernetes.program_files import program_mount, program_texts, program_volume

PORT, METRICS_PORT, REDIS_PORT = 8080, 9464, 6379
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
    password = keys.made(f"{name}-redis-password", opts)
    keys.secret(f"{name}-redis", {"password": password}, opts)
    deploy(_redis(f"{name}-redis", args), opts)
    keys.secret(
        f"{name}-cache",
        {
            "secret": keys.made(f"{name}-cache-secret", opts),
            "admin": keys.made(f"{name}-cache-admin", opts),
            "redis-password": password,
            **{f"tenant-{tenant}": key for tenant, key in api_keys.items()},
        },
        opts,
    )
    return deploy(_cache(name, args, opts), opts)


def config(args: CacheArgs, redis_host: str) -> str:
    """The cache's file: cache/options.py reads it."""
    said = {
        "upstream": args.upstream,
        "redis": f"redis://{redis_host}:{REDIS_PORT}/0",
        "tenants": {
            each.name: {"data_class": each.data_class, "above_zero": each.above_zero}
            for each in args.gateway.tenants
        },
        "lives": args.cache.seconds.model_dump(),
        "revisions": {model.name: model.revision for model in args.gateway.models if model.revision},
        "log_prompts": args.cache.log_prompts,
    }
    return json.dumps(said, indent=1, sort_keys=True)


def redis_flags(memory_mib: int, password: str) -> list[str]:
    """The flags of redis-server: in memory alone, and the least used entries go first."""
    flags = {
        "port": str(REDIS_PORT),
        "save": "",
        "appendonly": "no",
        "maxmemory": f"{memory_mib}mb",
        "maxmemory-policy": "allkeys-lru",
        "requirepass": password,
    }
    return [word for name, value in flags.items() for word in (f"--{name}", value)]


def _cache(name: str, args: CacheArgs, opts: pulumi.ResourceOptions) -> Server:
    tls = args.gateway.tls_secret
    labels = {"app.kubernetes.io/name": CACHE_APP, "app.kubernetes.io/instance": name}
    sources = sorted(PACKAGE.rglob("*.py"))
    texts = {source.relative_to(PACKAGE.parent).as_posix(): source.read_text() for source in sources}
    texts[CONFIG] = config(args, f"{name}-redis.{NAMESPACE}.svc")
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
        app=CACHE_APP,
        replicas=args.cache.replicas,
        container=container,
        ports={"http": PORT},
        grace_seconds=FORGET_SECONDS + DRAIN_SECONDS + 5,
        volumes=[*volumes, *([secret_volume("tls", tls)] if tls else [])],
        annotations={"india-ai-infra/key-version": args.gateway.key_version},
    )


def _redis(name: str, args: CacheArgs) -> Server:
    """One Redis without persistence: what it loses is asked again. Nothing of a question is ever on a disk."""
    memory = args.cache.memory_mib
    ping = k8s.core.v1.ProbeArgs(
        tcp_socket=k8s.core.v1.TCPSocketActionArgs(port="redis"), period_seconds=10, timeout_seconds=5
    )
    container = k8s.core.v1.ContainerArgs(
        name="redis",
        image=args.redis_image,
        command=["redis-server"],
        args=redis_flags(memory, "$(REDIS_PASSWORD)"),
        env=[from_secret("REDIS_PASSWORD", name, "password")],
        ports=[k8s.core.v1.ContainerPortArgs(name="redis", container_port=REDIS_PORT)],
        resources=needs_of("250m", memory),
        security_context=pods.container_security(),
        readiness_probe=ping,
        liveness_probe=ping,
        volume_mounts=pods.scratch_mounts(),
    )
    return Server(
        name=name,
        app=REDIS_APP,
        replicas=1,
        container=container,
        ports={"redis": REDIS_PORT},
        grace_seconds=30,
        recreate=True,
    )
