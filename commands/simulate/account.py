"""From what happened to what it cost: GPU-hours, dollars, waits and work lost. Times are hours since the start."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

LEAST_HOURS = 60 / 3600  # EC2 bills Linux by the second, and a minute at least


@dataclass(frozen=True)
class NodeLife:
    """A node from its launch to its end; `reclaimed` if its cloud took it back, `zone` (its id) where it is known."""

    name: str
    pool: str
    machine_type: str
    spot: bool
    gpus: int
    began: float
    ended: float
    reclaimed: bool = False
    zone: str = ""

    @property
    def hours(self) -> float:
        """Hours from its start to its end."""
        return self.ended - self.began

    @property
    def billed_hours(self) -> float:
        """Hours that are paid for, at least `LEAST_HOURS`."""
        return max(self.hours, LEAST_HOURS)


@dataclass(frozen=True)
class Work:
    """A stretch in which a job (all its pods) or a replica ran on `gpus` GPUs; `kept` hours of it were not lost.

    `why` it ended: done, reclaim, preemption, or end (of the simulation, with the work so far kept).
    """

    name: str
    pool: str
    gpus: int
    began: float
    ended: float
    kept: float
    why: str = "done"

    @property
    def lost(self) -> float:
        """Hours of work that a reclaim undid."""
        return self.ended - self.began - self.kept


@dataclass(frozen=True)
class Wait:
    """From when a job (or a replica) was asked for until it first ran; `began` is None if it never did."""

    name: str
    kind: str
    asked: float
    began: float | None


@dataclass(frozen=True)
class History:
    """What happened in `hours` hours. `jobs` were asked for and `finished` came to their end; `pools` are those that
    the trace asked for anything of."""

    hours: float
    nodes: tuple[NodeLife, ...]
    work: tuple[Work, ...]
    waits: tuple[Wait, ...]
    jobs: int
    finished: int
    pools: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """A pool's part of the bill. Dollars are None where no price is known. `used`: the trace asked for its GPUs."""

    pool: str
    gpu_hours: float
    worked: float
    lost: float
    usd: float | None
    on_demand_usd: float | None
    nodes: int
    reclaims: int
    used: bool

    @property
    def idle(self) -> float:
        """Paid, and no program ran: starting, waiting for the job's other pods, or empty."""
        return self.gpu_hours - self.worked - self.lost


@dataclass(frozen=True)
class Waits:
    """Hours that jobs or replicas waited: median, 95th percentile (nearest rank), and how many never ran."""

    count: int
    median: float
    p95: float
    never: int


@dataclass(frozen=True)
class Account:
    """The bill of a replay by pool, and what it brought."""

    lines: tuple[Line, ...]
    waits: dict[str, Waits]
    reclaims: int
    preemptions: int
    lost_job_hours: float
    jobs: int
    finished: int

    def total(self, what: str) -> float:
        """The sum of `gpu_hours`, `worked`, `lost` or `idle` over the pools."""
        return sum(getattr(line, what) for line in self.lines)

    def usd(self, what: str = "usd") -> float | None:
        """The sum of `usd` or `on_demand_usd`; None if a price is not known."""
        return _sum(getattr(line, what) for line in self.lines)

    @property
    def used(self) -> tuple[Line, ...]:
        """The pools that the trace asked for anything of: what a comparison is about."""
        return tuple(line for line in self.lines if line.used)

    @property
    def used_usd(self) -> float | None:
        """What the used pools cost; None if a price is not known."""
        return _sum(line.usd for line in self.used)


Price = Callable[[NodeLife, str], float | None]  # a node, spot or on-demand → USD an hour


def account(history: History, price: Price) -> Account:
    """The account of a history, at these prices."""
    pools = list(dict.fromkeys(node.pool for node in history.nodes))
    return Account(
        lines=tuple(_line(pool, history, price) for pool in pools),
        waits={kind: _waits([w for w in history.waits if w.kind == kind]) for kind in ("job", "replica")},
        reclaims=sum(node.reclaimed for node in history.nodes),
        preemptions=sum(work.why == "preemption" for work in history.work),
        lost_job_hours=sum(work.lost for work in history.work),
        jobs=history.jobs,
        finished=history.finished,
    )


def _line(pool: str, history: History, price: Price) -> Line:
    nodes = [node for node in history.nodes if node.pool == pool]
    work = [work for work in history.work if work.pool == pool]
    return Line(
        pool=pool,
        gpu_hours=sum(node.gpus * node.hours for node in nodes),
        worked=sum(done.gpus * done.kept for done in work),
        lost=sum(done.gpus * done.lost for done in work),
        usd=_usd(nodes, lambda node: price(node, "spot" if node.spot else "on-demand")),
        on_demand_usd=_usd(nodes, lambda node: price(node, "on-demand")),
        nodes=len(nodes),
        reclaims=sum(node.reclaimed for node in nodes),
        used=pool in history.pools or bool(work),
    )


def _usd(nodes: Iterable[NodeLife], price: Callable[[NodeLife], float | None]) -> float | None:
    costs = ((price(node), node.billed_hours) for node in nodes)
    return _sum(None if hourly is None else hourly * hours for hourly, hours in costs)


def _sum(amounts: Iterable[float | None]) -> float | None:
    known = list(amounts)
    return None if None in known else sum(amount for amount in known if amount is not None)


def _waits(waits: Sequence[Wait]) -> Waits:
    hours = sorted(wait.began - wait.asked for wait in waits if wait.began is not None)
    return Waits(len(waits), percentile(hours, 50), percentile(hours, 95), len(waits) - len(hours))


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest rank: the smallest value that at least `percent` % of them do not exceed; 0 of nothing."""
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]
