"""What tests of features share: Feast's environment, a real Redis and PostgreSQL, and programs in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from commands.bench.features import servers
from localcloud.environments import environment
from tests.workloads.forks import Ended, Forks

FEATURES = Path(__file__).parents[3] / "workloads" / "features"
MODULES = ("changes", "generate", "history", "materialise", "online", "parity", "server", "__main__")


@dataclass(frozen=True)
class Store:
    """A project of its own, with a lake and definitions of its own, in servers that it shares."""

    forks: Forks
    variables: Mapping[str, str]
    lake: Path
    definitions: Path

    def run(self, *arguments: str, **variables: str) -> Ended:
        """A program of the pods."""
        return self.forks.main("programs.__main__", *arguments, env={**self.variables, **variables})

    def done(self, *arguments: str) -> dict[str, Any]:
        """What a program printed that had to end well."""
        ended = self.run(*arguments)
        assert ended.code == 0, ended.errors
        return json.loads(ended.output.splitlines()[-1])

    def script(self, text: str, *arguments: str) -> Any:
        """What a script prints, as JSON; it finds the store as programs do."""
        given = "".join(f"os.environ[{name!r}] = {value!r}\n" for name, value in self.variables.items())
        return self.forks.script(f"import os\n{given}{text}", *arguments)


@pytest.fixture(scope="session")
def python() -> Path:
    """The interpreter with Feast, and the servers' wheels."""
    return environment(FEATURES / "requirements-tests.txt")


@pytest.fixture(scope="session")
def shared(
    python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Forks, Mapping[str, str]]]:
    """A process that has imported Feast, and the variables of the servers."""
    with servers.redis(python) as socket, servers.postgres(python) as database:
        forks = Forks(
            python, FEATURES, [f"programs.{name}" for name in MODULES], tmp_path_factory.mktemp("forks")
        )
        try:
            yield forks, {**database, "FEATURES_REDIS": f"localhost:0,unix_socket_path={socket}"}
        finally:
            forks.close()


@pytest.fixture
def store(shared: tuple[Forks, Mapping[str, str]], tmp_path: Path, request: pytest.FixtureRequest) -> Store:
    """A store without anything but definitions: those of loan risk."""
    forks, servers_variables = shared
    definitions, lake = tmp_path / "definitions", tmp_path / "lake"
    definitions.mkdir()
    for file in (FEATURES / "definitions").glob("*.py"):
        (definitions / file.name).write_text(file.read_text())
    own = {
        "FEATURES_PROJECT": request.node.originalname,
        "FEATURES_DEFINITIONS": str(definitions),
        "FEATURES_LAKE": str(lake),
    }
    return Store(forks, {**servers_variables, **own}, lake, definitions)
