"""What serving needs of the platform: released models, GPUs before anybody else, callers, and alerts on answers.

Metric names: vLLM 0.33.0.
"""

from infra.contracts.grants import ML_ENGINEERS, Grant
from infra.contracts.needs import (
    WRITE,
    Alert,
    Namespace,
    PodMonitor,
    PolicyRule,
    Priority,
    Role,
    RoleBinding,
    WorkloadNeeds,
)
from workloads.serving.engines import engines

IMAGE = engines()["vllm"].image
APP = "model-server"
PORT_NAME = "http"
METRICS_PORT_NAME = "metrics"  # where metrics are on a port of their own

SERVE = Role(
    "serve",
    (
        PolicyRule("apps", ("deployments",), WRITE),
        PolicyRule("apps", ("deployments/scale",), ("get", "update", "patch")),
        PolicyRule("", ("configmaps", "services"), WRITE),
        PolicyRule("", ("pods",), ("delete",)),
        PolicyRule("policy", ("poddisruptionbudgets",), WRITE),
        PolicyRule("keda.sh", ("scaledobjects",), WRITE),
    ),
)

_FIRST_TOKEN = "sum by (le, model_name) (rate(vllm:time_to_first_token_seconds_bucket[5m]))"
_BETWEEN_TOKENS = "sum by (le, model_name) (rate(vllm:inter_token_latency_seconds_bucket[5m]))"
ALERTS = (
    Alert(
        "TimeToFirstTokenHigh",
        f"histogram_quantile(0.95, {_FIRST_TOKEN}) > 2",
        "10m",
        "warning",
        "{{ $labels.model_name }}: one in twenty waits over 2 s for the first token",
    ),
    Alert(
        "InterTokenLatencyHigh",
        f"histogram_quantile(0.95, {_BETWEEN_TOKENS}) > 0.1",
        "10m",
        "warning",
        "{{ $labels.model_name }}: one in twenty tokens takes over 100 ms",
    ),
    Alert(
        "ModelServerSaturated",
        'sum by (model_name) (vllm:num_requests_waiting_by_reason{reason="capacity"}) > 0',
        "10m",
        "warning",
        "{{ $labels.model_name }}: requests wait for KV cache; add replicas",
    ),
    Alert(
        "ModelServerRejects",
        "sum by (model_name) (rate(vllm:admission_rejections_total[5m])) > 0",
        "5m",
        "critical",
        "{{ $labels.model_name }}: requests are refused with 503",
    ),
)

NEEDS = WorkloadNeeds(
    name="serving",
    namespace=Namespace("serving"),
    grants=(Grant("models", "read", "released/"),),
    priority=Priority(10_000, "Model servers: people wait for their answers.", preempts=True),
    clients={"india-ai-infra/serving-client": "true"},
    internet=True,
    monitors=(PodMonitor("model-servers", APP, PORT_NAME, alerts=ALERTS),),
    roles=(RoleBinding(ML_ENGINEERS, "view"), RoleBinding(ML_ENGINEERS, SERVE)),
    default_image=IMAGE,
    always=True,
)
