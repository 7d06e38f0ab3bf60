"""Settings of the model server."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from infra.settings.errors import refuse
from infra.settings.fields import DnsLabel
from infra.settings.workloads.scaling import Scale
from infra.settings.workloads.workload import Image, PoolUse, WorkloadSettings

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


class Serving(WorkloadSettings):
    """A model server: replicas of one model, with vLLM."""

    name: DnsLabel = Field(default="serve", description="The server's name.")
    pool: DnsLabel = Field(description="The pool that it runs on, by its name.")
    model: str = Field(min_length=1, description="The model's name on Hugging Face, such as Qwen/Qwen3-8B.")
    replicas: int = Field(default=1, ge=1, description="Replicas of the server.")
    scale: Scale | None = Field(default=None, description="Replicas by load, instead of `replicas`.")
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
        """The pool that the server runs on, and the GPUs of a replica."""
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
