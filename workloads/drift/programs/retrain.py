"""From a result to a training: what the window must show before the API server is asked at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from .flight import Wanted
from .job import DriftError, Job, Retraining
from .lake import get
from .result import Result


def hindrance(job: Job, asked: Retraining, results: Sequence[Result]) -> str:
    """Why no training is asked for; empty where one is. `results` end with the newest."""
    newest = results[-1]
    if not newest.confirmed:
        return "no drift is confirmed"
    if not newest.worse:
        # Inputs that moved where the model is still right are no reason to change it.
        return "labels do not show that the model is right less often"
    rows = sum(result.rows for result in since_last(results))
    if rows < asked.min_samples:
        return f"{rows} new rows, and {asked.min_samples} are needed"
    return ""


def since_last(results: Sequence[Result]) -> Sequence[Result]:
    """The results after the last one that started a training."""
    started = [at for at, result in enumerate(results) if result.retraining.get("started")]
    return results[started[-1] + 1 :] if started else results


def wanted(job: Job, asked: Retraining, result: Result, own_namespace: str) -> Wanted:
    """The training on the newest commit of the data. DriftError where none is named."""
    return Wanted(
        model=job.model,
        window=result.window,
        commit=newest_commit(asked.commit),
        cron_job=asked.cron_job,
        namespace=asked.namespace,
        own_namespace=own_namespace,
        budget_inr=asked.budget_inr,
        cooldown=timedelta(hours=asked.cooldown_hours),
        evaluation=(asked.evaluation.namespace, asked.evaluation.cron_job) if asked.evaluation else None,
    )


def newest_commit(uri: str) -> str:
    """The commit that a file names."""
    content = get(uri)
    if content is None:
        raise DriftError(f"{uri} is not there; whoever commits data writes the newest commit's name in it")
    commit = content.decode(errors="replace").partition("\n")[0].strip()
    if not commit.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise DriftError(f"{uri} names {commit!r}, and a commit is a word of letters, digits, - _ and .")
    return commit
