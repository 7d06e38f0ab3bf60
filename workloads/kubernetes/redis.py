"""A Redis in memory alone, with a password of its own: what it loses is asked, or written, again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_kubernetes as k8s

from workloads.kubernetes import pods
from workloads.kubernetes.passwords import password, secret
from workloads.kubernetes.server import Server, deploy, from_secret, needs_of

PORT = 6379


@dataclass(frozen=True)
class RedisArgs:
    """One Redis, or Valkey. `full` is what happens when its memory is: the longest unused keys go, or writes fail."""

    name: str
    namespace: str
    app: str
    image: pulumi.Input[str]
    memory_mib: int
    full: Literal["allkeys-lru", "noeviction"]
    priority_class: str | None


def create(args: RedisArgs, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    """The Redis, its Service and the Secret `<name>` with its password, which is returned."""
    made = password(f"{args.name}-password", opts)
    secret(args.name, args.namespace, {"password": made}, opts)
    deploy(_server(args), opts)
    return made


def host(name: str, namespace: str) -> str:
    """Where the pods of the cluster reach it."""
    return f"{name}.{namespace}.svc"


def flags(memory_mib: int, full: str, password: str) -> list[str]:
    """The flags of redis-server: nothing is ever on a disk."""
    values = {
        "port": str(PORT),
        "save": "",
        "appendonly": "no",
        "maxmemory": f"{memory_mib}mb",
        "maxmemory-policy": full,
        "requirepass": password,
    }
    return [word for name, value in values.items() for word in (f"--{name}", value)]


def _server(args: RedisArgs) -> Server:
    ping = k8s.core.v1.ProbeArgs(
        tcp_socket=k8s.core.v1.TCPSocketActionArgs(port="redis"), period_seconds=10, timeout_seconds=5
    )
    container = k8s.core.v1.ContainerArgs(
        name="redis",
        image=args.image,
        command=["redis-server"],
        args=flags(args.memory_mib, args.full, "$(REDIS_PASSWORD)"),
        env=[from_secret("REDIS_PASSWORD", args.name, "password")],
        ports=[k8s.core.v1.ContainerPortArgs(name="redis", container_port=PORT)],
        resources=needs_of("250m", args.memory_mib),
        security_context=pods.container_security(),
        readiness_probe=ping,
        liveness_probe=ping,
        volume_mounts=pods.scratch_mounts(),
    )
    return Server(
        name=args.name,
        namespace=args.namespace,
        app=args.app,
        replicas=1,
        container=container,
        ports={"redis": PORT},
        grace_seconds=30,
        priority_class=args.priority_class,
        recreate=True,
    )
