"""GPUs over time, by pool and how they were bought: as steps for a chart, and as a line of blocks for a terminal."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from commands.simulate.account import History

FEW_HOURS = 96
BLOCKS = " ▁▂▃▄▅▆▇█"
WIDTH, HEIGHT = 720, 320  # of the drawing, in its own units


@dataclass(frozen=True)
class Steps:
    """A number of GPUs that changes at some hours: (hour, GPUs from then on)."""

    name: str
    points: tuple[tuple[float, float], ...]

    @property
    def most(self) -> float:
        """The highest value."""
        return max((value for _, value in self.points), default=0)

    def at(self, hour: float) -> float:
        """The value at an hour; 0 before the first point."""
        return next((value for since, value in reversed(self.points) if since <= hour), 0)


@dataclass(frozen=True)
class Layer:
    """An area of the drawing: a pool bought in one way, as an SVG path on top of the layers before it; `idle` if the
    trace asked for nothing of it."""

    pool: str
    spot: bool
    path: str
    idle: bool


@dataclass(frozen=True)
class Drawing:
    """The chart of one design: layers, the line of GPUs at work, reclaims as (x, y), and the axes' ticks."""

    layers: tuple[Layer, ...]
    working: str
    reclaims: tuple[tuple[float, float], ...]
    days: tuple[tuple[float, str], ...]
    gpus: tuple[tuple[float, int], ...]


def stood(history: History, pool: str, spot: bool) -> Steps:
    """GPUs of a pool's nodes over time, bought as spot or not."""
    nodes = [node for node in history.nodes if node.pool == pool and node.spot == spot]
    return steps(pool, ((node.began, node.ended, node.gpus) for node in nodes))


def worked(history: History) -> Steps:
    """GPUs on which something ran."""
    return steps("working", ((work.began, work.ended, work.gpus) for work in history.work))


def blocks(history: History, pool: str, most: float, width: int = 56) -> str:
    """One character a stretch of time: the mean GPUs of a pool, as a share of `most`."""
    stretch = history.hours / width
    line = ""
    for n in range(width):
        since, until = n * stretch, (n + 1) * stretch
        spans = ((min(node.ended, until) - max(node.began, since), node) for node in history.nodes)
        mean = sum(span * node.gpus for span, node in spans if span > 0 and node.pool == pool) / stretch
        # Anything at all shows as the lowest block.
        line += BLOCKS[min(8, max(1, round(8 * mean / most)))] if mean > 0 and most else BLOCKS[0]
    return line


def drawing(history: History, most: float) -> Drawing:
    """The chart of a history, with `most` GPUs at the top so that two designs can be compared."""
    used = {*history.pools, *(work.pool for work in history.work)}
    # Idle pools on top, so that the line of GPUs at work runs over the pools where they are; of the others, what stands
    # all the time below and what comes and goes above.
    whole = sorted(history.nodes, key=lambda node: (node.pool not in used, -node.hours))
    kinds = dict.fromkeys((node.pool, node.spot) for node in whole if node.gpus)
    series = {kind: stood(history, *kind) for kind in kinds}
    hours = sorted({hour for rise in series.values() for hour, _ in rise.points} | {0.0, history.hours})
    scale = _Scale(history.hours, most)
    below = dict.fromkeys(hours, 0.0)
    layers = []
    for (pool, spot), rise in series.items():
        top = {hour: below[hour] + rise.at(hour) for hour in hours}
        layers.append(Layer(pool, spot, scale.area(below, top), pool not in used))
        below = top
    lost = [node for node in history.nodes if node.reclaimed and node.gpus]
    tops = {True: steps("used", _spans(history, used)), False: Steps("top", tuple(below.items()))}
    # At the height just before: the node is still in it.
    marks = ((scale.x(node.ended), scale.y(tops[node.pool in used].at(node.ended - 1e-6))) for node in lost)
    return Drawing(
        layers=tuple(layers),
        working=scale.line(worked(history).points),
        reclaims=tuple(marks),
        days=tuple((scale.x(hour), name) for hour, name in _days(history.hours)),
        gpus=tuple((scale.y(count), count) for count in _ticks(most)),
    )


def _spans(history: History, pools: Collection[str]) -> Iterable[tuple[float, float, float]]:
    return ((node.began, node.ended, node.gpus) for node in history.nodes if node.pool in pools)


@dataclass(frozen=True)
class _Scale:
    hours: float
    most: float

    def x(self, hour: float) -> float:
        return round(WIDTH * hour / self.hours, 1)

    def y(self, gpus: float) -> float:
        return round(HEIGHT * (1 - gpus / self.most), 1)

    def line(self, points: Iterable[tuple[float, float]]) -> str:
        path, last = f"M0,{self.y(0)}", self.y(0)
        for hour, gpus in points:
            path, last = f"{path}H{self.x(hour)}V{self.y(gpus)}", self.y(gpus)
        return f"{path}V{last}H{WIDTH}"

    def area(self, below: dict[float, float], top: dict[float, float]) -> str:
        """Up along the top's steps and back along the steps below."""
        there = f"M0,{self.y(top[0.0])}" + "".join(f"H{self.x(h)}V{self.y(top[h])}" for h in top)
        hours = list(below)
        back = f"H{WIDTH}V{self.y(below[hours[-1]])}"
        for hour, before in zip(reversed(hours), [*reversed(hours[:-1]), hours[0]], strict=True):
            back += f"H{self.x(hour)}V{self.y(below[before])}"
        return f"{there}{back}Z"


def steps(name: str, spans: Iterable[tuple[float, float, float]]) -> Steps:
    """The sum of spans (began, ended, GPUs), hour by hour: a point wherever it changes."""
    changes: dict[float, float] = {}
    for began, ended, gpus in spans:
        changes[began] = changes.get(began, 0) + gpus
        changes[ended] = changes.get(ended, 0) - gpus
    points, now = [], 0.0
    for hour in sorted(changes):
        now += changes[hour]
        points.append((hour, now))
    return Steps(name, tuple(points))


def _days(hours: float) -> Sequence[tuple[float, str]]:
    """Ticks of the time axis: days where there are some; where they are few, hours between them too."""
    names = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    if hours > FEW_HOURS:
        every = max(1, round(hours / 24 / 14))
        return [
            (day * 24.0, names[day % 7]) for day in range(0, int(hours // 24) + 1, every) if day * 24 < hours
        ]
    # A tick of the clock needs room on a phone too: eight at most.
    every = next(step for step in (1, 3, 6, 12) if hours <= 8 * step)
    return [
        (float(hour), f"{hour % 24:02}:00" if hour % 24 else names[hour // 24 % 7])
        for hour in range(0, math.ceil(hours), every)
    ]


def _ticks(most: float) -> Sequence[int]:
    every = max(1, round(most / 4))
    return list(range(0, int(most) + 1, every))
