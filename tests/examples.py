"""How many examples a property is tried with: all of them in `make test`, a share of them in `make unit`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Deadlines and slow health checks would make each property a timed assertion, which a busy machine fails.
UNTIMED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
PROFILES = {"full": 1.0, "unit": 0.1}


def load() -> None:
    settings.register_profile("full", max_examples=100, **UNTIMED)
    settings.register_profile("unit", max_examples=examples(100), **UNTIMED)
    settings.load_profile(_profile())


def examples(full: int) -> int:
    """The examples of a property that wants another number than a hundred."""
    return max(3, int(full * PROFILES[_profile()]))


def _profile() -> str:
    return os.environ.get("HYPOTHESIS_PROFILE", "full")
