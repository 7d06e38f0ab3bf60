"""Settings of every test."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Both would make each property a timed assertion, which a busy machine fails.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
