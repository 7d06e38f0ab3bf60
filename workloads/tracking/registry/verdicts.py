"""The verdict of a golden set on a model, without which nothing is promoted."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import RegistryError

AGAIN = "run the golden set again"


@dataclass(frozen=True)
class Verdict:
    """model, baseline: digests of the model that was judged and of the one it was held against; an empty baseline is
    none. digest: of the file itself."""

    model: str
    baseline: str
    passed: bool
    reasons: tuple[str, ...]
    digest: str


def read(path: Path) -> Verdict:
    """verdict.json as workloads/evaluation writes it; RegistryError where it is none."""
    try:
        raw = path.read_bytes()
        found: Any = json.loads(raw)
        baseline = found.get("baseline") or {}
        verdict = Verdict(
            model=found["model"]["revision"],
            baseline=baseline.get("revision", ""),
            passed=found["passed"],
            reasons=tuple(found.get("reasons", ())),
            digest=hashlib.sha256(raw).hexdigest(),
        )
    except OSError as error:
        raise RegistryError(f"--verdict {path} can't be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RegistryError(f"--verdict {path} is no verdict of a golden set ({error!r}): {AGAIN}") from error
    # Not `if verdict.passed`: a text "false" would pass.
    if not isinstance(verdict.passed, bool) or not isinstance(verdict.model, str):
        raise RegistryError(
            f"--verdict {path}: `passed` is true or false, `model.revision` a digest: {AGAIN}"
        )
    return verdict


def check(verdict: Verdict, version: int, model: str, production: int, in_production: str) -> None:
    """RegistryError unless it lets `version`, whose digest is `model`, replace the version `production` with the digest
    `in_production`; that is 0 where nothing is in production."""
    if verdict.model != model:
        raise RegistryError(
            f"the verdict is of the model {verdict.model[:12]}, and version {version} is {model[:12]}: {AGAIN} on that"
        )
    if not verdict.passed:
        why = "; ".join(verdict.reasons) or "no reason is given"
        raise RegistryError(f"version {version} did not pass: {why}")
    if production and verdict.baseline != in_production:
        against = verdict.baseline[:12] or "nothing"
        raise RegistryError(
            f"the verdict holds it against {against}, and version {production} ({in_production[:12]}) is in "
            f"production: {AGAIN} against that"
        )
