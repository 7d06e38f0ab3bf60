"""When spot nodes are reclaimed: a time drawn for each node from the hazard of its machine type's interruption band."""

from __future__ import annotations

import math
import random


def reclaimed_after(seed: int, pool: str, nth: int, per_hour: float) -> float:
    """Hours until the n-th spot node of a pool is reclaimed, at a constant hazard per node-hour (`catalog.risk`).

    Infinite without a hazard. The draw depends on nothing else: two designs with the same pool meet the same luck, and
    a higher hazard only brings the same reclaims sooner.
    """
    if per_hour <= 0:
        return math.inf
    return random.Random(f"{seed}/{pool}/{nth}").expovariate(1) / per_hour
