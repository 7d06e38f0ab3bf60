"""What the programs are told: a JSON document, checked here for the component too."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

Kind = Literal["numeric", "category", "text"]
Period = Literal["day", "hour"]
LENGTHS = {"day": timedelta(days=1), "hour": timedelta(hours=1)}
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$")]


class DriftError(Exception):
    """What is asked can't be done; the message says what is wrong, where, and what to do."""


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class Confirm(_Part):
    """How many windows have to agree before drift counts as confirmed."""

    alarms: int = Field(default=2, ge=1)
    windows: int = Field(default=3, ge=1, le=31)

    @model_validator(mode="after")
    def _possible(self) -> Confirm:
        if self.alarms > self.windows:
            raise ValueError(f"alarms is {self.alarms}, of {self.windows} windows; give at most as many")
        return self


class Outcome(_Part):
    """Columns that say whether the model was right, for models whose truth becomes known."""

    label: str
    prediction: str
    min_drop: float = Field(default=0.02, gt=0, lt=1)
    """The fall of the share of right predictions that counts."""
    min_rows: int = Field(default=500, ge=30)
    """The fewest rows with a label."""
    lag: int = Field(default=0, ge=0, le=90)
    """How many windows labels need to arrive: the outcome is that of the window so long ago."""


class Evaluation(_Part):
    """The Job of a golden set, made from a suspended CronJob when a training has ended well."""

    namespace: Name
    cron_job: Name


class Retraining(_Part):
    """When a training may start by itself, and what it may cost."""

    cron_job: Name
    """The suspended CronJob that has the Job, with its estimate (workloads/training/retraining.py)."""
    namespace: Name = "training"
    commit: str
    """A file whose first line names the newest commit of the data: a path, s3:// or gs://."""
    budget_inr: float = Field(gt=0)
    """The most that trainings may cost in any 30 days, by their estimates."""
    cooldown_hours: float = Field(default=24, ge=1)
    """From the end of one to the start of the next."""
    min_samples: int = Field(default=10_000, ge=1)
    """Rows in the windows since the last one."""
    evaluation: Evaluation | None = None


class Job(_Part):
    """One model that is watched. Folders are paths, s3:// or gs://."""

    model: Name
    samples: str
    """`date=YYYY-MM-DD/…/*.parquet` below it, or `date=…/hour=HH/…`; UTC."""
    reference: str
    results: str
    window: Period = "day"
    features: dict[str, Kind] = Field(default_factory=dict)
    """Kinds of columns that are not what they seem."""
    ignore: tuple[str, ...] = ()
    sample_rows: int = Field(default=100_000, ge=500, le=1_000_000)
    min_rows: int = Field(default=500, ge=200)
    min_distance: float = Field(default=0.1, gt=0)
    min_psi: float = Field(default=0.25, gt=0)
    confirm: Confirm = Confirm()
    outcome: Outcome | None = None
    retraining: Retraining | None = None

    @classmethod
    def read(cls, text: str) -> Job:
        """The job; DriftError says which field is wrong."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the document"
            raise DriftError(f"{where}: {re.sub('^Value error, ', '', first['msg'])}") from error
