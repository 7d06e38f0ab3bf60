"""Settings of the gate before a model server, in the words of its program's job (workloads/evaluation/programs)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from infra.settings.fields import DnsLabel
from infra.settings.model import Model
from infra.settings.workloads.gateway import ServerUrl
from infra.settings.workloads.workload import Image, WorkloadSettings

# Where golden sets are in the lake: all that the gate may read of that bucket.
GOLDEN = "golden/"
Share = Annotated[float, Field(ge=0, le=1)]


class EvaluationRules(Model):
    """What a candidate is held to."""

    margin: Share = Field(
        default=0.05,
        description="The most that it may be worse than what is in production, as a share of the cases: the lower "
        "bound of the difference's interval must not be below it.",
    )
    confidence: float = Field(default=0.95, gt=0.5, lt=1, description="The confidence of that interval.")
    min_mean: Share = Field(default=0, description="The least share of all cases that must pass.")
    min_slice: Share = Field(default=0, description="The least share that must pass in each slice.")
    protected: list[Literal["language", "script", "region"]] = Field(
        default=["language"], description="In each slice of these no more than sliceMargin may be lost."
    )
    slice_margin: Share = Field(
        default=0.1,
        description="What a protected slice may lose against production, as a share of its cases.",
    )
    max_errors: Share = Field(
        default=0.05, description="With a larger share of errors there is no verdict, and no rollout."
    )
    max_p95_seconds: float | None = Field(
        default=None, gt=0, description="Seconds in which 19 of 20 answers must be there."
    )
    max_token_increase: float | None = Field(
        default=None, ge=0, description="By what share answers may be longer, in tokens: what they cost."
    )


class Judge(Model):
    """The model that says whether judged cases pass."""

    url: ServerUrl = Field(
        description="Its server, a Service of the cluster, such as http://judge.serving.svc:8000: answers leave "
        "neither the cluster nor India."
    )
    model: str = Field(min_length=1, description="The name that the server knows it by.")


class Evaluation(WorkloadSettings):
    """A golden set that a model must pass before its server is rolled out."""

    server: DnsLabel = Field(default="serve", description="The server that waits: `workloads.serving.name`.")
    image: Image = Field(
        description="The image that workloads/evaluation/Dockerfile builds, such as "
        '"{registry}/india-ai-infra/evaluation:2026.11".'
    )
    golden_set: Annotated[str, Field(pattern=rf"^\{{curated\}}/{GOLDEN}[\w.-]+(/[\w.-]+)*$")] = Field(
        description='The folder of the golden set, such as "{curated}/golden/support".'
    )
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="Its digest, which `check` prints: a set that somebody changed is refused."
    )
    rules: EvaluationRules = Field(default=EvaluationRules(), description="What the candidate is held to.")
    judge: Judge | None = Field(default=None, description="Who judges, if the set has judged cases.")
    signing_secret: DnsLabel | None = Field(
        default=None,
        description="A Secret of the namespace `evaluation` with key.pem, a private key of Ed25519 that signs "
        "verdicts. They are not signed unless given.",
    )
