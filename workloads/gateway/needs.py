"""What the gateway needs of the platform: a namespace that clients reach, scraping, and alerts on what it answers.

Metric names: SMG 1.13.0 (as it exports them, tests/workloads/gateway/test_smg.py) and cache/metrics.py.
"""

from infra.contracts.grants import ML_ENGINEERS
from infra.contracts.needs import (
    IN_CLOUDS,
    Alert,
    Namespace,
    PodMonitor,
    Priority,
    RoleBinding,
    Severity,
    WorkloadNeeds,
)
from workloads.gateway.smg import IMAGE

NAMESPACE = "gateway"
GATEWAY_APP, CACHE_APP, REDIS_APP = "gateway", "gateway-cache", "gateway-redis"
METRICS_PORT_NAME = "metrics"


def _alert(name: str, expression: str, lasting: str, severity: Severity, summary: str, part: str) -> Alert:
    return Alert(name, expression, lasting, severity, summary, f"docs/gateway.md#{part}")


_FAILED = 'sum(rate(smg_http_responses_total{status_code=~"5.."}[5m]))'
GATEWAY_ALERTS = (
    _alert(
        "GatewayFails",
        f"{_FAILED} / sum(rate(smg_http_responses_total[5m])) > 0.05",
        "5m",
        "critical",
        "One answer of the gateway in twenty is a 5xx",
        "the-gateway-fails",
    ),
    _alert(
        "GatewayRetriesExhausted",
        "sum(rate(smg_worker_retries_exhausted_total[5m])) > 0",
        "10m",
        "warning",
        "Requests fail on every server of their model",
        "the-gateway-fails",
    ),
)
CACHE_ALERTS = (
    _alert(
        "GatewayCachePoisoned",
        "sum by (reason) (increase(gateway_cache_poisoned_total[15m])) > 0",
        "0m",
        "critical",
        "Entries that the cache did not write are in Redis ({{ $labels.reason }})",
        "entries-are-poisoned",
    ),
    _alert(
        "GatewayCacheWithoutRedis",
        "sum(rate(gateway_cache_redis_errors_total[5m])) > 0.1",
        "10m",
        "warning",
        "Redis does not answer the cache in time: every request goes to the models",
        "redis-does-not-answer",
    ),
)

NEEDS = WorkloadNeeds(
    name="gateway",
    namespace=Namespace(NAMESPACE),
    priority=Priority(11_000, "Gateways: every answer passes through them."),
    clients=({"india-ai-infra/gateway-client": "true"},),
    monitors=(
        PodMonitor("gateway", GATEWAY_APP, METRICS_PORT_NAME, alerts=GATEWAY_ALERTS),
        PodMonitor("gateway-cache", CACHE_APP, METRICS_PORT_NAME, alerts=CACHE_ALERTS),
    ),
    roles=(RoleBinding(ML_ENGINEERS, "view"),),
    runs_on=IN_CLOUDS,
    default_image=IMAGE,
)
