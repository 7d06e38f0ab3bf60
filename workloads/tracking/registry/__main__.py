"""python -m registry COMMAND …. It prints JSON.

The server is in MLFLOW_TRACKING_URI or --server, the gate's public key in REGISTRY_VERDICT_KEY or --key.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

# A server that is away is told in a minute, not after seven retries. Before MLflow is imported, which reads them.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")

from . import exports, lineage, origin, page, signatures, verdicts
from .errors import RegistryError
from .models import Registry
from .stages import History, stages

REFUSED = 64


def main(arguments: list[str]) -> int:
    """Does what is asked; the exit code."""
    given = _parser().parse_args(arguments)
    try:
        if not given.server:
            raise RegistryError("no server: give its address as --server or MLFLOW_TRACKING_URI")
        given.keys = signatures.read(given.key)
        print(json.dumps(given.do(Registry(given.server, given.keys), given), indent=1, ensure_ascii=False))
    except RegistryError as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED
    return 0


def _register(registry: Registry, given: argparse.Namespace) -> dict[str, Any]:
    if not given.folder.startswith(("s3://", "gs://")):
        raise RegistryError(f"{given.folder} is no folder of the lake: s3://… or gs://…")
    named = {name: getattr(given, name.replace("-", "_")) for name in origin.PATTERNS}
    tags = origin.tags(named, given.recipe)
    folder = given.folder.rstrip("/")
    digest = exports.digest(folder)
    version = registry.register(given.model, folder, digest, tags, given.run)
    return {"model": given.model, "version": version, "digest": digest}


def _promote(registry: Registry, given: argparse.Namespace) -> dict[str, Any]:
    verdict = verdicts.read(given.verdict, given.keys)
    now = registry.promote(given.model, given.version, verdict, given.golden_set)
    return _stages(registry, given, now)


def _roll_back(registry: Registry, given: argparse.Namespace) -> dict[str, Any]:
    return _stages(registry, given, registry.roll_back(given.model))


def _settle(registry: Registry, given: argparse.Namespace) -> dict[str, Any]:
    return _stages(registry, given, registry.settle(given.model))


def _deployed(registry: Registry, given: argparse.Namespace) -> dict[str, Any]:
    registry.deployed(given.model, given.version, given.at)
    return {"model": given.model, "version": given.version, "at": given.at}


def _lineage(registry: Registry, given: argparse.Namespace) -> dict[str, Any]:
    found = lineage.of(registry, given.model)
    if given.html:
        try:
            given.html.write_text(page.render(found))
        except OSError as error:
            raise RegistryError(f"--html {given.html} can't be written: {error.strerror}") from error
    return found


def _stages(registry: Registry, given: argparse.Namespace, now: History) -> dict[str, Any]:
    versions = [int(version.version) for version in registry.versions(given.model)]
    return {"model": given.model, "stages": stages(versions, now)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="registry", description=__doc__)
    parser.add_argument("--server", default=os.environ.get("MLFLOW_TRACKING_URI", ""), help="of MLflow")
    own = os.environ.get("REGISTRY_VERDICT_KEY", "")
    parser.add_argument("--key", default=own, help="PEM: whoever signs the verdicts that count")
    commands = parser.add_subparsers(required=True)

    def command(name: str, do: Any, help_text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help_text)
        made.set_defaults(do=do)
        made.add_argument("model", help="its name in the registry")
        return made

    register = command("register", _register, "a model that was exported: it is the candidate then")
    register.add_argument("folder", help="of `trainer.export --to`: s3://… or gs://…")
    for name, (_, allowed) in origin.PATTERNS.items():
        register.add_argument(f"--{name}", required=True, help=allowed)
    register.add_argument("--recipe", type=Path, required=True, help="the file that it was trained by")
    register.add_argument("--run", help="the ID of its run in MLflow")
    promote = command("promote", _promote, "a version into production")
    promote.add_argument("version", type=int)
    promote.add_argument("--verdict", type=Path, required=True, help="verdict.json, its .sig beside it")
    promote.add_argument("--golden-set", default="", help="the digest that it is by, if not the one before")
    command("rollback", _roll_back, "to what was in production before")
    command("settle", _settle, "set the aliases again, after a writer died")
    deployed = command("deployed", _deployed, "note where a version is served")
    deployed.add_argument("version", type=int)
    deployed.add_argument("--at", required=True, help="stack/namespace/name")
    of = command("lineage", _lineage, "data, run, version, deployment")
    of.add_argument("--html", type=Path, help="write the page too")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
