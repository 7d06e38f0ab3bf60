"""The dashboard of model servers.

Metrics: vLLM 0.33.0; kube-state-metrics and OpenCost of the platform for rupees.
"""

from __future__ import annotations

from itertools import starmap

from workloads.kubernetes import grafana
from workloads.serving.alerts import SERVER

NAMESPACE = "serving"
# Its share of each node's GPUs, whole or parts of them, times what the node costs. OpenCost's prices are in rupees.
_RUPEES_PER_HOUR = (
    "sum("
    f'sum by (node) (kube_pod_container_resource_requests{{namespace="{NAMESPACE}",pod=~"$server-[^-]+-[^-]+",'
    'resource="nvidia_com_gpu"})'
    ' / on (node) sum by (node) (kube_node_status_allocatable{resource="nvidia_com_gpu"})'
    " * on (node) max by (node) (node_total_hourly_cost))"
)


def _share(of: str, total: str) -> str:
    return f"sum(rate({of}{{SEL}}[5m])) / sum(rate({total}{{SEL}}[5m]))"


def _quantile(metric: str, quantile: float) -> str:
    return f"histogram_quantile({quantile:g}, sum by (le) (rate({metric}_bucket{{SEL}}[5m])))"


_ROWS = (
    ("Replicas that answer", "count(vllm:num_requests_running{SEL})", "short"),
    ("Rupees an hour", _RUPEES_PER_HOUR, "currencyINR"),
    (
        "Rupees per million tokens answered",
        f"{_RUPEES_PER_HOUR} / (3600 * sum(rate(vllm:generation_tokens_total{{SEL}}[1h]))) * 1e6",
        "currencyINR",
    ),
    ("Requests a second", "sum(rate(vllm:request_success_total{SEL}[5m]))", "reqps"),
    ("Refused a second", "sum(rate(vllm:admission_rejections_total{SEL}[5m]))", "reqps"),
    ("Prefix cache hits", _share("vllm:prefix_cache_hits_total", "vllm:prefix_cache_queries_total"), "percentunit"),
    ("First token, median", _quantile("vllm:time_to_first_token_seconds", 0.5), "s"),
    ("First token, one in twenty", _quantile("vllm:time_to_first_token_seconds", 0.95), "s"),
    ("Between tokens, one in twenty", _quantile("vllm:inter_token_latency_seconds", 0.95), "s"),
    ("Whole answer, one in twenty", _quantile("vllm:e2e_request_latency_seconds", 0.95), "s"),
    ("In the queue, one in twenty", _quantile("vllm:request_queue_time_seconds", 0.95), "s"),
    ("Tokens answered a second", "sum(rate(vllm:generation_tokens_total{SEL}[5m]))", "short"),
    ("Tokens of prompts a second", "sum(rate(vllm:prompt_tokens_total{SEL}[5m]))", "short"),
    ("Requests that run, by replica", "sum by (pod) (vllm:num_requests_running{SEL})", "short"),
    ("Requests that wait, by replica", "sum by (pod) (vllm:num_requests_waiting{SEL})", "short"),
    ("KV cache, by replica", "max by (pod) (vllm:kv_cache_usage_perc{SEL})", "percentunit"),
    ("Answers put back a second", "sum(rate(vllm:num_preemptions_total{SEL}[5m]))", "short"),
)  # fmt: skip
PANELS = tuple(starmap(grafana.Panel, _ROWS))
ONE = grafana.Picked("server", SERVER, "vllm:num_requests_running")
DASHBOARD = grafana.dashboard("model-servers", "Model servers", PANELS, ONE)
