"""What a gate is told, as JSON in camelCase."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator

from workloads.evaluation.programs.cases import Model
from workloads.training.trainer.recipe import RecipeError

SERVED = "served"
Share = Annotated[float, Field(ge=0, le=1)]


class Endpoint(Model):
    """An OpenAI-compatible API, and one model that it serves."""

    url: str
    """With the version: http://serve.serving.svc:8000/v1."""
    model: str = Field(min_length=1)
    revision: str = ""
    """What tells it from others of its name: a commit, or the digest of its weights."""
    weights: str | None = None
    """The folder that it serves, a path, s3:// or gs://: the digest of its files is the revision then. `served` is the
    one that vLLM says it serves, of what is in production."""
    key_variable: str = "EVALUATION_API_KEY"
    """The environment variable with its API key, if it asks for one."""
    max_tokens: int = Field(default=512, ge=1)
    connections: int = Field(default=8, ge=1)
    timeout_seconds: int = Field(default=120, ge=1)
    """Of one attempt."""
    retries: int = Field(default=2, ge=0)

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("give the address of an API, such as http://serve.serving.svc:8000/v1")
        return url.rstrip("/")


class Rules(Model):
    """What a candidate is held to; docs/evaluation.md says what each means."""

    margin: Share = 0.05
    """The most that it may be worse than production, as a share of cases, beyond what chance explains."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    min_mean: Share = 0.0
    """The least share of all cases that pass."""
    min_slice: Share = 0.0
    """The least share that pass in each slice."""
    protected: tuple[str, ...] = ("language",)
    """In these slices no group of people may lose more than `sliceMargin`."""
    slice_margin: Share = 0.1
    max_errors: Share = 0.05
    """With a larger share of errors, on either side, there is no verdict."""
    max_p95_seconds: float | None = Field(default=None, gt=0)
    max_token_increase: float | None = Field(default=None, ge=0)
    """The most by which tokens of an answer may rise over production, as a share: what an answer costs."""
    seed: int = Field(default=0, ge=0)


class Gate(Model):
    """A candidate, what is in production, and where the verdict goes."""

    golden_set: str
    """Its folder: a path, s3:// or gs://."""
    digest: str | None = None
    """The set's, so that nobody changes it unseen."""
    candidate: Endpoint
    production: Endpoint | None = None
    recorded: str | None = None
    """results.json of the model in production, instead of asking it again."""
    judge: Endpoint | None = None
    rules: Rules = Rules()
    target: str
    """A folder for results, verdict and page; a new one below it for each run."""
    key: str | None = None
    """The private key of Ed25519 (PEM) that signs the verdict."""

    @model_validator(mode="after")
    def _one_baseline(self) -> Gate:
        if self.production and self.recorded:
            raise ValueError("give production or recorded, not both")
        return self

    @staticmethod
    def read(text: str) -> Gate:
        """The gate in a JSON text; RecipeError names the first field that is wrong."""
        try:
            return Gate.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            path = ".".join(map(str, first["loc"])) or "the job"
            raise RecipeError(f"{path} is {first['input']!r}: {first['msg']}") from error
