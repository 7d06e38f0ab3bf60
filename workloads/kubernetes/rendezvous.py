"""How the ranks of a job over several pods meet: a headless Service, and torchrun's flags."""

from collections.abc import Mapping

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

PORT = 29400  # torchrun's own default
# Ranks wait this long for each other: a spot GPU node and its image may take minutes.
SECONDS = 1800


def rendezvous_service(
    name: str, namespace: str, labels: Mapping[str, str], opts: pulumi.ResourceOptions
) -> k8s.core.v1.Service:
    """The names of the pods with `labels`, by which ranks meet before they are ready."""
    return k8s.core.v1.Service(
        f"{name}-rendezvous",
        metadata=ObjectMetaArgs(
            name=name,
            namespace=namespace,
            labels=dict(labels),
            # It has endpoints only once the Job has pods, which come after it.
            annotations={"pulumi.com/skipAwait": "true"},
        ),
        spec=k8s.core.v1.ServiceSpecArgs(
            cluster_ip="None",
            selector=dict(labels),
            publish_not_ready_addresses=True,  # ranks are ready once they have met, and meet by these names
            ports=[k8s.core.v1.ServicePortArgs(name="rendezvous", port=PORT)],
        ),
        opts=opts,
    )


def container_port() -> k8s.core.v1.ContainerPortArgs:
    """Where the first pod listens."""
    return k8s.core.v1.ContainerPortArgs(name="rendezvous", container_port=PORT)


def torchrun(name: str, namespace: str, first_pod: str, *, nodes: int, gpus_per_node: int) -> list[str]:
    """The flags of `torchrun` on each of `nodes` pods, before those of its program; `first_pod` is that of index 0."""
    *first, last = flags(name, nodes=nodes, gpus_per_node=gpus_per_node)
    return [*first, f"--rdzv-endpoint={first_pod}.{name}.{namespace}.svc:{PORT}", last]


def flags(name: str, *, nodes: int, gpus_per_node: int) -> list[str]:
    """The same flags without the endpoint, wherever the nodes are."""
    return [
        f"--nnodes={nodes}",
        f"--nproc-per-node={gpus_per_node}",
        # A lost rank ends the job's pods and Kubernetes starts them afresh: the pod of index 0 holds the rendezvous, so
        # survivors could not go on without it anyway.
        "--max-restarts=0",
        f"--rdzv-id={name}",
        "--rdzv-backend=c10d",
        f"--rdzv-conf=join_timeout={SECONDS},read_timeout={SECONDS}",
    ]
