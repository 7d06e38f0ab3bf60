"""The metrics of vLLM 0.33.0, as its own wheel makes them."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

# What Prometheus' client library makes of a metric.
ENDINGS = {"gauge": ("",), "counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}


@cache
def exported() -> frozenset[str]:
    """Every series that the engine exports, by name."""
    with Path(__file__).with_name("vllm_metrics.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    return frozenset(row["metric"] + ending for row in rows for ending in ENDINGS[row["kind"]])
