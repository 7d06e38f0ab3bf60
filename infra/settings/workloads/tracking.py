"""Settings of the tracking server."""

from __future__ import annotations

import re
from typing import Annotated

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
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


_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)
_VERDICT_KEY = "public keys of Ed25519 in PEM, as `openssl pkey -in key.pem -pubout` prints one"


def _verdict_key(text: str) -> str:
    if "PRIVATE KEY" in text:
        raise refuse(f"{_VERDICT_KEY}: a private key must never leave its machine", secret=True)
    try:
        keys = [load_pem_public_key(block.encode()) for block in _PEM.findall(text)]
    except (ValueError, UnsupportedAlgorithm):
        raise refuse(_VERDICT_KEY) from None
    if keys and all(isinstance(key, Ed25519PublicKey) for key in keys):
        return text
    raise refuse(_VERDICT_KEY)


VerdictKey = Annotated[str, Rule(_verdict_key, _VERDICT_KEY)]


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
    verdict_key: VerdictKey | None = Field(
        default=None,
        description="The public key of the gate whose verdicts `make promote` believes, the other half of "
        "`workloads.evaluation.signingSecret`; those that it had before may follow.",
    )
