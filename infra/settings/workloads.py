"""Settings of the workloads: the jobs and servers on the GPU pools."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, get_args

from pydantic import Field, field_validator
from pydantic.alias_generators import to_camel

from infra.settings.errors import refuse
from infra.settings.fields import DnsLabel, Rule
from infra.settings.model import Model

# The registry of the stack's own account or project, in the region where a pod runs.
OWN_REGISTRY = "{registry}"
# Flags of `vllm serve` that follow from settings, or that the platform sets for its probes and GPUs.
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
    """The name of the flag in a word of a command line: kv-cache-dtype in `--kv-cache-dtype=fp8`, empty without a flag.

    vLLM reads `_` in it as `-`, and `--a.b=1` as a part of `--a`.
    """
    found = re.match(r"--([A-Za-z][A-Za-z0-9_-]*)", word)
    return found[1].replace("_", "-") if found else ""


def _image(text: str) -> str:
    """A reference as container runtimes read it (distribution/reference). Its registry may also be `{registry}`."""
    host = rf"(({re.escape(OWN_REGISTRY)}|[A-Za-z0-9.-]+(:\d+)?)/)?"
    path = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
    if re.fullmatch(rf"{host}{path}(/{path})*(:\w[\w.-]{{0,127}})?(@sha256:[0-9a-f]{{64}})?", text):
        return text
    raise refuse(_IMAGE)


_IMAGE = f"an image: <registry>/<repository>:<tag>, or {OWN_REGISTRY}/<repository>:<tag> for the stack's own registry"
Image = Annotated[str, Rule(_image, _IMAGE)]


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
    """A distributed training job."""

    name: DnsLabel = Field(default="train", description="The job's name.")
    pool: DnsLabel = Field(description="The pool that it runs on, by its name.")
    image: Image = Field(
        description="The image that workloads/training/Dockerfile builds, such as "
        '"{registry}/india-ai-infra/training:2026.11". docs/registries.md says how it gets there.'
    )
    nodes: int = Field(default=1, ge=1, description="Workers, each on a node of its own.")
    gpus_per_node: int = Field(default=1, ge=1, description="GPUs of each worker.")

    @property
    def pool_use(self) -> PoolUse:
        return PoolUse(self.pool, self.gpus_per_node, "gpusPerNode", self.nodes)


class Serving(WorkloadSettings):
    """A model server: replicas of one model, with vLLM."""

    name: DnsLabel = Field(default="serve", description="The server's name.")
    pool: DnsLabel = Field(description="The pool that it runs on, by its name.")
    model: str = Field(min_length=1, description="The model's name on Hugging Face, such as Qwen/Qwen3-8B.")
    replicas: int = Field(default=1, ge=1, description="Replicas of the server.")
    gpus: int = Field(default=1, ge=1, description="GPUs of each replica, of one node (tensor parallel).")
    max_model_len: int | None = Field(
        default=None,
        ge=1,
        description="The longest sequence, prompt and answer together, in tokens, such as 16384. Its KV "
        "cache must fit beside the weights. The model's own longest unless given.",
    )
    quantization: str | None = Field(
        default=None,
        min_length=1,
        description="A quantization method of vLLM: the checkpoint's (fp8, awq), or one that is made while "
        "it loads (fp8_per_tensor).",
    )
    engine_args: list[str] = Field(
        default=[],
        description="Further flags of `vllm serve`, such as [--kv-cache-dtype=fp8]. Those that other "
        "settings or the platform set are refused.",
    )
    image: Image | None = Field(
        default=None,
        description="An image of the server. vLLM's own, at the platform's version, unless given.",
    )

    @property
    def pool_use(self) -> PoolUse:
        return PoolUse(self.pool, self.gpus, "gpus")

    @field_validator("engine_args")
    @classmethod
    def _flags_that_are_free(cls, words: list[str]) -> list[str]:
        for word in words:
            name = flag(word)
            if not name and word.startswith("-") and not re.fullmatch(r"-\d+(\.\d+)?", word):
                raise refuse(f"flags written in full, --name=value: not {word}")
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


class Workloads(Model):
    """The jobs and servers on the GPU pools: a field for each workload of `workloads/registry.py`."""

    training: Training | None = Field(default=None, description="A distributed training job.")
    serving: Serving | None = Field(default=None, description="A model server.")
    proof: Proof | None = Field(
        default=None,
        description="Jobs that measure every pool with a fabric, and test the lake: docs/proof.md.",
    )

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
