"""What the local cloud and the catalogue cost in seconds and MiB, as ratios within one run, for machines are noisy."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from rich.box import SIMPLE_HEAD
from rich.table import Table

from . import bench_catalog, cloud, clusters, karpenter, kubernetes_crds, toolchain
from .engine import EngineError, Outcome, Stack
from .paths import run_dir
from .progress import console, step

# The floor: a program that asks nothing of the same three providers but to start.
EMPTY = """import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes
import pulumi_random as random
aws.Provider("aws", region="ap-south-1")
kubernetes.Provider("kubernetes", kubeconfig="{}")
random.RandomId("random", byte_length=4)
"""
SCRATCH, REGION = "bench", "ap-south-1"
ZONES = {"aps1-az1": "ap-south-1a", "aps1-az2": "ap-south-1b", "aps1-az3": "ap-south-1c"}


def run(previews: int, with_skypilot: bool) -> None:
    """Measure, print, and keep the numbers in `.localcloud/bench.json`. The stack that stands is left alone."""
    kept = run_dir() / "bench.json"
    os.environ["INDIA_AI_INFRA_RUN"] = str(run_dir().resolve() / "bench")
    toolchain.ensure(lambda done, total, what: None)  # links into the folder of the bench
    try:
        parts = _parts()
        env = cloud.environment(cloud.start().aws_endpoint)
        empty = _measure("empty program", Stack("empty", env, _empty_project()), previews)
        local = _measure("local", Stack("local", env), previews)
        catalogue = bench_catalog.measure(with_skypilot)
    finally:
        cloud.stop()
    _show(empty, local)
    bench_catalog.show(catalogue)
    numbers = {"parts": parts, "empty": empty, "local": local, "catalogue": catalogue}
    kept.write_text(json.dumps(numbers, indent=1))
    console.print(f"wrote {kept}")


def _empty_project() -> Path:
    folder = run_dir() / "empty"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Pulumi.yaml").write_text("name: empty\nruntime: python\n")
    (folder / "__main__.py").write_text(EMPTY)
    return folder


def _measure(title: str, stack: Stack, previews: int) -> dict[str, float]:
    with step(title) as report:
        seconds = {"up": _timed(stack.up)}
        times = []
        for number in range(previews):
            report(number, previews, "no-change preview")
            times.append(_timed(stack.preview))
        seconds["no-change preview"] = statistics.median(times)
        seconds["destroy"] = _timed(stack.destroy)
    return seconds


def _timed(operation: Callable[[], Outcome]) -> float:
    outcome = operation()
    if outcome.failed:
        raise EngineError("\n".join(outcome.errors))
    return outcome.seconds


def _parts() -> dict[str, dict[str, float]]:
    """Seconds to start and MiB held, of each part alone."""
    parts: dict[str, dict[str, float]] = {}

    def part(name: str, start: Callable[[], object], pids: Callable[[], list[int]]) -> None:
        began = time.monotonic()
        start()
        seconds = time.monotonic() - began
        parts[name] = {"seconds": seconds, "MiB": sum(map(_mib, pids()))}

    with step("parts of the local cloud"):
        part("moto", cloud.start, lambda: [(cloud.store().get("process", "moto") or {})["pid"]])
        part("control plane", lambda: clusters.start(SCRATCH, REGION), _cluster_pids)
        part("Karpenter", _start_karpenter, lambda: _cluster_pids("karpenter"))
        clusters.stop(SCRATCH)
    table = Table(title="Parts of the local cloud", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("part")
    for column in ("seconds to start", "MiB"):
        table.add_column(column, justify="right")
    for name, numbers in parts.items():
        table.add_row(name, f"{numbers['seconds']:.1f}", f"{numbers['MiB']:.0f}")
    console.print(table)
    return parts


def _start_karpenter() -> None:
    kubernetes_crds.install(clusters.start(SCRATCH, REGION).api(), "karpenter")
    karpenter.start(SCRATCH, ZONES)


def _cluster_pids(program: str = "") -> list[int]:
    return [process.pid for process in clusters.processes_of(SCRATCH, program)]


def _mib(pid: int) -> float:
    process = psutil.Process(pid)
    return process.memory_info().rss / 2**20


def _show(empty: dict[str, float], local: dict[str, float]) -> None:
    table = Table(title="Engine, with the policy pack", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("operation")
    for column in ("empty, s", "local, s", "ratio"):
        table.add_column(column, justify="right")
    for name, seconds in local.items():
        table.add_row(name, f"{empty[name]:.1f}", f"{seconds:.1f}", f"{seconds / empty[name]:.1f} ×")
    console.print(table)
