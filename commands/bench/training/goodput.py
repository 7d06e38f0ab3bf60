"""What a job keeps of its time when its nodes are taken back at random: the best that can be had, and by simulation."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from workloads.training.trainer.interval import optimum

LIVES = 20_000


@dataclass(frozen=True)
class Costs:
    """Seconds. `added`: what a save takes from training. `saved`: from its begin until it counts. `restart`: from the
    end of a process to the next step of another."""

    added: float
    saved: float
    restart: float


@dataclass(frozen=True)
class Time:
    """Seconds by what they went to; `again` trained what a reclaim then lost."""

    trained: float
    saving: float
    again: float
    restarting: float

    @property
    def goodput(self) -> float:
        """The share that trained what is kept, of the time between restarts."""
        return self.trained / (self.trained + self.saving + self.again)

    @property
    def restart_share(self) -> float:
        """The share of all time that restarts take."""
        return self.restarting / (self.trained + self.saving + self.again + self.restarting)


def best(added_seconds: float, between_seconds: float) -> float:
    """The goodput of saves at the Young/Daly interval, where reclaims are a Poisson process: Daly 2006, equation 20,
    without restarts."""
    every = optimum(added_seconds, 3600 / between_seconds)
    return every / (between_seconds * math.expm1((every + added_seconds) / between_seconds))


def simulate(
    costs: Costs,
    every_seconds: float,
    between_seconds: float,
    *,
    notice: bool,
    lives: int = LIVES,
    seed: int = 0,
) -> Time:
    """Lives of exponential length, one after the other. With a `notice` the last thing that a life does is a save."""
    draw = random.Random(seed)
    cycle = every_seconds + costs.added
    trained = saving = again = restarting = 0.0
    for _ in range(lives):
        life = draw.expovariate(1 / between_seconds)
        up = life - costs.restart
        restarting += min(life, costs.restart)
        if up <= 0:
            continue
        begun, rest = divmod(up, cycle)
        worked = begun * every_seconds + min(rest, every_seconds)
        # A save is begun after its work, and counts `saved` seconds later.
        counted = max(0, math.floor((up - every_seconds - costs.saved) / cycle) + 1)
        kept = worked if notice else min(counted, begun + 1) * every_seconds
        trained += kept
        again += worked - kept
        saving += up - worked + (costs.saved if notice else 0)
    return Time(trained, saving, again, restarting)
