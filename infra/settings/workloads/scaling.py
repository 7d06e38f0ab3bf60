"""Settings of how many replicas a model server has, where its load decides."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator

from infra.settings.errors import refuse
from infra.settings.fields import DnsLabel
from infra.settings.model import Model

# The HPA looks back no further than an hour (`stabilizationWindowSeconds`, autoscaling/v2).
LONGEST_COOLDOWN = 60
# A server refuses requests beyond 64 that wait (`max_queued_requests` of ModelServer): it never has more.
MOST_WAITING = 63


class Scale(Model):
    """Replicas by load: KEDA adds them while requests wait or KV caches fill, and takes them away when both are low."""

    minimum: int = Field(
        default=1,
        ge=0,
        description="The fewest replicas. 0: none while nobody asks, which needs the gateway (`workloads.gateway`), "
        "as it alone sees the first request. What that one waits for: docs/scaling.md.",
    )
    maximum: int = Field(ge=1, description="The most replicas: no more than the pool holds.")
    queue: int = Field(
        default=30,
        ge=1,
        le=MOST_WAITING,
        description="Requests that wait, for each replica, above which there is one more.",
    )
    kv_cache: float = Field(
        default=0.6,
        gt=0,
        le=1,
        description="The share of its KV cache that a replica uses, above which there is one more.",
    )
    cooldown_minutes: int = Field(
        default=20,
        ge=1,
        le=LONGEST_COOLDOWN,
        description="Minutes of low load before a replica goes, one at a time.",
    )

    @field_validator("maximum")
    @classmethod
    def _between_them_is_something(cls, most: int, info: ValidationInfo) -> int:
        least = info.data.get("minimum", 0)
        if most < least:
            raise refuse(f"no fewer than minimum, {least}", near=str(least))
        return most


class OnDemandFloor(Model):
    """Replicas that nobody takes back, on a second pool, beside those on spot."""

    pool: DnsLabel = Field(
        description="A pool of the same cloud with the same GPUs that is bought on demand (or reserved), by its name."
    )
    replicas: int = Field(
        ge=1, description="How many of the server's replicas are there: fewer than it has in all."
    )
