"""Settings of the model server."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic.alias_generators import to_camel

from infra.settings.errors import refuse
from infra.settings.fields import DnsLabel, Rule
from infra.settings.workloads.scaling import OnDemandFloor, Scale
from infra.settings.workloads.workload import Image, PoolUse, WorkloadSettings

EngineName = Literal["vllm", "sglang", "triton", "tgi"]
# Where released models are in the lake: all that the server may read of it.
LAKE_ROLE = "models"
RELEASED = f"{{{LAKE_ROLE}}}/released/"

# Flags of the engines that follow from settings, or that the platform sets for its probes and GPUs.
SET_BY_SETTINGS = {
    "model": "model",
    "served-model-name": "model",
    "tensor-parallel-size": "gpus",
    "pipeline-parallel-size": "gpus",
    "data-parallel-size": "replicas",
    "max-model-len": "maxModelLen",
    "quantization": "quantization",
    "kv-offloading-size": "kvOffloadGib",
    "lora-modules": "adapters",
    "enable-lora": "adapters",
    "max-loras": "adapters",
    "fingerprint-mode": "revision",
    "fingerprint-value": "revision",
    # SGLang
    "model-path": "model",
    "tp-size": "gpus",
    "context-length": "maxModelLen",
    # TGI
    "model-id": "model",
    "num-shard": "gpus",
    "max-total-tokens": "maxModelLen",
    "quantize": "quantization",
    # Triton
    "model-repository": "weights",
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
    # SGLang
    "enable-metrics",
    "max-queued-requests",
    "mem-fraction-static",
    # TGI
    "cuda-memory-fraction",
    "max-concurrent-requests",
    # Triton
    "exit-timeout-secs",
    "http-port",
    "metrics-port",
)


def _released(text: str) -> str:
    if re.fullmatch(rf"{re.escape(RELEASED)}\w[\w.-]*(/\w[\w.-]*)*/?", text):
        return text.rstrip("/")
    raise refuse(_RELEASED)


_RELEASED = f"a folder of released models in the lake: {RELEASED}<name>"
Released = Annotated[str, Rule(_released, _RELEASED)]


def flag(word: str) -> str:
    """The name of the flag in a word of a command line: kv-cache-dtype in `--kv-cache-dtype=fp8`, empty without a flag.

    vLLM reads `_` in it as `-`, and `--a.b=1` as a part of `--a`.
    """
    found = re.match(r"--([A-Za-z][A-Za-z0-9_-]*)", word)
    return found[1].replace("_", "-") if found else ""


class Serving(WorkloadSettings):
    """A model server: replicas of one model."""

    engine: EngineName = Field(
        default="vllm", description="What serves it: docs/serving.md says which for what."
    )
    name: DnsLabel = Field(default="serve", description="The server's name.")
    pool: DnsLabel = Field(description="The pool that it runs on, by its name.")
    model: str = Field(
        min_length=1,
        description="The model's name on Hugging Face, such as Qwen/Qwen3-8B, which clients ask for.",
    )
    weights: Released | None = Field(
        default=None,
        description="Where its weights are in the lake, such as "
        '"{models}/released/qwen3-8b": they are streamed to the GPUs, and the pods need no way to the internet. '
        "From Hugging Face unless given. For Triton the folder is its repository of models.",
    )
    revision: str | None = Field(
        default=None,
        pattern=r"^[\w.-]{1,64}$",
        description="The weights' revision, which each answer then names (`system_fingerprint`): the gateway's cache "
        "keeps none of another than its own `revision` of the model. vLLM from 0.32.",
    )
    adapters: dict[DnsLabel, Released] = Field(
        default={},
        description="LoRA adapters beside the model, by the name that clients ask for, such as "
        '{support: "{models}/released/qwen3-8b-support"}.',
    )
    replicas: int = Field(default=1, ge=1, description="Replicas of the server.")
    scale: Scale | None = Field(default=None, description="Replicas by load, instead of `replicas`.")
    on_demand_floor: OnDemandFloor | None = Field(
        default=None,
        description="Of the replicas, those that stay when spot is taken back: docs/serving.md.",
    )
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
    kv_offload_gib: int | None = Field(
        default=None,
        ge=1,
        description="GiB of the node's memory for keys and values that no longer fit the GPUs, of each replica.",
    )
    engine_args: list[str] = Field(
        default=[],
        description="Further flags of the engine, such as [--kv-cache-dtype=fp8]. Those that other "
        "settings or the platform set are refused, and those that vLLM's version lacks.",
    )
    image: Image | None = Field(
        default=None,
        description="An image of the server. The engine's own, at the platform's version, unless given.",
    )

    @property
    def pool_use(self) -> PoolUse:
        """The pool that the server runs on, and the GPUs of a replica."""
        return PoolUse(self.pool, self.gpus, "gpus")

    @property
    def floor(self) -> int:
        """How many of the replicas are on the pool of `on_demand_floor`."""
        return self.on_demand_floor.replicas if self.on_demand_floor else 0

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
                raise refuse(f"flags of the engine that nothing else sets: --{taken} is {why}")
        return words


def optional(serve: Serving) -> dict[str, object]:
    """The settings that not every engine has, by their name in a stack's file."""
    names = ("weights", "revision", "adapters", "max_model_len", "quantization", "kv_offload_gib")
    return {to_camel(name): getattr(serve, name) for name in names}
