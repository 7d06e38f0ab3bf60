"""Replicas by load: a ScaledObject of KEDA over what the engine tells Prometheus, and over the gateway where there may
be no replica to tell anything.

KEDA v2.20.2: pkg/scalers/prometheus_scaler.go, pkg/fallback/fallback.go and
pkg/scaling/executor/scale_scaledobjects.go. Engine: vLLM 0.33.0. Gateway: SMG 1.13.0, whose /metrics was read.
"""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.contracts import prometheus
from infra.contracts.cluster import GpuCluster
from infra.settings.workloads.scaling import Scale
from infra.settings.workloads.serving import Serving
from workloads.kubernetes.placement import WHEN_MADE
from workloads.serving.alerts import SERVER
from workloads.serving.cold_start import cold_start
from workloads.serving.needs import NEEDS, floor_name

API_VERSION = "keda.sh/v1alpha1"
POLL_SECONDS = 15
# Looks in vain at Prometheus after which replicas stay as they are.
FAILURES = 3
SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}
# How long a request that met no replica counts as asked: people try again, and each attempt counts anew.
ASKED_MINUTES = 5
# Requests that found no replica. SMG gives a model that has none the label "other", so that they can't be told apart.
UNSERVED = 'smg_router_request_errors_total{error_type="no_workers"}'


def first_replicas(serving: Serving) -> int:
    """With how many the Deployment is made, without the floor on demand: one where there may be none, to see that the
    model loads."""
    if serving.scale is None:
        return serving.replicas - serving.floor
    return max(1, serving.scale.minimum - serving.floor)


def options(serving: Serving) -> pulumi.ResourceOptions | None:
    """Options of a ModelServer whose replicas are KEDA's: an update neither changes their number nor, where there may
    be none, waits for one."""
    if serving.scale is None:
        return None
    none = serving.scale.minimum == 0
    return pulumi.ResourceOptions(transformations=[lambda args: _left_to_keda(args, serving.name, none)])


def create(serving: Serving, cluster: GpuCluster, server: pulumi.Resource) -> CustomResource | None:
    """The ScaledObject of a model server, if its settings ask for one; says what a start from zero costs."""
    if serving.scale is None:
        return None
    if serving.scale.minimum == 0:
        pulumi.log.info(
            f"workloads.serving.scale: while there is no replica, a request waits {cold_start(serving)} for one, "
            "refused until then: docs/scaling.md#from-zero",
            server,
        )
    assert NEEDS.namespace
    return CustomResource(
        f"{serving.name}-scale",
        api_version=API_VERSION,
        kind="ScaledObject",
        metadata=ObjectMetaArgs(name=serving.name, namespace=NEEDS.namespace.name),
        spec=scaled_object(
            serving.name, serving.scale, cluster.pools[serving.pool].grace_seconds, serving.floor
        ),
        opts=pulumi.ResourceOptions(
            provider=cluster.provider, depends_on=[server], deleted_with=cluster.resource
        ),
    )


def scaled_object(name: str, scale: Scale, grace_seconds: int, floor: int = 0) -> dict[str, Any]:
    """The spec of the ScaledObject of the Deployment `name`, whose pods take `grace_seconds` to leave. Of the server's
    replicas it has those above `floor`.

    A replica goes when load has been low for the whole cooldown, one at a time, and the next when that one has answered
    what it had begun: the HPA takes any pod, also one in the middle of an answer.
    """
    cooldown = 60 * scale.cooldown_minutes
    one_by_one = [{"type": "Pods", "value": 1, "periodSeconds": max(60, grace_seconds)}]
    return {
        "scaleTargetRef": {"name": name},
        "minReplicaCount": scale.minimum - floor,
        "maxReplicaCount": scale.maximum - floor,
        "pollingInterval": POLL_SECONDS,
        "cooldownPeriod": cooldown,
        # Prometheus that does not answer says nothing about load: neither more replicas nor fewer.
        "fallback": {
            "failureThreshold": FAILURES,
            "replicas": max(1, scale.minimum - floor),
            "behavior": "currentReplicasIfHigher",
        },
        "advanced": {
            "horizontalPodAutoscalerConfig": {
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": cooldown, "policies": one_by_one}}
            }
        },
        "triggers": triggers(name, scale, floor),
    }


def triggers(name: str, scale: Scale, floor: int = 0) -> list[dict[str, Any]]:
    """What KEDA asks Prometheus: sums over the replicas, each divided by what one replica may have of it. With a floor
    the sums are over its replicas too, less what those may have."""
    pods = f'{SERVER}=~"{name}|{floor_name(name)}"' if floor else f'{SERVER}="{name}"'
    of_server = f'{{namespace="{NEEDS.name}",{pods}}}'
    # Without a replica the engine has no metrics, which is no fault; with one it is: then `fallback`.
    empty_is_zero = scale.minimum == 0
    of_engine = [
        _trigger(name, _above(f"sum({metric}{of_server})", floor * threshold), threshold, empty_is_zero)
        for name, metric, threshold in (
            ("queue", "vllm:num_requests_waiting", scale.queue),
            ("kv-cache", "vllm:kv_cache_usage_perc", scale.kv_cache),
        )
    ]
    # No more than one: it wakes the server, and how many replicas there are is the engine's to say.
    return [*of_engine, _trigger("asked", asked(), 1, True)] if scale.minimum == 0 else of_engine


def _above(query: str, floor: float) -> str:
    return f"clamp_min({query} - {floor:g}, 0)" if floor else query


def asked() -> str:
    """1 if a request met no replica within the last minutes.

    `increase` does not see a series begin, and the first request of a gateway begins one.
    """
    since = f"{ASKED_MINUTES}m"
    return f"clamp_max(sum((increase({UNSERVED}[{since}]) > 0) or ({UNSERVED} unless {UNSERVED} offset {since})), 1)"


def _trigger(name: str, query: str, threshold: float, empty_is_zero: bool) -> dict[str, Any]:
    return {
        "type": "prometheus",
        "name": name,
        "metricType": "AverageValue",
        "metadata": {
            "serverAddress": prometheus.ADDRESS,
            "query": query,
            "threshold": f"{threshold:g}",
            "ignoreNullValues": str(empty_is_zero).lower(),
        },
    }


def _left_to_keda(
    args: pulumi.ResourceTransformationArgs, server: str, none: bool
) -> pulumi.ResourceTransformationResult | None:
    """The Deployment without its number of replicas; of a server that may have none, nothing waits for one. A floor's
    Deployment keeps its number."""
    if args.name == floor_name(server):
        return None
    waits = {k8s.apps.v1.Deployment: WHEN_MADE, k8s.core.v1.Service: SKIP_AWAIT}.get(type(args.resource))
    if waits is None:
        return None
    if none:
        metadata: Any = args.props["metadata"]
        metadata.annotations = waits
    own = ["spec.replicas"] if waits is WHEN_MADE else []
    opts = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(ignore_changes=own))
    return pulumi.ResourceTransformationResult(args.props, opts)
