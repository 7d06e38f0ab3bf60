"""`make bench PART=training`: the trainer against plain loops, raw reading, and the best that saves can do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from commands.bench.program import ask
from commands.bench.training import goodput, restarts
from commands.bench.training.goodput import Costs
from commands.console import console, step
from localcloud.directories import PROJECT, run_dir
from localcloud.environments import environment
from workloads.training.trainer.interval import interval
from workloads.training.trainer.recipe import Checkpoints

REQUIREMENTS = PROJECT / "workloads" / "training" / "requirements.txt"
RECLAIMS_SECONDS = (60.0, 300.0, 900.0)
PLAIN_STEPS = (100, 1000, 10_000)


def run() -> None:
    """Measure, print, and keep the numbers in `.localcloud/bench-training.json`."""
    with step("the training environment"):
        python = environment(REQUIREMENTS)
    numbers = measure(python)
    for table in tables(numbers):
        console.print(table)
    kept = run_dir() / "bench-training.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(numbers, indent=1))
    console.print(f"wrote {kept}")


def measure(python: Path) -> dict[str, Any]:
    """What the programs of the bench found, and what follows of it by simulation."""
    env = {
        "PYTHONPATH": str(PROJECT),
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
        "PYTHONWARNINGS": "ignore",
    }
    with step("loops, saves and the data loader"):
        speed = _program(python, "speed", env)
    with step("from a kill to the next step"):
        killed = restarts.measure(python, env)
    with step("jobs that are taken back at random"):
        reclaimed = _program(python, "reclaimed", env)
    return {
        "speed": speed,
        "killed": killed,
        "reclaimed": reclaimed,
        "simulated": simulated(speed, killed, reclaimed),
    }


def simulated(
    speed: Mapping[str, Any], killed: Mapping[str, Any], reclaimed: Mapping[str, Any]
) -> dict[str, dict[str, float]]:
    """Goodput by the mean seconds between reclaims, of costs that were measured. Restarts stand apart."""
    added, saved = speed["added_seconds"], speed["save_seconds"]
    trainer = Costs(max(added, speed["stall_seconds"]), saved, killed["a rank dies"]["step"])
    synchronous = reclaimed["plain"]["save_seconds"]
    plain = Costs(synchronous, synchronous, killed["a rank dies, plain loop"]["step"])
    found: dict[str, dict[str, float]] = {}
    for between in RECLAIMS_SECONDS:
        every, by_default = (
            interval(trainer.added, saved, 3600 / between, minimum)
            for minimum in (0.0, Checkpoints().minimum_seconds)
        )
        alone = goodput.simulate(trainer, every, between, notice=False)
        found[f"{between:.0f}"] = {
            "every_seconds": every,
            "optimum": goodput.best(trainer.added, between),
            "trainer": alone.goodput,
            "trainer by default": goodput.simulate(trainer, by_default, between, notice=False).goodput,
            "trainer with notice": goodput.simulate(trainer, every, between, notice=True).goodput,
            "restarts": alone.restart_share,
            **{
                f"plain, each {steps:,} steps": goodput.simulate(
                    plain, steps * speed["step_seconds"], between, notice=False
                ).goodput
                for steps in PLAIN_STEPS
            },
        }
    return found


def _program(python: Path, name: str, env: Mapping[str, str]) -> Any:
    return ask(python, f"commands.bench.training.programs.{name}", **env)


def tables(numbers: Mapping[str, Any]) -> list[Table]:
    """What was measured, and what was simulated of it."""
    return [_measured(numbers), _of_reclaims(numbers["simulated"])]


def _measured(numbers: Mapping[str, Any]) -> Table:
    table = Table(title="Trainer, measured", title_justify="left", box=SIMPLE_HEAD)
    for column in ("what", "trainer", "beside", "ratio"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for row in (*_ratios(numbers["speed"]), *_restarts(numbers["killed"], numbers["reclaimed"])):
        table.add_row(*row)
    return table


def _ratios(speed: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    fast, loader, step = speed["tokens_per_second"], speed["loader"], 1000 * speed["step_seconds"]
    tokens, megabytes = "tokens/s", loader["loader_megabytes_per_second"]
    # The medians' own ratio where none was taken round by round.
    rows = [
        ("loop, against a plain one of torch", fast["loop"], fast["plain"], tokens, speed["of_plain"]),
        (
            "loop, against Hugging Face's Trainer",
            fast["loop"],
            fast["hugging_face"],
            tokens,
            speed["of_hugging_face"],
        ),
        ("data loader, against what the loop eats", loader["tokens_per_second"], fast["loop"], tokens, None),
        ("data loader, against pyarrow alone", megabytes, loader["arrow_megabytes_per_second"], "MB/s", None),
        ("data loader, against the bytes raw", megabytes, loader["raw_megabytes_per_second"], "MB/s", None),
        ("a save: training stands still, against a step", 1000 * speed["stall_seconds"], step, "ms", None),
        ("a save: all that it takes, against a step", 1000 * speed["added_seconds"], step, "ms", None),
        ("a save: until it counts, against a step", 1000 * speed["save_seconds"], step, "ms", None),
    ]
    for what, own, other, unit, ratio in rows:
        yield what, f"{own:,.0f} {unit}", f"{other:,.0f} {unit}", f"{ratio or own / other:.3g} ×"


def _restarts(killed: Mapping[str, Any], reclaimed: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, one in killed.items():
        seconds = f"{one['step']:.1f} s"
        yield f"from the kill to the next step: {name}", seconds, f"ended in {one['ended']:.1f} s"
    for name, life in reclaimed["lives"].items():
        what = f"reclaims each {reclaimed['between_seconds']:.0f} s: {name}"
        began = f"{life['reclaims']} reclaims, {life['restart_seconds']:.1f} s to start"
        yield what, f"goodput {life['goodput']:.2f}", began


def _of_reclaims(found: Mapping[str, Mapping[str, float]]) -> Table:
    table = Table(
        title="Goodput, simulated with these costs, restarts apart", title_justify="left", box=SIMPLE_HEAD
    )
    for column in ("reclaims each, s", *found[next(iter(found))]):
        table.add_column(column.replace("_seconds", ", s"), justify="right")
    table.add_column("trainer ÷ optimum", justify="right")
    for between, shares in found.items():
        values = (f"{share:.2f}" for share in shares.values())
        table.add_row(between, *values, f"{shares['trainer'] / shares['optimum']:.2f} ×")
    return table
