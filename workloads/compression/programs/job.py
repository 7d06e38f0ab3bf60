"""What a compression job is told, as JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from workloads.training.trainer.recipe import RecipeError

# By what makes them: torchao, torch's pruning, a loop of torch, and llmcompressor in an environment of its own.
Method = Literal[
    "int8-weight-only",
    "int8-dynamic",
    "int4",
    "magnitude",
    "2:4",
    "distillation",
    "gptq",
    "awq",
    "sparsegpt",
]
CALIBRATED: tuple[Method, ...] = ("gptq", "awq", "sparsegpt")


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, populate_by_name=True)


class Gate(_Part):
    """What a compressed model may lose against its source, in each language."""

    max_perplexity_increase: float = Field(default=0.05, ge=0)
    """As a share: 0.05 is five in a hundred."""
    min_agreement: float = Field(default=0.9, ge=0, le=1)
    """The share of tokens for which both models have the same first choice."""


class Distillation(_Part):
    """A smaller model that learns from the source: α·CE + (1-α)·T²·KL."""

    student: str
    """A folder with the model that learns; it has the source's tokenizer."""
    alpha: float = Field(default=0.5, ge=0, le=1)
    temperature: float = Field(default=2, gt=0)
    steps: int = Field(default=1000, ge=1)
    batch: int = Field(default=8, ge=1)
    learning_rate: float = Field(default=3e-4, gt=0)
    seed: int = Field(default=0, ge=0)


class Job(_Part):
    """A model that is read, made smaller, judged, and published where it is good enough."""

    method: Method
    source: str
    """A folder with a causal model of Hugging Face: a path, s3:// or gs://."""
    target: str
    """A folder that has no model yet."""
    held: str
    """A folder of texts that no training saw, a file a language, called after it: hi.txt, ta.jsonl, en.parquet."""
    texts: str | None = None
    """A folder of other texts: a student learns on them, and GPTQ, AWQ and SparseGPT look at what they make flow."""
    group_size: int = Field(default=128, ge=1)
    """Of INT4: weights of a row that share a scale."""
    sparsity: float = Field(default=0.5, gt=0, lt=1)
    """Of magnitude pruning: the share of each matrix that becomes zero."""
    sequence_length: int = Field(default=512, ge=8)
    """Tokens of a sequence, on which the model is judged and by which it is calibrated."""
    gate: Gate = Gate()
    distillation: Distillation | None = None

    @staticmethod
    def read(text: str) -> Job:
        """The job in a JSON text; RecipeError names the first field that is wrong."""
        try:
            job = Job.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            path = ".".join(map(str, first["loc"])) or "the job"
            raise RecipeError(f"{path} is {first['input']!r}: {first['msg']}") from error
        if (job.method == "distillation") != (job.distillation is not None):
            raise RecipeError(
                f'method is "{job.method}", and distillation is {"" if job.distillation else "not "}given: '
                'give it with the method "distillation", and with no other'
            )
        if job.needs_texts and not job.texts:
            raise RecipeError(f'method "{job.method}" needs texts: give a folder of them, apart from held')
        return job

    @property
    def needs_texts(self) -> bool:
        """Whether the method learns or is calibrated."""
        return self.method in (*CALIBRATED, "distillation")

    @property
    def prunes(self) -> bool:
        """Whether the method sets weights to zero."""
        return self.method in ("magnitude", "2:4", "sparsegpt")

    def options(self) -> dict[str, object]:
        """What of the job decides the weights that come of it."""
        chosen: dict[str, object] = {"method": self.method}
        if self.needs_texts:
            chosen |= {"texts": self.texts, "sequenceLength": self.sequence_length}
        if self.method in ("int4", "gptq", "awq"):
            chosen["groupSize"] = self.group_size
        if self.method == "magnitude":
            chosen["sparsity"] = self.sparsity
        if self.distillation:
            chosen["distillation"] = self.distillation.model_dump(by_alias=True)
        return chosen
