"""Settings of the workloads: the jobs and servers on the GPU pools, a module each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from pydantic import Field
from pydantic.alias_generators import to_camel

from infra.settings.model import Model
from infra.settings.workloads.bento import Bento
from infra.settings.workloads.compression import Compression
from infra.settings.workloads.drift import Drift
from infra.settings.workloads.evaluation import Evaluation
from infra.settings.workloads.features import Features
from infra.settings.workloads.gateway import Gateway
from infra.settings.workloads.lakefs import Lakefs
from infra.settings.workloads.proof import Proof
from infra.settings.workloads.rayserve import Rayserve
from infra.settings.workloads.serving import Serving
from infra.settings.workloads.tracking import Tracking
from infra.settings.workloads.training import Training
from infra.settings.workloads.workload import WorkloadSettings


class Workloads(Model):
    """The jobs and servers on the GPU pools: a field for each workload of `workloads/registry.py`."""

    training: Training | None = Field(default=None, description="A distributed training job.")
    serving: Serving | None = Field(default=None, description="A model server.")
    gateway: Gateway | None = Field(
        default=None, description="One door to all models, with a response cache: docs/gateway.md."
    )
    proof: Proof | None = Field(
        default=None,
        description="Jobs that measure every pool with a fabric, and test the lake: docs/proof.md.",
    )
    compression: Compression | None = Field(
        default=None, description="A Job that makes a model smaller: docs/compression.md."
    )
    evaluation: Evaluation | None = Field(
        default=None, description="A golden set that a model must pass before its server is rolled out."
    )
    features: Features | None = Field(
        default=None, description="A feature store, by Feast: docs/features.md."
    )

    bento: Bento | None = Field(default=None, description="A classifier, by BentoML: docs/small-teams.md.")
    rayserve: Rayserve | None = Field(
        default=None, description="A classifier, by Ray Serve: docs/small-teams.md."
    )
    tracking: Tracking | None = Field(
        default=None, description="MLflow: runs, models and their stages: docs/tracking.md."
    )
    lakefs: Lakefs | None = Field(
        default=None, description="Branches of data in the lake, by lakeFS: docs/versions.md."
    )
    drift: Drift | None = Field(
        default=None, description="A watch over what a model is asked: docs/drift.md."
    )

    @property
    def chosen(self) -> dict[str, WorkloadSettings]:
        """Those that the stack asks for, by their field."""
        every = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: settings for name, settings in every.items() if settings is not None}


def kinds() -> Mapping[str, type[WorkloadSettings]]:
    """The model of each workload's settings, by their path (`workloads.training`)."""
    return {
        f"workloads.{to_camel(name)}": get_args(field.annotation)[0]
        for name, field in Workloads.model_fields.items()
    }


def path_of(kind: type[WorkloadSettings]) -> str:
    """Where a stack writes the settings of that model."""
    return next(path for path, model in kinds().items() if model is kind)
