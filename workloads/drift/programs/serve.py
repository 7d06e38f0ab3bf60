"""The latest result as metrics of Prometheus, read from the lake at most once in `SECONDS`.

A CronJob's pod is gone before anybody scrapes it, and a push gateway would be one more server that keeps what it was
once told. This process keeps nothing: the lake has the result.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from . import result
from .job import LENGTHS, Job
from .result import Result

SECONDS = 60.0


class Latest(Collector):
    """What Prometheus is told. A result that can't be read is told as one that is old: the alert is the same."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._read = 0.0
        self._result: Result | None = None
        self._lock = threading.Lock()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The families, for one scrape."""
        with self._lock:
            if time.monotonic() - self._read > SECONDS or not self._read:
                self._result = result.read(self._job.results, "latest")
                self._read = time.monotonic()
            latest = self._result
        model = self._job.model
        ends = datetime.fromisoformat(latest.ends).timestamp() if latest else 0.0
        yield gauge(
            "drift_window_end_timestamp_seconds", "When the last judged window ended", [([model], ends)]
        )
        length = LENGTHS[self._job.window].total_seconds()
        yield gauge("drift_window_seconds", "How long a window is", [([model], length)])
        if latest is None:
            return
        yield gauge("drift_rows", "Rows of the last window", [([model], latest.rows)])
        yield gauge("drift_confirmed", "Whether drift is confirmed", [([model], float(latest.confirmed))])
        started = float(bool(latest.retraining.get("started")))
        yield gauge(
            "drift_retraining_started", "Whether the last window started a training", [([model], started)]
        )
        for name, words, of in (
            ("drift_distance", "Distance of a feature from the reference", "distance"),
            ("drift_distance_threshold", "From which distance on it counts", "distance_threshold"),
            ("drift_psi", "Population stability index of a feature", "psi"),
            ("drift_psi_threshold", "From which index on it counts", "psi_threshold"),
            ("drift_drifted", "Whether the feature has drifted", "drifted"),
        ):
            values = [([model, feature.name], float(getattr(feature, of))) for feature in latest.features]
            yield gauge(name, words, values)
        if latest.outcome:
            yield gauge("drift_right_ratio", "Share of right predictions", [([model], latest.outcome.right)])


def gauge(name: str, words: str, values: list[tuple[list[str], float]]) -> GaugeMetricFamily:
    """A family with the labels model and, where there are two values, feature."""
    labels = ["model", "feature"][: len(values[0][0])] if values else ["model"]
    family = GaugeMetricFamily(name, words, labels=labels)
    for labelled, value in values:
        family.add_metric(labelled, value)
    return family


def forever(job: Job, host: str, port: int) -> int:
    """Serves until it is ended."""
    registry = CollectorRegistry()
    registry.register(Latest(job))
    _, thread = start_http_server(port, host, registry=registry)
    thread.join()
    return 0
