"""The trainer's recipe that settings ask for, and the refusal of one that the trainer would refuse."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from infra.contracts.cluster import Pool
from infra.settings.errors import Problem
from infra.settings.valid_parts import Parts
from infra.settings.workloads import path_of
from infra.settings.workloads.training import Training
from workloads.training.trainer.recipe import Recipe, RecipeError

# The settings that are the recipe's own fields, word for word.
FIELDS = {field.name for field in fields(Recipe)} & Training.model_fields.keys()


def document(settings: Training) -> dict[str, Any]:
    """The recipe of the settings alone, in JSON's words."""
    replicas = {"replicas": settings.nodes} if settings.recovery == "replicas" else {}
    return settings.model_dump(by_alias=True, exclude_none=True, include=FIELDS) | replicas


def recipe(settings: Training, pool: Pool, usd_inr: float, mlflow_uri: str | None = None) -> str:
    """The recipe, with what the pool's nodes cost and how often they are taken back, as the pods read it; `mlflow_uri`
    is the site's own server, for settings that name none."""
    per_hour = settings.interruptions_per_hour
    expected = pool.reclaims_per_hour * settings.nodes if per_hour is None else per_hour
    rupees = pool.usd_per_hour * settings.nodes * usd_inr
    derived = {
        "interruptions": {"cloud": pool.notices, "perHour": _rough(expected)},
        "cost": {"inrPerHour": _rough(rupees)},
    }
    made = {**document(settings), **derived}
    if mlflow_uri:
        made["tracking"] = {"mlflowUri": mlflow_uri, **made.get("tracking", {})}
    return json.dumps(made, indent=2)


def check_recipe(parts: Parts) -> list[Problem]:
    """A problem where the trainer would refuse the recipe, or the GPUs of the job can't share it."""
    asked = parts.workload(Training)
    if asked is None:
        return []
    if asked.recovery == "replicas" and asked.runner != "job":
        allowed = f'runner is "{asked.runner}", which starts all workers anew when one goes: give "job"'
        return [Problem(f"{path_of(Training)}.recovery", asked.recovery, allowed)]
    if asked.retraining and (asked.runner != "job" or asked.recovery == "replicas"):
        given = f"{asked.runner}, {asked.recovery}"
        allowed = "nothing but runner job with recovery checkpoints, of which a template can be made"
        return [Problem(f"{path_of(Training)}.retraining", given, allowed)]
    world = asked.gpus_per_node if asked.recovery == "replicas" else asked.nodes * asked.gpus_per_node
    try:
        Recipe.read(json.dumps(document(asked))).check_against(world)
    except RecipeError as error:
        given = f"{asked.nodes} nodes of {asked.gpus_per_node} GPUs, batch {asked.batch}"
        return [Problem(path_of(Training), given, str(error))]
    return []


def _rough(number: float) -> float:
    """Two digits: prices change every day, and each change of the recipe is a new Job."""
    return float(f"{number:.2g}")
