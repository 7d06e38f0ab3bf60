"""What runs on the GPU pools."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from infra.settings.errors import refuse
from infra.settings.fields import DnsLabel
from infra.settings.model import Model

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


class Training(Model):
    """A distributed training job: `nodes` workers on a pool, each with `gpus_per_node` GPUs.

    `image` is built from workloads/training/Dockerfile, in a registry that the cluster reaches.
    """

    name: DnsLabel = "train"
    pool: DnsLabel
    image: Image
    nodes: int = Field(default=1, ge=1)
    gpus_per_node: int = Field(default=1, ge=1)


class Serving(Model):
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


class Proof(Model):
    """Jobs that prove the pools with a fabric, on `nodes` of each, and the lake.

    `image` is built from workloads/proof/Dockerfile; `dcgm_image` is NVIDIA's DCGM, or a copy of it. `floor_gbs` is the
    least bus bandwidth of a pool, by its name, instead of the table's.
    """

    image: Image
    dcgm_image: Image
    nodes: int = Field(default=2, ge=2)
    floor_gbs: dict[DnsLabel, Annotated[float, Field(gt=0)]] = {}


class Workloads(Model):
    """What runs on the GPU pools."""

    training: Training | None = None
    serving: Serving | None = None
    proof: Proof | None = None
