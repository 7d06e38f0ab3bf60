"""What runs on the GPU pools."""

from __future__ import annotations

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


class Workloads(Model):
    """What runs on the GPU pools."""

    training: Training | None = None
    serving: Serving | None = None
