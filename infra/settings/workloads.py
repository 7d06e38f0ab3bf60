"""What runs on the GPU pools."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from infra.settings.model import Model
from infra.settings.types import DnsLabel


class Training(Model):
    """A distributed training job: `nodes` workers on a pool, each with `gpus_per_node` GPUs.

    `image` is built from workloads/training/Dockerfile, in a registry that the cluster reaches.
    """

    name: DnsLabel = "train"
    pool: DnsLabel
    image: str = Field(min_length=1)
    nodes: int = Field(default=1, ge=1)
    gpus_per_node: int = Field(default=1, ge=1)


class Serving(Model):
    """A model server: replicas of one model on a pool, each with `gpus` GPUs."""

    name: DnsLabel = "serve"
    pool: DnsLabel
    model: str = Field(min_length=1)
    replicas: int = Field(default=1, ge=1)
    gpus: int = Field(default=1, ge=1)


class Proof(Model):
    """Jobs that prove the pools with a fabric, on `nodes` of each, and the lake.

    `image` is built from workloads/proof/Dockerfile; `dcgm_image` is NVIDIA's DCGM, or a copy of it. `floor_gbs` is the
    least bus bandwidth of a pool, by its name, instead of the table's.
    """

    image: str = Field(min_length=1)
    dcgm_image: str = Field(min_length=1)
    nodes: int = Field(default=2, ge=2)
    floor_gbs: dict[DnsLabel, Annotated[float, Field(gt=0)]] = {}


class Workloads(Model):
    """What runs on the GPU pools."""

    training: Training | None = None
    serving: Serving | None = None
    proof: Proof | None = None
