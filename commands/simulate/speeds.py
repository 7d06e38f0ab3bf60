"""How long a job of the trace takes on other GPUs: by the speeds that the advice counts on for training.

The trace's hours are those of the first design. A design whose pool has another GPU is replayed with hours of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from commands.simulate.design import Design
from commands.simulate.trace import Row, pool_of
from infra.advice.speed import mfu
from infra.catalog.gpus import gpu


@dataclass(frozen=True)
class Faster:
    """A pool of jobs whose GPU is `factor` times as fast in training as the `reference` that the hours are of."""

    pool: str
    gpu: str
    reference: str
    factor: float

    def __str__(self) -> str:
        return f"{self.pool}: {self.gpu} instead of {self.reference}, {self.factor:.2g} × its speed"


def gpu_of(design: Design, pool: str) -> str:
    """The kind of GPU that a pool's nodes have."""
    return design.resolved[pool].machine.gpu


def training_speed(name: str) -> float:
    """Teraflops that training has of a GPU: the tensor rate and the share of it that is reached (docs/advice.md)."""
    return gpu(name).bf16_tflops * mfu(gpu(name))


def rows_for(design: Design, first: Design, rows: Sequence[Row]) -> tuple[list[Row], list[Faster], list[str]]:
    """The rows with a design's own hours, the pools where they differ from those of the first design, and the services
    that stand on another GPU: how many replicas such a one takes is not in the trace."""
    faster: dict[str, Faster] = {}
    services: dict[str, None] = {}
    made = []
    for row in rows:
        before, here = pool_of(row, first.pools), pool_of(row, design.pools)
        assert before and here, "a row that names no pool of a design is refused"
        reference, own = gpu_of(first, before.name), gpu_of(design, here.name)
        if reference == own:
            made.append(row)
        elif row.kind == "replicas":
            services[f"{row.name} ({reference}, {own})"] = None
            made.append(row)
        else:
            factor = training_speed(own) / training_speed(reference)
            faster[here.name] = Faster(here.name, own, reference, factor)
            made.append(_scaled(row, factor))
    return made, list(faster.values()), list(services)


def _scaled(row: Row, factor: float) -> Row:
    """Checkpoints come as often as before: they are of time, not of steps."""
    assert row.hours, "a job's row without hours is refused"
    return row.model_copy(update={"hours": row.hours / factor})
