"""What runs on the GPU pools."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, get_args

from pydantic import AfterValidator, Field, field_validator
from pydantic.alias_generators import to_camel

from infra.settings.errors import refuse
from infra.settings.model import Model
from infra.settings.types import DnsLabel

# The registry of the stack's own account or project, in the region where a pod runs.
OWN_REGISTRY = "{registry}"
# Flags of `vllm serve` that follow from settings, or that the server's place among its probes and GPUs needs.
SET_BY_SETTINGS = {
    "model": "model",
    "served-model-name": "model",
    "tensor-parallel-size": "gpus",
    "pipeline-parallel-size": "gpus",
    "data-parallel-size": "replicas",
    "max-model-len": "maxModelLen",
    "quantization": "quantization",
}
SET_BY_PLATFORM = (
    "config",
    "gpu-memory-utilization",
    "host",
    "load-format",
    "max-num-queued-reqs",
    "port",
    "shutdown-timeout",
    "uds",
)


def flag(word: str) -> str:
    """The name of the flag that a word of a command line holds (`--kv-cache-dtype=fp8`), empty where it holds none.

    vLLM reads `_` in it as `-`, and `--a.b=1` as a part of `--a`.
    """
    found = re.match(r"--([A-Za-z][A-Za-z0-9_-]*)", word)
    return found[1].replace("_", "-") if found else ""


def _image(text: str) -> str:
    """A reference as container runtimes read it (distribution/reference), but that its registry may be `{registry}`."""
    host = rf"(({re.escape(OWN_REGISTRY)}|[A-Za-z0-9.-]+(:\d+)?)/)?"
    path = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
    if re.fullmatch(rf"{host}{path}(/{path})*(:\w[\w.-]{{0,127}})?(@sha256:[0-9a-f]{{64}})?", text):
        return text
    raise refuse(
        f"an image: <registry>/<repository>:<tag>, or {OWN_REGISTRY}/<repository>:<tag> for the stack's own registry"
    )


Image = Annotated[str, AfterValidator(_image)]


@dataclass(frozen=True)
class PoolUse:
    """What a workload takes of the pool that its pods run on."""

    pool: str
    gpus: int
    """Of each pod: no more than a node has."""
    gpus_setting: str
    """The setting that says so (`gpusPerNode`)."""
    nodes: int | None = None
    """Whole nodes at once, by the setting `nodes`: no more than the pool can have; None for pods that share them."""


class WorkloadSettings(Model):
    """What the settings of every workload are asked, whichever it is."""

    @property
    def pool_use(self) -> PoolUse | None:
        """None for a workload that names no pool."""
        return None

    @property
    def images(self) -> dict[str, str]:
        """The images that are named, by their settings: those called `image` or `…Image`."""
        named = {name: getattr(self, name) for name in type(self).model_fields if name.endswith("image")}
        return {to_camel(name): image for name, image in named.items() if image}


class Training(WorkloadSettings):
    """A distributed training job: `nodes` workers on a pool, each with `gpus_per_node` GPUs.

    `image` is built from workloads/training/Dockerfile, in a registry that the cluster reaches.
    """

    name: DnsLabel = "train"
    pool: DnsLabel
    image: Image
    nodes: int = Field(default=1, ge=1)
    gpus_per_node: int = Field(default=1, ge=1)

    @property
    def pool_use(self) -> PoolUse:
        return PoolUse(self.pool, self.gpus_per_node, "gpusPerNode", self.nodes)


class Serving(WorkloadSettings):
    """A model server: replicas of one model on a pool, each with `gpus` GPUs.

    `max_model_len` is the longest sequence, in tokens of prompt and answer together; without it, it is the model's own,
    and its KV cache must fit. `quantization` is a method of vLLM, `engine_args` are further flags of `vllm serve`.
    `image` is vLLM's own unless given.
    """

    name: DnsLabel = "serve"
    pool: DnsLabel
    model: str = Field(min_length=1)
    replicas: int = Field(default=1, ge=1)
    gpus: int = Field(default=1, ge=1)
    max_model_len: int | None = Field(default=None, ge=1)
    quantization: str | None = Field(default=None, min_length=1)
    engine_args: list[str] = []
    image: Image | None = None

    @property
    def pool_use(self) -> PoolUse:
        return PoolUse(self.pool, self.gpus, "gpus")

    @field_validator("engine_args")
    @classmethod
    def _flags_that_are_free(cls, words: list[str]) -> list[str]:
        for word in words:
            name = flag(word)
            if not name and word.startswith("-") and not re.fullmatch(r"-\d+(\.\d+)?", word):
                raise refuse(f"flags written in full, --name=value: {word} is none")
            # argparse takes the beginning of a flag for the whole.
            taken = name and next(
                (own for own in (*SET_BY_SETTINGS, *SET_BY_PLATFORM) if own.startswith(name)), None
            )
            if taken:
                by = SET_BY_SETTINGS.get(taken)
                why = f"the setting workloads.serving.{by}" if by else "set by the platform"
                raise refuse(f"flags of vllm serve that nothing else sets: --{taken} is {why}")
        return words


class Proof(WorkloadSettings):
    """Jobs that prove the pools with a fabric, on `nodes` of each, and the lake.

    `image` is built from workloads/proof/Dockerfile; `dcgm_image` is NVIDIA's DCGM, or a copy of it. `floor_gbs` is the
    least bus bandwidth of a pool, by its name, instead of the table's.
    """

    image: Image
    dcgm_image: Image
    nodes: int = Field(default=2, ge=2)
    floor_gbs: dict[DnsLabel, Annotated[float, Field(gt=0)]] = {}


class Workloads(Model):
    """What runs on the GPU pools. A field for each workload of `workloads/registry.py`."""

    training: Training | None = None
    serving: Serving | None = None
    proof: Proof | None = None

    @property
    def chosen(self) -> dict[str, WorkloadSettings]:
        """Those that the stack asks for, by their field."""
        every = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: settings for name, settings in every.items() if settings is not None}


def kinds() -> Mapping[str, type[WorkloadSettings]]:
    """The model of each workload's settings, by their path (`workloads.training`)."""
    return {
        f"workloads.{to_camel(name)}": get_args(field.annotation)[0]
        for name, field in Workloads.model_fields.items()
    }


def path_of(kind: type[WorkloadSettings]) -> str:
    """Where a stack writes the settings of that model."""
    return next(path for path, model in kinds().items() if model is kind)
