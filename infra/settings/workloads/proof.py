"""Settings of the proofs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from infra.settings.fields import DnsLabel
from infra.settings.workloads.workload import Image, WorkloadSettings


class Proof(WorkloadSettings):
    """Jobs that measure every pool with a fabric, and test the lake."""

    image: Image = Field(
        description="The image that workloads/proof/Dockerfile builds, such as "
        '"{registry}/india-ai-infra/proof:2026.11".'
    )
    dcgm_image: Image = Field(
        description='NVIDIA\'s DCGM, or a copy of it, such as "{registry}/india-ai-infra/dcgm:4.5.3".'
    )
    nodes: int = Field(default=2, ge=2, description="Nodes of each pool that are measured together.")
    floor_gbs: dict[DnsLabel, Annotated[float, Field(gt=0)]] = Field(
        default={},
        description="The least bus bandwidth of a pool in GB/s, by the pool's name, such as {train: 400}. "
        "Instead of the floor of its GPU and fabric in the table (infra/catalog/data/fabric_floors.csv).",
    )
