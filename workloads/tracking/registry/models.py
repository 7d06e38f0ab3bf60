"""Models on an MLflow server: registered, promoted, rolled back.

Promotions of `fraud` are versions of the model `fraud.promotions`: the server numbers those, so writers need no lock,
and what is in production follows from them (stages.py). The aliases that MLflow shows are set from that, again by
whoever comes next where a writer died before it did. Whoever reaches the server can write a version of that model too:
each record keeps the gate's signed verdict, and is checked by it whenever it is read.
"""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import requests
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException, RestException
from mlflow.version import VERSION
from packaging.version import InvalidVersion, Version

from . import exports, records, verdicts
from .errors import RegistryError
from .signatures import Keys
from .stages import STAGES, Change, History, history, stages

PROMOTIONS = ".promotions"
TIMEOUT_SECONDS = 30
PAGE = 1000


class Registry:
    """The registry of one server. `keys`: of the gates whose verdicts count.

    Every method raises RegistryError, with one message, where it can't do what is asked.
    """

    def __init__(self, server: str, keys: Keys) -> None:
        self._server, self._keys = server.rstrip("/"), keys
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

    def promote(self, name: str, version: int, verdict: verdicts.Verdict, golden_set: str = "") -> History:
        """Puts the version into production, on a verdict that lets it replace what is there now.

        golden_set: the digest of the set that it must be by; unless given, that of the promotion before.
        """
        model = self._version(name, version)
        changes = self.changes(name)
        now = history(changes)
        if now.production == version:
            self.settle(name)
            return now
        there = self._version(name, now.production).tags.get("digest", "") if now.production else ""
        digest = model.tags.get("digest", "")
        verdicts.check(verdict, version, digest, now.production, there)
        verdicts.check_golden_set(verdict, _last_golden_set(changes, now), golden_set)
        self._refuse_used_elsewhere(name, verdict)
        if exports.digest(model.source) != digest:
            raise RegistryError(
                f"{model.source} is no longer what version {version} was registered with and the verdict is of: "
                "register it as a new version, and run the golden set on that"
            )
        return self._change(
            name, Change(0, "promote", version, now.production, verdict=verdict), model.source
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
        digests = {int(version.version): version.tags.get("digest", "") for version in self.versions(name)}
        found = [
            records.read(int(each.version), moment(each), each.tags, digests, self._keys)
            for each in self.versions(name + PROMOTIONS)
        ]
        # As with another key. Settled by that, all aliases would be taken away.
        if any(change.forged for change in found) and not history(found).production:
            raise RegistryError(
                f"by --key nothing of {name} is in production, and there are promotions: give the gate's public key, "
                f"with those that it had before; what nobody signed is a version of {name}{PROMOTIONS}, to be deleted"
            )
        return found

    def _change(self, name: str, change: Change, source: str) -> History:
        self._make(name + PROMOTIONS)
        number = self._append(name + PROMOTIONS, source, records.tags(change, _who(), _now()), None)
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

    def _refuse_used_elsewhere(self, name: str, verdict: verdicts.Verdict) -> None:
        """The same files may be two models, each with questions of its own."""
        with self._calls():
            used = self.client.search_model_versions(f"tags.`{verdicts.DIGEST_TAG}` = '{verdict.digest}'")
        promoted = {record.name for record in used if record.name.endswith(PROMOTIONS)}
        others = {each.removesuffix(PROMOTIONS) for each in promoted} - {name}
        if others:
            raise RegistryError(
                f"the verdict has promoted a version of {', '.join(sorted(others))}: run the golden set of {name} on it"
            )

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


def _last_golden_set(changes: Sequence[Change], now: History) -> verdicts.GoldenSet | None:
    """Which judged the promotion that counted last; None before the first."""
    counted = [change.verdict for change in changes if change.verdict and change.number not in now.refused]
    return counted[-1].golden_set if counted else None


def moment(version: ModelVersion) -> str:
    """When the server was told of it."""
    return datetime.fromtimestamp(version.creation_timestamp // 1000, UTC).isoformat()


def _who() -> str:
    return os.environ.get("REGISTRY_WRITER") or getpass.getuser()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
