"""How each version of a model came to be and where it went: data, run, version, deployment, as plain values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from .models import Registry, moment
from .stages import Change, history, stages
from .verdicts import Verdict

DEPLOYED = "deployed."
# What a version's tags say of its run.
OF_RUN = {"codeCommit": "code.commit", "image": "image", "recipe": "recipe", "seed": "seed"}


def of(registry: Registry, name: str) -> dict[str, Any]:
    """The lineage of a model, newest version first; RegistryError if there is no such model."""
    registry.settle(name)
    versions, changes = registry.versions(name), registry.changes(name)
    now = history(changes)
    stage_of = {
        version: stage for stage, version in stages([int(each.version) for each in versions], now).items()
    }
    return {
        "model": name,
        "versions": [
            {**_version(registry, each), "stage": stage_of.get(int(each.version), "")}
            for each in reversed(versions)
        ],
        "changes": [_change(each, each.number in now.refused) for each in reversed(changes)],
    }


def _version(registry: Registry, version: ModelVersion) -> dict[str, Any]:
    tags = version.tags
    return {
        "version": int(version.version),
        "digest": tags.get("digest", ""),
        "source": version.source,
        "registered": moment(version),
        "data": {"commit": tags.get("data.commit", "")},
        "run": {
            **_run(registry, version.run_id),
            **{name: tags.get(tag, "") for name, tag in OF_RUN.items()},
        },
        "deployments": [
            {"at": tag.removeprefix(DEPLOYED), "since": since}
            for tag, since in sorted(tags.items())
            if tag.startswith(DEPLOYED)
        ],
    }


def _run(registry: Registry, run_id: str | None) -> dict[str, Any]:
    if not run_id:
        return {"id": "", "name": "", "status": "no run was named", "metrics": {}, "parameters": {}}
    try:
        run = registry.client.get_run(run_id)
    except MlflowException as error:
        # A run that was deleted since leaves the rest of the lineage as it is.
        return {"id": run_id, "name": "", "status": error.error_code, "metrics": {}, "parameters": {}}
    return {
        "id": run_id,
        "name": run.info.run_name,
        "status": run.info.status,
        "metrics": dict(sorted(run.data.metrics.items())),
        "parameters": dict(sorted(run.data.params.items())),
    }


def _change(change: Change, refused: bool) -> dict[str, Any]:
    why = "no verdict that the gate signed" if change.forged else "another came first"
    return {
        "action": change.action,
        "version": change.version,
        "by": change.by,
        "at": change.at,
        "verdict": _verdict(change.verdict),
        "refused": why if refused else "",
    }


def _verdict(verdict: Verdict | None) -> dict[str, Any] | None:
    """What judged, and whose key says so."""
    if verdict is None:
        return None
    return {
        "digest": verdict.digest,
        "goldenSet": asdict(verdict.golden_set),
        "judged": verdict.at,
        "signedBy": verdict.signer,
    }
