"""Alerts on model servers. Metric names: vLLM 0.33.0. What to do about each: docs/scaling.md."""

from infra.contracts.needs import Alert, Severity

# The server's name is a label of its pods, as Prometheus writes it.
SERVER_LABEL = "app.kubernetes.io/instance"
SERVER = "app_kubernetes_io_instance"

_FIRST_TOKEN = "sum by (le, model_name) (rate(vllm:time_to_first_token_seconds_bucket[5m]))"
_BETWEEN_TOKENS = "sum by (le, model_name) (rate(vllm:inter_token_latency_seconds_bucket[5m]))"


def _alert(name: str, expression: str, lasting: str, severity: Severity, summary: str, part: str) -> Alert:
    runbook = f"docs/scaling.md#{part}"
    return Alert(name, expression, lasting, severity, f"{{{{ $labels.model_name }}}}: {summary}", runbook)


ALERTS = (
    _alert(
        "TimeToFirstTokenHigh",
        f"histogram_quantile(0.95, {_FIRST_TOKEN}) > 2",
        "10m",
        "warning",
        "one in twenty waits over 2 s for the first token",
        "the-first-token-is-late",
    ),
    _alert(
        "InterTokenLatencyHigh",
        f"histogram_quantile(0.95, {_BETWEEN_TOKENS}) > 0.1",
        "10m",
        "warning",
        "one in twenty tokens takes over 100 ms",
        "tokens-come-slowly",
    ),
    _alert(
        "ModelServerSaturated",
        'sum by (model_name) (vllm:num_requests_waiting_by_reason{reason="capacity"}) > 0',
        "10m",
        "warning",
        "requests wait for KV cache; add replicas",
        "requests-wait-for-kv-cache",
    ),
    _alert(
        "ModelServerPreempts",
        "sum by (model_name) (rate(vllm:num_preemptions_total[10m])) > 0.1",
        "10m",
        "warning",
        "answers that had begun are put back and computed again",
        "answers-are-put-back",
    ),
    _alert(
        "ModelServerRejects",
        "sum by (model_name) (rate(vllm:admission_rejections_total[5m])) > 0",
        "5m",
        "critical",
        "requests are refused with 503",
        "requests-are-refused",
    ),
)
