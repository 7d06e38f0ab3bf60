"""Settings of drift, in the words of its program's job (workloads/drift/programs/job.py)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from infra.settings.fields import DnsLabel
from infra.settings.model import Model
from infra.settings.workloads.training import Folder
from infra.settings.workloads.workload import Image, WorkloadSettings

# Below what the program may write (workloads/drift/needs.py).
Written = Annotated[str, Field(pattern=r"^\{features\}/drift(/[\w.-]+)+$")]


class DriftConfirm(Model):
    """How many windows have to agree before drift counts as confirmed."""

    alarms: int = Field(default=2, ge=1, description="Windows that raised an alarm.")
    windows: int = Field(default=3, ge=1, le=31, description="Of so many, the newest.")


class DriftOutcome(Model):
    """Whether the model was right, where that becomes known."""

    label: str = Field(min_length=1, description="The column with the truth, empty until it is known.")
    prediction: str = Field(min_length=1, description="The column with what the model said.")
    min_drop: float = Field(
        default=0.02, gt=0, lt=1, description="The fall of the share of right predictions that counts."
    )
    min_rows: int = Field(default=500, ge=30, description="The fewest rows with a label that are judged.")
    lag: int = Field(default=0, ge=0, le=90, description="Windows that labels need to arrive.")


class DriftEvaluation(Model):
    """The golden set that judges what a training made."""

    namespace: DnsLabel = Field(default="evaluation", description="The namespace of its CronJob.")
    cron_job: DnsLabel = Field(description="The suspended CronJob that has its Job.")


class DriftRetraining(Model):
    """When a training may start by itself, and what it may cost."""

    cron_job: DnsLabel = Field(
        description="The suspended CronJob that has the Job: the name of the training job and -retrain, which "
        "`workloads.training.retraining` makes."
    )
    commit: Folder = Field(
        description="A file whose first line names the newest commit of the data, such as "
        '"{features}/tokens/wiki/newest".'
    )
    budget_inr: float = Field(gt=0, description="The most that trainings may cost in any 30 days, in rupees.")
    cooldown_hours: float = Field(
        default=24, ge=1, description="Hours from the end of one to the start of the next."
    )
    min_samples: int = Field(default=10_000, ge=1, description="Rows of the windows since the last one.")
    evaluation: DriftEvaluation | None = Field(
        default=None, description="The golden set that runs when one has ended well; none unless given."
    )


class Drift(WorkloadSettings):
    """Whether what a model is asked still looks like what it learnt from: docs/drift.md."""

    image: Image = Field(
        description="The image that workloads/drift/Dockerfile builds, such as "
        '"{registry}/india-ai-infra/drift:2026.11".'
    )
    model: DnsLabel = Field(description="The model that is watched, by its name.")
    samples: Folder = Field(
        description="The folder of its samples, by day or hour: docs/drift.md, such as "
        '"{features}/samples/loan-risk".'
    )
    reference: Folder = Field(
        description='The folder that the command `fit` wrote, such as "{features}/drift/loan-risk/reference".'
    )
    results: Written = Field(
        description='Where results are kept, such as "{features}/drift/loan-risk/results".'
    )
    window: Literal["day", "hour"] = Field(default="day", description="How long a window is.")
    features: dict[str, Literal["numeric", "category", "text"]] = Field(
        default_factory=dict, description="The kinds of columns that are not what they seem."
    )
    ignore: list[str] = Field(default_factory=list, description="Columns that are not looked at.")
    sample_rows: int = Field(
        default=100_000, ge=500, le=1_000_000, description="Rows of a window that distances are computed on."
    )
    min_rows: int = Field(default=500, ge=200, description="The fewest rows of a window that are judged.")
    min_distance: float = Field(
        default=0.1, gt=0, description="The least distance that counts, whatever chance would allow."
    )
    min_psi: float = Field(
        default=0.25, gt=0, description="The least population stability index that counts."
    )
    confirm: DriftConfirm = Field(
        default=DriftConfirm(), description="How many windows have to agree before drift is confirmed."
    )
    outcome: DriftOutcome | None = Field(
        default=None,
        description="Where the truth becomes known: then no training starts on inputs that moved alone.",
    )
    retraining: DriftRetraining | None = Field(
        default=None, description="Starts a training when drift is confirmed; none unless given."
    )
