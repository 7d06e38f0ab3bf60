"""Settings of the service of BentoML."""

from __future__ import annotations

from pydantic import Field

from infra.settings.fields import DnsLabel
from infra.settings.workloads.workload import Image, ReleasedModel, WorkloadSettings


class Bento(WorkloadSettings):
    """A classifier on CPUs, by BentoML."""

    name: DnsLabel = Field(default="classify", description="The service's name.")
    image: Image = Field(
        description="The image that workloads/bento/Dockerfile builds, such as "
        '"{registry}/india-ai-infra/bento:2026.11".'
    )
    model: ReleasedModel = Field(
        description="The folder of `model.onnx` in the lake's bucket `models`, such as released/intent."
    )
    replicas: int = Field(default=2, ge=1, description="Replicas of the service.")
    cpus: int = Field(default=2, ge=1, description="CPUs of each replica.")
    memory_gib: int = Field(default=4, ge=1, description="GiB of memory of each replica.")
