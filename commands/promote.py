"""`make promote STACK=prod MODEL=fraud VERSION=7 VERDICT=verdict.json`: a version of a model into production.

It believes the gate alone whose public key the stack's file names: that file is reviewed, and whoever promotes does not
choose it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from commands.console import step
from commands.stacks import StackName, settings_of
from localcloud.environments import environment
from localcloud.toolchain.errors import ToolchainError
from workloads.registry import WORKLOADS
from workloads.workload import Promotion

CONNECT_SECONDS = 30


class PromotionError(ValueError):
    """Nothing can be promoted; the message says what is missing."""


ERRORS = (ToolchainError, PromotionError)


def promote(
    model: Annotated[str, typer.Option(help="its name in the registry")] = "",
    version: Annotated[int, typer.Option(help="which is to be in production")] = 0,
    verdict: Annotated[
        Path | None, typer.Option(help="verdict.json of the gate, with verdict.json.sig beside it")
    ] = None,
    stack: StackName = "local",
    golden_set: Annotated[str, typer.Option(help="its digest, where it is not the one of before")] = "",
    address: Annotated[str, typer.Option(help="where the stack's server answers")] = "",
) -> None:
    """Put a version of a model into production, on a verdict that the stack's gate signed."""
    if not (model and version and verdict):
        raise PromotionError("give all of MODEL=, VERSION= and VERDICT=, such as VERDICT=verdict.json")
    found = promotion_of(stack)
    if found.key is None:
        raise PromotionError(
            f"{found.key_setting} is not set in Pulumi.{stack}.yaml: give the public key of the gate, which "
            "`openssl pkey -in key.pem -pubout` prints"
        )
    server = address or f"http://127.0.0.1:{found.port}"
    _reach(server, found.forward)
    with step("Environment of the registry's program"):
        python = environment(found.requirements)
    words = [model, str(version), "--verdict", str(verdict.resolve()), "--golden-set", golden_set]
    with tempfile.TemporaryDirectory() as folder:
        (key := Path(folder) / "gate.pub").write_text(found.key)
        command = [python, "-m", found.module, "--server", server, "--key", key, "promote", *words]
        ended = subprocess.run(
            command, cwd=found.requirements.parent, env={**os.environ, "PYTHONWARNINGS": "ignore"}
        )
    if ended.returncode:
        raise typer.Exit(ended.returncode)


def promotion_of(stack: str) -> Promotion:
    """How a stack promotes.

    Raises:
        PromotionError: it has no registry of models.
    """
    chosen = settings_of(stack).workloads.chosen
    for each in WORKLOADS:
        if each.promotion and each.needs.name in chosen:
            return each.promotion(chosen[each.needs.name])
    able = " or ".join(f"workloads.{each.needs.name}" for each in WORKLOADS if each.promotion)
    raise PromotionError(f"Pulumi.{stack}.yaml has no registry of models: it asks for no {able}")


def _reach(server: str, forward: str) -> None:
    try:
        parts = urlsplit(server)
        port = parts.port or {"https": 443}.get(parts.scheme, 80)
        socket.create_connection((parts.hostname or "", port), CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise PromotionError(f"nothing answers at {server} ({error}): {forward}, in another shell") from error
