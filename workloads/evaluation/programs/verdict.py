"""Whether a candidate may replace what is in production: every reason against it, and none is a mean alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from workloads.evaluation.programs import sensitive
from workloads.evaluation.programs.cases import expected
from workloads.evaluation.programs.golden import GoldenSet
from workloads.evaluation.programs.job import Rules
from workloads.evaluation.programs.results import Answer, Results, now
from workloads.evaluation.programs.statistics import Difference, cases_needed, difference

DIMENSIONS = ("language", "script", "region")


class NoVerdictError(Exception):
    """Too much went wrong to judge: nobody passed, and nobody failed."""


@dataclass(frozen=True)
class Slice:
    """Cases of one kind: their number, and the share that each side passes."""

    cases: int
    candidate: float
    production: float | None


@dataclass(frozen=True)
class Verdict:
    """`reasons` say why the candidate does not pass; it passes where there is none."""

    reasons: tuple[str, ...]
    golden_set: Mapping[str, str]
    candidate: Mapping[str, str]
    production: Mapping[str, str] | None
    mean: Slice
    slices: Mapping[str, Slice]
    """By dimension and value: `language=hi`."""
    difference: Difference | None
    errors: Mapping[str, int]
    p95_seconds: float
    at: str
    rules: str
    """The digest of the rules that it was judged by."""

    @property
    def passed(self) -> bool:
        """Whether it may be rolled out."""
        return not self.reasons

    def document(self) -> str:
        """verdict.json."""
        change = self.difference
        interval = (
            {"mean": change.mean, "low": change.low, "high": change.high, "pWorse": change.p_worse}
            if change
            else None
        )
        return json.dumps(
            {
                "passed": self.passed,
                "reasons": self.reasons,
                "model": self.candidate,
                "baseline": self.production,
                "goldenSet": self.golden_set,
                "mean": asdict(self.mean),
                "slices": {name: asdict(found) for name, found in self.slices.items()},
                "confidenceInterval": interval,
                "errors": self.errors,
                "p95Seconds": self.p95_seconds,
                "rulesDigest": self.rules,
                "time": self.at,
            },
            indent=1,
            ensure_ascii=False,
        )


def judge(golden: GoldenSet, rules: Rules, candidate: Results, production: Results | None) -> Verdict:
    """The verdict; without `production` the candidate is held to the floors alone. NoVerdictError where too many cases
    of a side ended in errors."""
    for side, found in (("candidate", candidate), ("production", production)):
        if found:
            _enough(side, found, rules)
    slices = {name: _slice(ids, candidate, production) for name, ids in _members(golden).items()}
    mean = _slice([case.id for case in golden.cases], candidate, production)
    change = _difference(candidate, production, rules) if production else None
    p95 = _p95(candidate)
    reasons = [
        *_floors(mean, slices, rules),
        *(_worse(change, rules) if change else ()),
        *_protected(slices, rules),
        *_budget(p95, candidate, production, rules),
        *_leaked(golden, candidate),
    ]
    return Verdict(
        reasons=tuple(reasons),
        golden_set=golden.identity,
        candidate=_identity(candidate),
        production=_identity(production) if production else None,
        mean=mean,
        slices=slices,
        difference=change,
        errors={
            "candidate": len(candidate.errors),
            "production": len(production.errors) if production else 0,
        },
        p95_seconds=p95,
        at=now(),
        rules=hashlib.sha256(rules.model_dump_json().encode()).hexdigest(),
    )


def _enough(side: str, found: Results, rules: Rules) -> None:
    share = len(found.errors) / len(found.answers)
    if share > rules.max_errors:
        first = found.errors[0]
        raise NoVerdictError(
            f"{len(found.errors)} of {len(found.answers)} cases of {side} {found.model} ended in errors, and "
            f"rules.maxErrors allows {rules.max_errors:.0%}; the first, {first.id}: {first.error}"
        )


def _members(golden: GoldenSet) -> dict[str, list[str]]:
    """The cases of each slice, by the slice's name."""
    members: dict[str, list[str]] = {}
    for dimension in DIMENSIONS:
        for case in sorted(golden.cases, key=lambda case: getattr(case.slices, dimension)):
            members.setdefault(f"{dimension}={getattr(case.slices, dimension)}", []).append(case.id)
    return members


