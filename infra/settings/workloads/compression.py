"""Settings of compression, in the words of its program's job (workloads/compression/programs/job.py)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from infra.settings.fields import DnsLabel
from infra.settings.model import Model
from infra.settings.workloads.training import Folder
from infra.settings.workloads.workload import Image, PoolUse, WorkloadSettings

# Below what the job may write (workloads/compression/needs.py).
Released = Annotated[str, Field(pattern=r"^\{models\}/released/compressed(/[\w.-]+)+$")]


class CompressionGate(Model):
    """What a compressed model may lose, in each language; one that loses more is not published."""

    max_perplexity_increase: float = Field(
        default=0.05, ge=0, description="The most by which perplexity may rise, as a share."
    )
    min_agreement: float = Field(
        default=0.9, ge=0, le=1, description="The least share of tokens whose first choice stays the same."
    )


class Distillation(Model):
    """How a student learns from the source."""

    student: Folder = Field(
        description="The folder of the smaller model that learns; it has the source's tokenizer."
    )
    alpha: float = Field(
        default=0.5, ge=0, le=1, description="The weight of the text itself against the source's likelihoods."
    )
    temperature: float = Field(default=2, gt=0, description="What both models' logits are divided by.")
    steps: int = Field(default=1000, ge=1, description="Optimizer steps.")
    batch: int = Field(default=8, ge=1, description="Sequences of a step.")
    learning_rate: float = Field(default=3e-4, gt=0, description="The highest learning rate.")
    seed: int = Field(default=0, ge=0, description="Of the order of the texts.")


class Compression(WorkloadSettings):
    """A Job that makes a model smaller, judges it, and publishes it if it is good enough."""

    name: DnsLabel = Field(default="compress", description="The Job's name.")
    pool: DnsLabel = Field(description="The pool that it runs on, by its name.")
    image: Image = Field(
        description="The image that workloads/compression/Dockerfile builds, such as "
        '"{registry}/india-ai-infra/compression:2026.11".'
    )
    method: Literal[
        "int8-weight-only",
        "int8-dynamic",
        "int4",
        "magnitude",
        "2:4",
        "distillation",
        "gptq",
        "awq",
        "sparsegpt",
    ] = Field(
        description="What is done to it: docs/compression.md. gptq, awq and sparsegpt need the image of "
        "requirements-llmcompressor.txt."
    )
    source: Folder = Field(description='The folder of the model, such as "{models}/released/qwen3-8b".')
    target: Released = Field(
        description='The folder that it is published in, such as "{models}/released/compressed/qwen3-8b-int8".'
    )
    held: Folder = Field(
        description='A folder of texts that no training saw, such as "{curated}/held": a file a language, called '
        "after it (hi.txt, ta.jsonl, en.parquet)."
    )
    texts: Folder | None = Field(
        default=None,
        description="A folder of other texts, on which a student learns and by which gptq, awq and sparsegpt are "
        "calibrated.",
    )
    group_size: int = Field(
        default=128, ge=1, description="Weights of a row that share a scale: of int4, gptq and awq."
    )
    sparsity: float = Field(
        default=0.5, gt=0, lt=1, description="The share of each matrix that magnitude pruning sets to zero."
    )
    sequence_length: int = Field(
        default=512, ge=8, description="Tokens of a sequence, on which the model is judged."
    )
    gate: CompressionGate = Field(default=CompressionGate(), description="What the model may lose.")
    distillation: Distillation | None = Field(
        default=None, description="How a student learns; of the method distillation, and of no other."
    )

    @property
    def pool_use(self) -> PoolUse:
        """The pool that the Job runs on, and its one GPU."""
        return PoolUse(self.pool, gpus=1, gpus_setting="pool")
