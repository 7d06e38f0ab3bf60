"""Sends the numbers of a job to MLflow and to W&B, where the recipe names a server."""

from __future__ import annotations

import os
from typing import Any

from .progress import Reading
from .recipe import Recipe, RecipeError


class Tracker:
    """A run of this job in each tracking server that the recipe names; on the first rank alone."""

    def __init__(self, recipe: Recipe, first: bool) -> None:
        self._mlflow: Any = None
        self._wandb: Any = None
        settings = recipe.tracking
        if first and settings.mlflow_uri:
            self._mlflow = _mlflow(settings.mlflow_uri, recipe)
        if first and settings.wandb:
            self._wandb = _wandb(settings.wandb, recipe)

    def log(self, reading: Reading) -> None:
        """Sends a reading. A server that is away does not end the training."""
        values = {
            "loss": reading.loss,
            "learning_rate": reading.learning_rate,
            "gradient_norm": reading.gradient_norm,
        }
        if self._mlflow:
            try:
                self._mlflow.log_metrics(values, step=reading.step)
            except Exception as error:  # noqa: BLE001  whatever a client raises
                print(f"event=mlflow-silent error={str(error)!r}", flush=True)
                self._mlflow = None
        if self._wandb:
            self._wandb.log(values, step=reading.step)

    def end(self) -> None:
        """Closes the runs."""
        if self._mlflow:
            self._mlflow.end_run()
        if self._wandb:
            self._wandb.finish()


def _mlflow(uri: str, recipe: Recipe) -> Any:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # The default is seven retries, of minutes altogether, in which nothing is trained.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    import mlflow

    mlflow.set_tracking_uri(uri)
    try:
        mlflow.set_experiment(os.environ.get("TRAINING_JOB", "training"))
        mlflow.start_run(run_name=os.environ.get("TORCHELASTIC_RUN_ID"))
        mlflow.log_params({"model": recipe.model.name, "data": recipe.data.uri, "steps": recipe.steps})
    except Exception as error:
        raise RecipeError(
            f"tracking.mlflowUri {uri} does not answer ({str(error).splitlines()[0]})"
        ) from error
    return mlflow


def _wandb(server: str, recipe: Recipe) -> Any:
    try:
        import wandb
    except ImportError as error:
        raise RecipeError("tracking.wandb is set, and the image has no wandb: add it to the image") from error
    os.environ["WANDB_BASE_URL"] = server
    return wandb.init(project=os.environ.get("TRAINING_JOB", "training"), config={"steps": recipe.steps})
