"""What the cache counts, for Prometheus. No label has a tenant, a model or a text."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()
OUTCOMES = ("hit", "miss", "joined", "bypass", "refused")

requests = Counter(
    "gateway_cache_requests",
    "Requests of the paths that are cached: hit (from Redis), miss (the gateway was asked), joined (the same question "
    "was on its way), bypass (may not be cached), refused (by the cache itself)",
    ["outcome"],
    registry=REGISTRY,
)
bypassed = Counter("gateway_cache_bypassed", "Requests that may not be cached", ["reason"], registry=REGISTRY)
unstored = Counter("gateway_cache_unstored", "Answers that were not kept", ["reason"], registry=REGISTRY)
poisoned = Counter(
    "gateway_cache_poisoned", "Entries that were not ours, and were deleted", ["reason"], registry=REGISTRY
)
redis_errors = Counter(
    "gateway_cache_redis_errors",
    "Calls of Redis that failed or took too long",
    ["operation"],
    registry=REGISTRY,
)
waiting = Gauge("gateway_cache_waiting", "Requests whose answer is on its way", registry=REGISTRY)
erased = Counter("gateway_cache_erased", "Entries erased on request", ["of"], registry=REGISTRY)
seconds = Histogram(
    "gateway_cache_seconds",
    "Until the answer began",
    ["outcome"],
    registry=REGISTRY,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)

# Looked up once, and all there from the start: a rate needs a first value.
BY_OUTCOME = {outcome: (requests.labels(outcome), seconds.labels(outcome)) for outcome in OUTCOMES}
