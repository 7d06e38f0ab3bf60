"""Settings of lakeFS."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from infra.settings.errors import refuse
from infra.settings.workloads.workload import InOneCloud

LakeBucket = Literal["curated", "features"]


class Lakefs(InOneCloud):
    """lakeFS: branches, commits and merges of data in the lake."""

    replicas: int = Field(default=2, ge=1, description="Replicas of the server.")
    buckets: list[LakeBucket] = Field(
        default=["curated"],
        min_length=1,
        description="Buckets of the lake whose data it versions. It writes below lakefs/ in each, and reads the rest, "
        "which an import refers to. The first is where new repositories go unless another is named.",
    )

    @field_validator("buckets")
    @classmethod
    def _each_once(cls, buckets: list[LakeBucket]) -> list[LakeBucket]:
        if len({*buckets}) < len(buckets):
            raise refuse("each bucket once")
        return buckets