def _identity(found: Results) -> dict[str, str]:
    return {"name": found.model, "revision": found.revision, "results": found.digest}


def _slice(ids: Sequence[str], candidate: Results, production: Results | None) -> Slice:
    return Slice(len(ids), _share(candidate, ids), _share(production, ids) if production else None)


def _share(found: Results, ids: Sequence[str]) -> float:
    """Of cases that pass. An error is no pass."""
    answers = _by_id(found)
    return sum(bool(answers[id_].passed) for id_ in ids) / len(ids)


def _difference(candidate: Results, production: Results, rules: Rules) -> Difference:
    """Over the cases that production could answer; the candidate's errors count as failures."""
    before = {answer.id: answer.passed for answer in production.answers if answer.passed is not None}
    after = _by_id(candidate)
    outcomes = [bool(after[id_].passed) for id_ in before]
    return difference(outcomes, [bool(passed) for passed in before.values()], rules.confidence, rules.seed)


def _floors(mean: Slice, slices: Mapping[str, Slice], rules: Rules) -> Iterator[str]:
    if mean.candidate < rules.min_mean:
        yield f"{mean.candidate:.0%} of the cases pass, and minMean asks for {rules.min_mean:.0%}"
    for name, found in slices.items():
        if found.candidate < rules.min_slice:
            yield (
                f"{name}: {found.candidate:.0%} of {found.cases} cases pass; minSlice asks for {rules.min_slice:.0%}"
            )


def _worse(change: Difference, rules: Rules) -> Iterator[str]:
    if change.low >= -rules.margin:
        return
    found = f"the difference to production is {change.mean:+.1%}, and may be as low as {change.low:+.1%}"
    if change.high < 0:
        why = f"it is worse (McNemar p = {change.p_worse:.2g})"
    else:
        needed = cases_needed(change, rules.margin)
        why = f"{change.cases} cases can't tell" + (f", some {needed} could" if needed else "")
    yield f"{found}; margin allows {-rules.margin:+.1%}: {why}"


def _protected(slices: Mapping[str, Slice], rules: Rules) -> Iterator[str]:
    for name, found in slices.items():
        if name.partition("=")[0] not in rules.protected or found.production is None:
            continue
        lost = found.production - found.candidate
        # Shares of few cases are inexact as floats.
        if lost > rules.slice_margin + 1e-9:
            yield (
                f"{name}: {found.candidate:.0%} of {found.cases} cases pass, {found.production:.0%} in production; "
                f"sliceMargin allows {rules.slice_margin:.0%} less"
            )


def _budget(p95: float, candidate: Results, production: Results | None, rules: Rules) -> Iterator[str]:
    if rules.max_p95_seconds is not None and p95 > rules.max_p95_seconds:
        yield f"19 of 20 answers take up to {p95:.2f} s, and maxP95Seconds allows {rules.max_p95_seconds:g}"
    if rules.max_token_increase is None or production is None:
        return
    now_, before = _tokens(candidate), _tokens(production)
    if now_ > before * (1 + rules.max_token_increase):
        yield (
            f"an answer takes {now_:.0f} tokens, {before:.0f} in production; maxTokenIncrease allows "
            f"{rules.max_token_increase:.0%} more"
        )


def _leaked(golden: GoldenSet, candidate: Results) -> Iterator[str]:
    """Personal numbers and secrets, but for those that the case itself has. The values are never told."""
    answers = _by_id(candidate)
    for case in golden.cases:
        for kind in sensitive.found(answers[case.id].text, f"{case.prompt} {expected(case)}"):
            yield f"case {case.id}: the answer has a {kind}, which the case does not have"


def _p95(found: Results) -> float:
    seconds = [answer.seconds for answer in found.answers if answer.passed is not None]
    return round(float(np.quantile(seconds, 0.95)), 3) if seconds else 0.0


def _tokens(found: Results) -> float:
    answered = [answer.output_tokens for answer in found.answers if answer.passed is not None]
    return sum(answered) / len(answered) if answered else 0.0


def _by_id(found: Results) -> Mapping[str, Answer]:
    return {answer.id: answer for answer in found.answers}
