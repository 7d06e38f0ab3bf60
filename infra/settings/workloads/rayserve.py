"""Settings of the service of Ray Serve."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator

from infra.settings.errors import refuse
from infra.settings.fields import DnsLabel
from infra.settings.workloads.workload import Image, ReleasedModel, WorkloadSettings


class Rayserve(WorkloadSettings):
    """A classifier on CPUs that grows with its requests, by Ray Serve on KubeRay."""

    name: DnsLabel = Field(default="classify", description="The service's name.")
    image: Image = Field(
        description="The image that workloads/rayserve/Dockerfile builds, such as "
        '"{registry}/india-ai-infra/rayserve:2026.11".'
    )
    model: ReleasedModel = Field(
        description="The folder of `model.onnx` in the lake's bucket `models`, such as released/intent."
    )
    workers: int = Field(default=2, ge=1, description="Pods of the Ray cluster that replicas run in.")
    cpus: int = Field(default=2, ge=1, description="CPUs of each worker: as many replicas fit in it.")
    memory_gib: int = Field(default=4, ge=2, description="GiB of memory of each worker.")
    min_replicas: int = Field(
        default=2,
        ge=1,
        description="The fewest replicas, with one CPU each. They grow to all CPUs of the workers.",
    )

    @field_validator("min_replicas")
    @classmethod
    def _fit_the_workers(cls, fewest: int, info: ValidationInfo) -> int:
        most = info.data.get("workers", fewest) * info.data.get("cpus", fewest)
        if fewest > most:
            raise refuse(f"at most the CPUs of the workers, {most}", near=str(most))
        return fewest
