"""What the local cloud costs in seconds and MiB, as ratios within one run, for machines are noisy."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from rich.table import Table

from . import cloud, clusters
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
PREVIEWS = 5


def run() -> None:
    """Measure, print, and keep the numbers in `.localcloud/bench.json`."""
    cloud.stop()
    began = time.monotonic()
    endpoint = cloud.start().aws_endpoint
    moto_seconds = time.monotonic() - began
    env = cloud.environment(endpoint)
    empty = _measure("empty program", Stack("empty", env, _empty_project()))
    local = _measure("local", Stack("local", env), at_top=lambda: _parts(moto_seconds))
    _show(empty, local)
    (run_dir() / "bench.json").write_text(json.dumps({"empty": empty, "local": local}, indent=1))
    cloud.stop()


def _empty_project() -> Path:
    folder = run_dir() / "empty"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Pulumi.yaml").write_text("name: empty\nruntime: python\n")
    (folder / "__main__.py").write_text(EMPTY)
    return folder


def _measure(title: str, stack: Stack, at_top: Callable[[], None] = lambda: None) -> dict[str, float]:
    with step(title) as report:
        seconds = {"up": _timed(stack.up)}
        times = []
        for number in range(PREVIEWS):
            report(number, PREVIEWS, "no-change preview")
            times.append(_timed(stack.preview))
        seconds["no-change preview"] = statistics.median(times)
        at_top()
        seconds["destroy"] = _timed(stack.destroy)
    return seconds


def _timed(operation: Callable[[], Outcome]) -> float:
    outcome = operation()
    if outcome.failed:
        raise EngineError("\n".join(outcome.errors))
    return outcome.seconds


def _parts(moto_seconds: float) -> None:
    table = Table("part", "seconds to start", "MiB", title="Parts of the local cloud", title_justify="left")
    moto = cloud.store().get("process", "moto") or {}
    table.add_row("moto", f"{moto_seconds:.1f}", f"{_mib(moto['pid']):.0f}")
    for name in clusters.recorded():
        for part, seconds, pid in clusters.parts(name):
            table.add_row(f"{name}: {part}", f"{seconds:.1f}", f"{_mib(pid):.0f}")
    console.print(table)


def _mib(pid: int) -> float:
    process = psutil.Process(pid)
    return sum(p.memory_info().rss for p in [process, *process.children(recursive=True)]) / 2**20


def _show(empty: dict[str, float], local: dict[str, float]) -> None:
    table = Table("operation", "empty, s", "local, s", "ratio", title="Engine", title_justify="left")
    for name, seconds in local.items():
        table.add_row(name, f"{empty[name]:.1f}", f"{seconds:.1f}", f"{seconds / empty[name]:.1f} ×")
    console.print(table)
