"""Environments in the user's cache: whole or not there, and named by their pins."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from localcloud import environments
from localcloud.environments import environment, environment_home
from localcloud.toolchain.errors import ToolchainError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write(folder: Path, text: str) -> Path:
    requirements = folder / "requirements.txt"
    requirements.write_text(text)
    return requirements


def test_other_pins_are_another_environment(tmp_path: Path) -> None:
    first = environment_home(write(tmp_path, "six==1.17.0\n"))
    assert environment_home(write(tmp_path, "six==1.17.0\n")) == first
    assert environment_home(write(tmp_path, "six==1.16.0\n")) != first


def test_a_build_that_fails_leaves_nothing_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requirements = write(tmp_path, "six==1.17.0\n")

    def fail(*arguments: str) -> None:
        if arguments[0] == "pip":
            raise ToolchainError("no such package")
        Path(arguments[-1], "bin").mkdir(parents=True)

    monkeypatch.setattr(environments, "_uv", fail)
    with pytest.raises(ToolchainError, match="no such package"):
        environment(requirements)
    assert not environment_home(requirements).exists()


@pytest.mark.slow
def test_the_interpreter_has_the_requirements_and_is_built_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requirements = write(tmp_path, "six==1.17.0\n")
    python = environment(requirements)
    show = [python, "-c", "import six, sys; print(six.__version__, sys.prefix)"]
    version, prefix = subprocess.run(show, check=True, capture_output=True, text=True).stdout.split()
    assert (version, Path(prefix)) == ("1.17.0", environment_home(requirements))

    def refuse(*_arguments: str) -> None:
        raise AssertionError("was built again")

    monkeypatch.setattr(environments, "_uv", refuse)
    assert environment(requirements) == python
