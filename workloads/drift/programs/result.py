"""What a window was found to be, and whether that makes drift confirmed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy

from . import distance
from .job import DriftError, Job, Outcome
from .lake import get, put
from .profile import in_terms_of
from .reference import Reference
from .score import score
from .table import Table
from .thresholds import counted
from .windows import Window

FORMAT = 1
# One-sided, one in a hundred: a fall of the share of right predictions that is not chance.
Z = 2.326


@dataclass(frozen=True)
class FeatureResult:
    """A feature of a window: how far it is from the reference, and from which distance on it counts."""

    name: str
    kind: str
    distance: float
    distance_threshold: float
    psi: float
    psi_threshold: float
    bins: list[str]
    reference: list[float]
    current: list[float]
    """Shares of the rows in each bin."""

    @property
    def drifted(self) -> bool:
        """Whether either is beyond its threshold."""
        return self.distance >= self.distance_threshold or self.psi >= self.psi_threshold


@dataclass(frozen=True)
class OutcomeResult:
    """Whether the model is right less often than it was, in a window whose labels have arrived."""

    window: str
    rows: int
    right: float
    reference: float
    worse: bool


@dataclass(frozen=True)
class Result:
    """What is kept of a window. `ends`: when it was over, as ISO 8601 has it."""

    model: str
    window: str
    ends: str
    rows: int
    sampled: int
    features: list[FeatureResult]
    outcome: OutcomeResult | None = None
    confirmed: bool = False
    worse: bool = False
    """Whether as many windows have a worse outcome as confirm a drift; true where no labels are expected."""
    retraining: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def alarm(self) -> bool:
        """Whether any feature has drifted."""
        return any(feature.drifted for feature in self.features)


def judge(job: Job, reference: Reference, table: Table, window: Window) -> Result:
    """The window against the reference. DriftError: too few rows, or other columns."""
    where = f"{job.samples}/{window.folder}"
    if table.rows < job.min_rows:
        raise DriftError(
            f"{where} has {table.rows} rows, and {job.min_rows} are the fewest: sample more, or longer"
        )
    reference.check(table, where)
    sample = table.sample(list(reference.kinds), job.sample_rows)
    seen = in_terms_of(sample, reference.features, reference.words)
    distances = score(reference.sample, seen, reference.features)
    counts = {**counted(seen, reference.features), **table.counts(reference.features)}
    found = []
    for feature in reference.features:
        before, after = (numpy.array(of[feature.name]) for of in (reference.counts, counts))
        # The index is of all rows where the feature is a column, and the distance always of the samples.
        by_distance, _ = reference.noise[feature.name].at(len(reference.sample), len(seen))
        _, by_psi = reference.noise[feature.name].at(int(before.sum()), int(after.sum()))
        found.append(
            FeatureResult(
                feature.name,
                feature.kind,
                distances[feature.name],
                max(job.min_distance, by_distance),
                distance.psi(before, after),
                max(job.min_psi, by_psi),
                feature.bins,
                (before / before.sum()).round(6).tolist(),
                (after / after.sum()).round(6).tolist(),
            )
        )
    return Result(job.model, window.name, window.end.isoformat(), table.rows, len(seen), found)


def judge_outcome(asked: Outcome, reference: Reference, table: Table, window: Window) -> OutcomeResult | None:
    """The outcome of a window; None where too few of its rows have a label."""
    if reference.outcome is None:
        raise DriftError("the reference was fitted without the outcome; fit it anew")
    before, was_right = reference.outcome
    rows, right = table.right(asked.label, asked.prediction)
    if rows < asked.min_rows or not before:
        return None
    was, now = was_right / before, right / rows
    together = (was_right + right) / (before + rows)
    error = (together * (1 - together) * (1 / before + 1 / rows)) ** 0.5
    worse = was - now >= asked.min_drop and was - now > Z * error
    return OutcomeResult(window.name, rows, round(now, 6), round(was, 6), bool(worse))


def confirmed(job: Job, results: Sequence[Result]) -> tuple[bool, bool]:
    """Whether enough of the newest windows raised an alarm, and whether enough of them had a worse outcome."""
    newest = results[-job.confirm.windows :]
    alarms = sum(result.alarm for result in newest)
    worse = sum(result.outcome is not None and result.outcome.worse for result in newest)
    return alarms >= job.confirm.alarms, job.outcome is None or worse >= job.confirm.alarms


def write(folder: str, result: Result) -> None:
    """Keep it under its window, and as the latest for who serves metrics."""
    plain = asdict(result) | {"alarm": result.alarm}
    for feature, of in zip(plain["features"], result.features, strict=True):
        feature["drifted"] = of.drifted
    for name in (f"window={result.window}", "latest"):
        put(f"{folder}/{name}.json", json.dumps(plain, indent=1).encode())


def read(folder: str, name: str) -> Result | None:
    """The result of a window, or `latest`; None where there is none."""
    content = get(f"{folder}/{name}.json")
    if content is None:
        return None
    plain = json.loads(content)
    if plain["format"] != FORMAT:
        raise DriftError(
            f"{folder}/{name}.json has format {plain['format']}, and this program reads {FORMAT}"
        )
    features = [
        FeatureResult(**{key: value for key, value in each.items() if key != "drifted"})
        for each in plain["features"]
    ]
    outcome = OutcomeResult(**plain["outcome"]) if plain["outcome"] else None
    rest = {key: value for key, value in plain.items() if key not in ("alarm", "features", "outcome")}
    return Result(features=features, outcome=outcome, **rest)


def before(folder: str, window: Window, count: int) -> list[Result]:
    """The results of the windows before this one, oldest first. A window that was not scored raised no alarm."""
    windows = [window.before(back) for back in range(count, 0, -1)]
    return [result for each in windows if (result := read(folder, f"window={each.name}"))]
