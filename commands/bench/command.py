"""What the local cloud and the catalogue cost in seconds and MiB, as ratios within one run, for machines are noisy."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import psutil
import typer
import yaml
from rich.box import SIMPLE_HEAD
from rich.table import Table

from commands.bench import against as against_commit
from commands.bench import catalog as bench_catalog
from commands.bench import compression as bench_compression
from commands.bench import drift as bench_drift
from commands.bench import evaluation as bench_evaluation
from commands.bench import odd_shapes as bench_odd_shapes
from commands.bench import policies as bench_policies
from commands.bench.gateway import part as bench_gateway
from commands.bench.gateway.part import GatewayBenchError
from commands.bench.program import BenchProgramError
from commands.bench.training import part as bench_training
from commands.bench.training.restarts import RestartError
from commands.console import console, step
from commands.setup import setup
from infra.stacks import file_of, read
from localcloud import cloud
from localcloud.directories import run_dir
from localcloud.engine import EngineError, Outcome, Stack
from localcloud.kubernetes import clusters, karpenter
from localcloud.kubernetes import crds as kubernetes_crds
from localcloud.toolchain import install
from localcloud.toolchain.errors import ToolchainError

# The floor: a program that asks nothing of the same providers but to start.
EMPTY = """import pulumi
import pulumi_aws as aws
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes
import pulumi_random as random
aws.Provider("aws", region="ap-south-1")
gcp.Provider("gcp", region="asia-south1")
kubernetes.Provider("kubernetes", kubeconfig="{}")
random.RandomId("random", byte_length=4)
"""
ERRORS = (
    ToolchainError,
    EngineError,
    BenchProgramError,
    RestartError,
    GatewayBenchError,
)
PARTS: dict[str, Callable[[], None]] = {
    "training": bench_training.run,
    "compression": bench_compression.run,
    "evaluation": bench_evaluation.run,
    "gateway": bench_gateway.run,
    "drift": bench_drift.run,
}
SCRATCH, REGION = "bench", "ap-south-1"
GROWTH = (
    0,
    30,
    130,
)  # pools with RDMA, some 35 resources each, beside prod's own: the last is ten times prod
ZONES = {"aps1-az1": "ap-south-1a", "aps1-az2": "ap-south-1b", "aps1-az3": "ap-south-1c"}


def bench(
    previews: Annotated[int, typer.Option(min=1, help="no-change previews to take the median of")] = 5,
    skypilot: Annotated[bool, typer.Option(help="install SkyPilot and ask its optimiser too")] = False,
    against: Annotated[
        str, typer.Option(help="only what `up`, `preview` and `down` took at this commit")
    ] = "",
    part: Annotated[
        str, typer.Option(help=f"only a part that needs no local cloud: {', '.join(PARTS)}")
    ] = "",
) -> None:
    """Measure `up`, a no-change preview and `destroy` against an empty program, each part, and the catalogue."""
    if part:
        if part not in PARTS:
            raise typer.BadParameter(f"{part} is no part: give one of {', '.join(PARTS)}", param_hint="PART")
        PARTS[part]()
        return
    setup()
    if against:
        against_commit.run(against, previews)
        return
    run(previews, skypilot)


def run(previews: int, with_skypilot: bool) -> None:
    """Measure, print, and keep the numbers in `.localcloud/bench.json`. A stack that is up is left alone."""
    kept = run_dir() / "bench.json"
    os.environ["INDIA_AI_INFRA_RUN"] = str(run_dir().resolve() / "bench")
    install.ensure(lambda done, total, what: None)  # links into the folder of the bench
    try:
        parts = _parts()
        env = cloud.environment(cloud.start().aws_endpoint)
        empty = _measure("empty program", Stack("empty", env, _empty_project()), previews)
        stacks = {name: _measure(name, Stack(name, env), previews) for name in ("local", "prod")}
        growth = {times: _grown(times, env) for times in GROWTH}
        policies = bench_policies.measure(env)
        odd_shapes = bench_odd_shapes.measure()
        catalogue = bench_catalog.measure(with_skypilot)
    finally:
        cloud.stop()
    _show(empty, stacks)
    _show_growth(growth)
    bench_policies.show(policies)
    bench_odd_shapes.show(odd_shapes)
    bench_catalog.show(catalogue)
    numbers = {"parts": parts, "empty": empty, **stacks, "growth": growth}
    numbers |= {"policies": policies, "odd shapes": odd_shapes, "catalogue": catalogue}
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
        stack.unprotect()
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


def _grown(pools: int, env: dict[str, str]) -> dict[str, float]:
    """A preview of prod from nothing, with so many more pools: resources, and milliseconds for each of them."""
    config = read(file_of("prod"))
    of_google = config["config"]["india-ai-infra:gcp"]["cluster"]["pools"]
    model = next(pool for pool in of_google if pool.get("fabric") == "rdma")
    of_google += [{**model, "name": f"grown-{number}"} for number in range(pools)]
    file = run_dir() / "grown.yaml"
    file.write_text(yaml.safe_dump(config))
    with step(f"prod with {pools} more pools"):
        outcome = Stack("prod", env, config_file=file).preview()
    if outcome.failed:
        raise EngineError("\n".join(outcome.errors))
    resources = outcome.changes.total()
    return {"resources": resources, "ms a resource": outcome.seconds / resources * 1000}


def _show(empty: dict[str, float], stacks: dict[str, dict[str, float]]) -> None:
    table = Table(title="Engine, with the policy pack", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("operation")
    for column in ("empty, s", *(f"{name}, s" for name in stacks), *(f"{name} ÷ empty" for name in stacks)):
        table.add_column(column, justify="right")
    for name, floor in empty.items():
        seconds = [stack[name] for stack in stacks.values()]
        table.add_row(
            name, f"{floor:.1f}", *(f"{s:.1f}" for s in seconds), *(f"{s / floor:.1f} ×" for s in seconds)
        )
    console.print(table)


def _show_growth(growth: dict[int, dict[str, float]]) -> None:
    table = Table(title="Preview of prod as it grows", title_justify="left", box=SIMPLE_HEAD)
    for column in ("more pools", "resources", "ms a resource"):
        table.add_column(column, justify="right")
    for pools, numbers in growth.items():
        table.add_row(str(pools), f"{numbers['resources']:.0f}", f"{numbers['ms a resource']:.1f}")
    console.print(table)
