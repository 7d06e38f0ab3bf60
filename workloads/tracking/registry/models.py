"""Models on an MLflow server: registered, promoted, rolled back.

Promotions of `fraud` are versions of the model `fraud.promotions`: the server numbers those, so writers need no lock,
and what is in production follows from them (stages.py). The aliases that MLflow shows are set from that, again by
whoever comes next where a writer died before it did.
"""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

import requests
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException, RestException
from mlflow.version import VERSION
from packaging.version import InvalidVersion, Version

from . import verdicts
from .errors import RegistryError
from .stages import STAGES, Change, History, history, stages

PROMOTIONS = ".promotions"
TIMEOUT_SECONDS = 30
PAGE = 1000


class Registry:
    """The registry of one server.

    Every method raises RegistryError, with one message, where it can't do what is asked.
    """

    def __init__(self, server: str) -> None:
        self._server = server.rstrip("/")
        self._check_server()
        self.client = MlflowClient(tracking_uri=self._server, registry_uri=self._server)

    def _check_server(self) -> None:
        try:
            answer = requests.get(f"{self._server}/version", timeout=TIMEOUT_SECONDS)
            answer.raise_for_status()
            theirs = Version(answer.text)
        except (requests.RequestException, InvalidVersion) as error:
            raise RegistryError(
                f"{self._server} is no MLflow server that answers ({error}): give its address as --server or "
                "MLFLOW_TRACKING_URI"
            ) from error
        if theirs > Version(VERSION):
            raise RegistryError(
                f"{self._server} is MLflow {theirs}, and this program has {VERSION}: run it in the image of the server"
            )

    def register(self, name: str, source: str, digest: str, tags: Mapping[str, str], run: str | None) -> int:
        """The version of the model whose files have this digest: the one that is there, or a new one."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) or name.endswith(PROMOTIONS):
            raise RegistryError(
                f"{name!r} is no name of a model: letters, digits, `-`, `_` and `.`, not ending in {PROMOTIONS}"
            )
        if run:
            with self._calls():
                self.client.get_run(run)
        self._make(name)
        for version in self.versions(name):
            if version.tags.get("digest") == digest:
                self._refuse_other_origin(version, tags)
                self.settle(name)
                return int(version.version)
        number = self._append(name, source, {"digest": digest, **tags}, run)
        self.settle(name)
        return number

    def promote(self, name: str, version: int, verdict: verdicts.Verdict) -> History:
        """Puts the version into production, on a verdict that lets it replace what is there now."""
        model = self._version(name, version)
        now = history(self.changes(name))
        if now.production == version:
            self.settle(name)
            return now
        there = self._version(name, now.production).tags.get("digest", "") if now.production else ""
        verdicts.check(verdict, version, model.tags.get("digest", ""), now.production, there)
        return self._change(
            name, Change(0, "promote", version, now.production, verdict=verdict.digest), model.source
        )

    def roll_back(self, name: str) -> History:
        """Puts back what was in production before."""
        with self._calls():
            self.client.get_registered_model(name)
        now = history(self.changes(name))
        if not now.previous:
            raise RegistryError(f"{name} has no version to go back to: none was in production before")
        before = self._version(name, now.previous)
        return self._change(name, Change(0, "rollback", now.previous, now.production), before.source)

    def deployed(self, name: str, version: int, place: str) -> None:
        """Notes that the version is served at `place`, from now on."""
        if not re.fullmatch(r"[A-Za-z0-9._/-]{1,200}", place):
            raise RegistryError(
                f"--at {place!r} is no place: write stack/namespace/name, such as prod/serving/serve"
            )
        self._version(name, version)
        with self._calls():
            self.client.set_model_version_tag(name, str(version), f"deployed.{place}", _now())

    def settle(self, name: str) -> History:
        """Sets the aliases to what follows from the changes, until no other writer has added one meanwhile."""
        while True:
            now = history(self.changes(name))
            wanted = stages([int(version.version) for version in self.versions(name)], now)
            with self._calls():
                there = self.client.get_registered_model(name).aliases
                wrong = [stage for stage in STAGES if str(wanted.get(stage, "")) != str(there.get(stage, ""))]
                for stage in wrong:
                    if stage in wanted:
                        self.client.set_registered_model_alias(name, stage, str(wanted[stage]))
                    else:
                        self.client.delete_registered_model_alias(name, stage)
            if not wrong:
                return now

    def versions(self, name: str) -> list[ModelVersion]:
        """Every version, the oldest first."""
        with self._calls():
            page = self.client.search_model_versions(f"name = '{name}'", max_results=PAGE)
            found = [*page]
            while page.token:
                page = self.client.search_model_versions(f"name = '{name}'", PAGE, page_token=page.token)
                found += page
        return sorted(found, key=lambda version: int(version.version))

    def changes(self, name: str) -> list[Change]:
        """All promotions and rollbacks, also those that were refused."""
        return [
            Change(
                number=int(found.version),
                action=found.tags["action"],
                version=int(found.tags["version"]),
                expects=int(found.tags["expects"]),
                by=found.tags["by"],
                at=found.tags["at"],
                verdict=found.tags["verdict"],
            )
            for found in self.versions(name + PROMOTIONS)
        ]

    def _change(self, name: str, change: Change, source: str) -> History:
        self._make(name + PROMOTIONS)
        tags = {
            "action": change.action,
            "version": str(change.version),
            "expects": str(change.expects),
            "by": _who(),
            "at": _now(),
            "verdict": change.verdict,
        }
        number = self._append(name + PROMOTIONS, source, tags, None)
        now = self.settle(name)
        if number in now.refused:
            raise RegistryError(
                f"another writer changed {name} meanwhile: version {now.production} is in production, not "
                f"{change.expects or 'none'}; look at it, and decide again"
            )
        return now

    def _append(self, name: str, source: str, tags: Mapping[str, str], run: str | None) -> int:
        # Where another writer took the number that the server had in mind, it takes the next.
        with self._calls():
            return int(self.client.create_model_version(name, source, run, tags=dict(tags)).version)

    def _make(self, name: str) -> None:
        with self._calls(unless="RESOURCE_ALREADY_EXISTS"):
            self.client.create_registered_model(name)

    def _version(self, name: str, version: int) -> ModelVersion:
        with self._calls():
            self.client.get_registered_model(name)
        have = {int(found.version): found for found in self.versions(name)}
        if version not in have:
            raise RegistryError(
                f"{name} has no version {version}: it has {', '.join(map(str, have)) or 'none'}"
            )
        return have[version]

    def _refuse_other_origin(self, version: ModelVersion, tags: Mapping[str, str]) -> None:
        other = {key: version.tags.get(key) for key in tags if version.tags.get(key) != tags[key]}
        if other:
            raise RegistryError(
                f"version {version.version} of {version.name} has the same files, and says {other}: the same model "
                "of other origins is two truths; register it with those, or as another model"
            )

    @contextmanager
    def _calls(self, unless: str = "") -> Iterator[None]:
        """RegistryError for whatever MLflow refuses, but for the error code `unless`, and where it does not answer."""
        try:
            yield
        except RestException as error:
            if error.error_code != unless:
                raise RegistryError(f"MLflow refuses it: {error.message.splitlines()[0]}") from error
        except MlflowException as error:
            why = str(error).splitlines()[0][:200]
            raise RegistryError(
                f"{self._server} does not answer ({why}): run the same again when it does"
            ) from error


def _who() -> str:
    return os.environ.get("REGISTRY_WRITER") or getpass.getuser()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
