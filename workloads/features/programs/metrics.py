"""What the server exports: how it answers, and how old what it answers is. needs.py has the alerts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import REGISTRY, Collector
from redis.exceptions import RedisError

from .keys import mark_key

SECONDS = Histogram(
    "features_request_seconds",
    "Seconds of a request, by its answer's code.",
    ["code"],
    buckets=(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
VALUES = Counter(
    "features_values_total", "Values that were answered, by view and status.", ["view", "status"]
)


class Materialised(Collector):
    """Looks at each scrape what the last materialisation left in Redis."""

    def __init__(self, client: Any, project: str, stale_seconds: int) -> None:
        self._client = client
        self._project = project
        self._stale_seconds = stale_seconds

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Redis' own state, and that of the last run, where there was one."""
        try:
            mark = self._client.hgetall(mark_key(self._project))
        except RedisError:
            yield _gauge("features_redis_up", "Whether Redis answers.", self._project, 0)
            return
        yield _gauge("features_redis_up", "Whether Redis answers.", self._project, 1)
        failed = json.loads(mark.get(b"failed", b"null"))
        yield _gauge(
            "features_materialisation_failed",
            "1 if the last materialisation failed.",
            self._project,
            int(failed is not None),
        )
        limit = "After these seconds what is served is late."
        yield _gauge("features_freshness_limit_seconds", limit, self._project, self._stale_seconds)
        if through := mark.get(b"through"):
            age = (datetime.now(UTC) - datetime.fromisoformat(through.decode())).total_seconds()
            yield _gauge(
                "features_freshness_seconds",
                "Seconds since the end that is materialised.",
                self._project,
                age,
            )

    def register(self) -> None:
        """Add it to what is exported."""
        REGISTRY.register(self)


def _gauge(name: str, text: str, project: str, value: float) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=["project"])
    family.add_metric([project], value)
    return family
