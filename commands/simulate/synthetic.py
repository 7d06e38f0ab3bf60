"""The trace that is shipped, made up: a week of an AI team in Bengaluru. Run it to write another.

python -m commands.simulate.synthetic 7 > my-team.csv        with seed 7
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator

from commands.simulate.trace import COLUMNS

WEEKEND = 0.6  # of a weekday's requests
PEAK_REPLICAS = 4
# The share of the day's peak in each hour of IST: people ask before lunch and after dinner, and sleep at four.
BY_HOUR = (
    *(0.35, 0.25, 0.18, 0.14, 0.12, 0.15, 0.25, 0.40, 0.60, 0.80, 0.95, 1.00),
    *(0.90, 0.75, 0.80, 0.85, 0.80, 0.75, 0.80, 0.90, 1.00, 0.95, 0.75, 0.50),
)


def week(seed: int) -> list[str]:
    """The lines of a week from Monday 00:00 IST, with a header, in order of time."""
    chance = random.Random(seed)
    rows = [*_served(), *_nightly(chance), *_finetuning(chance), *_experiments(chance)]
    rows.sort(key=lambda row: row[0])
    about = f"# A made-up week of an AI team in Bengaluru, from Monday 00:00 IST (seed {seed}); see docs/simulate.md"
    return [about, ",".join(COLUMNS), *(f"{at:g},{rest}" for at, rest in rows)]


def _served() -> Iterator[tuple[float, str]]:
    """Replicas of the served model, as the requests rise and fall; a row where the number changes."""
    before = 0
    for hour in range(7 * 24):
        share = BY_HOUR[hour % 24] * (WEEKEND if hour >= 5 * 24 else 1)
        replicas = max(1, round(share * PEAK_REPLICAS))
        if replicas != before:
            yield hour, f"replicas,chat,serve,{replicas},1,,"
        before = replicas


def _nightly(chance: random.Random) -> Iterator[tuple[float, str]]:
    """Four shards of embeddings at one in the night; short enough to do without checkpoints."""
    for day in range(7):
        for _ in range(4):
            yield day * 24 + 1.0, f"job,nightly,batch|train,1,1,{chance.uniform(1.2, 2.2):.2f},"


def _finetuning(chance: random.Random) -> Iterator[tuple[float, str]]:
    """Each working day two on one node, and one on two nodes through the night."""
    for day in range(5):
        for _ in range(2):
            yield _at(chance, day, 10, 16), f"job,finetune,train,1,4,{chance.uniform(2, 6):.2f},30"
        yield _at(chance, day, 18, 20), f"job,sft,train,2,4,{chance.uniform(3, 5):.2f},60"


def _experiments(chance: random.Random) -> Iterator[tuple[float, str]]:
    """Trials on one GPU, in working hours."""
    for day in range(5):
        for _ in range(3):
            yield _at(chance, day, 10, 19), f"job,trial,train,1,1,{chance.uniform(0.3, 2):.2f},15"


def _at(chance: random.Random, day: int, first: float, last: float) -> float:
    return round(day * 24 + chance.uniform(first, last), 2)


if __name__ == "__main__":
    print("\n".join(week(int(sys.argv[1]) if sys.argv[1:] else 1)))
