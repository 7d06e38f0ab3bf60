"""Settings of the tracking server."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from infra.settings.errors import refuse
from infra.settings.fields import Rule
from infra.settings.workloads.workload import Image, InOneCloud


def _host(text: str) -> str:
    if re.fullmatch(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", text):
        return text
    raise refuse(_HOST)


_HOST = "a host name alone, such as mlflow.example.in: no scheme, port, path or *"
HostName = Annotated[str, Rule(_host, _HOST)]


class Tracking(InOneCloud):
    """MLflow: runs, the models that came of them, and which of those is in production."""

    image: Image = Field(
        description="The image that workloads/tracking/Dockerfile builds, such as "
        '"{registry}/india-ai-infra/tracking:2026.11".'
    )
    replicas: int = Field(default=2, ge=1, description="Replicas of the server.")
    workers: int = Field(default=2, ge=1, description="Processes of a replica, with 512 MiB each.")
    hosts: list[HostName] = Field(
        default=[],
        description="Names of your own by which browsers reach it over HTTPS, such as mlflow.example.in. "
        "Requests by any name but these and the Service's are refused.",
    )
