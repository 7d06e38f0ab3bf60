"""The order of samples, as a function of a seed and a position: nothing is remembered, and so nothing is lost."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

# Row groups that are shuffled together, and held in memory.
WINDOW_GROUPS = 16


def shuffled(seed: int, salt: int, count: int) -> np.ndarray:
    """A permutation of range(count), the same with every version of every library."""
    with np.errstate(over="ignore"):
        start = mixed(np.uint64(seed & 0xFFFFFFFFFFFFFFFF)) ^ np.uint64(salt & 0xFFFFFFFFFFFFFFFF)
        keys = mixed(np.arange(count, dtype=np.uint64) + mixed(start) * np.uint64(0x9E3779B97F4A7C15))
    return np.argsort(keys, kind="stable")


def mixed(value: Any) -> Any:
    """The finalizer of splitmix64."""
    with np.errstate(over="ignore"):
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return value ^ (value >> np.uint64(31))


class Order:
    """Which row of which group is at which position. Positions go on for ever, epoch after epoch."""

    def __init__(self, group_rows: list[int], seed: int) -> None:
        self._rows = np.asarray(group_rows, dtype=np.int64)
        self._seed = seed
        self.samples = int(self._rows.sum())

    def window(self, position: int) -> tuple[int, int]:
        """The epoch and the window of a position."""
        epoch, within = divmod(position, self.samples)
        _, ends = self._epoch(epoch)
        return epoch, int(np.searchsorted(ends, within, side="right"))

    def groups(self, epoch: int, window: int) -> np.ndarray:
        """The groups of a window."""
        order, _ = self._epoch(epoch)
        return order[window * WINDOW_GROUPS : (window + 1) * WINDOW_GROUPS]

    def row(self, position: int) -> int:
        """The row of a position among the rows of its window's groups, one group after the other."""
        epoch, window = self.window(position)
        _, ends = self._epoch(epoch)
        begin = int(ends[window - 1]) if window else 0
        return int(
            self._permutation(epoch, window, int(ends[window]) - begin)[position % self.samples - begin]
        )

    @functools.lru_cache(maxsize=2)  # noqa: B019  one Order lives as long as the program
    def _epoch(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        order = shuffled(self._seed, epoch, len(self._rows))
        sums = np.cumsum(self._rows[order])
        last = np.minimum(np.arange(WINDOW_GROUPS, len(order) + WINDOW_GROUPS, WINDOW_GROUPS), len(order)) - 1
        return order, sums[last]

    @functools.lru_cache(maxsize=2)  # noqa: B019
    def _permutation(self, epoch: int, window: int, rows: int) -> np.ndarray:
        return shuffled(self._seed, (epoch << 32) + window + 1, rows)


def positions(consumed: int, batch: int, rank: int, ranks: int) -> np.ndarray:
    """The positions of a rank in the batch that begins after `consumed` samples: a part of its own, in order."""
    share = batch // ranks
    return np.arange(consumed + rank * share, consumed + (rank + 1) * share)


@dataclass(frozen=True)
class Share:
    """What a replica computes of a batch: `parts` of its parts, from the part `first` on."""

    first: int
    parts: int


def share(rank: int, replicas: int, parts: int) -> Share:
    """The share of a replica among those that are there; together they are the batch, however many they are."""
    first = rank * parts // replicas
    return Share(first, (rank + 1) * parts // replicas - first)


def positions_of_share(
    consumed: int, batch: int, parts: int, mine: Share, rank: int, ranks: int
) -> np.ndarray:
    """The positions of a rank of a replica in the batch that begins after `consumed` samples and has `parts`."""
    size = batch // parts
    return positions(consumed + mine.first * size, mine.parts * size, rank, ranks)
