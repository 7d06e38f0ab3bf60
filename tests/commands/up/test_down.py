"""`make down` ends its own stack, and leaves the local cloud to another that is still on it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from commands.up import command
from infra.stacks import StackFileError
from localcloud import cloud


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A local cloud that seems to run, with no stack on it; what `make down` destroyed and stopped, in order."""
    monkeypatch.setenv("INDIA_AI_INFRA_RUN", str(tmp_path))
    done: list[str] = []

    def opened(stack: str) -> Any:
        def destroy(**_: Any) -> Any:
            done.append(f"destroyed {stack}")
            write(tmp_path, stack, [])
            return SimpleNamespace(failed=False)

        return SimpleNamespace(unprotect=lambda: 0, resources=list, destroy=destroy)

    monkeypatch.setattr(cloud, "aws_endpoint", lambda: "http://127.0.0.1:1")
    monkeypatch.setattr(cloud, "dead_processes", lambda: None)
    monkeypatch.setattr(cloud, "stop", lambda: done.append("stopped") or ["moto"])
    monkeypatch.setattr(command, "open_stack", opened)
    monkeypatch.setattr(command, "leftovers", lambda _: [])
    return done


def write(run: Path, stack: str, resources: list[dict[str, str]]) -> None:
    """A state file as the engine writes them."""
    file = run / "state" / ".pulumi" / "stacks" / "india-ai-infra" / f"{stack}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    latest = {"resources": resources} if resources else {}
    file.write_text(json.dumps({"version": 3, "checkpoint": {"stack": stack, "latest": latest}}))


def test_the_last_stack_takes_the_cloud_with_it(stopped: list[str], tmp_path: Path) -> None:
    write(tmp_path, "local", [{"urn": "a"}])
    write(tmp_path, "prod", [])  # of a preview alone
    command.down("local")
    assert stopped == ["destroyed local", "stopped"]


def test_another_stack_keeps_its_cloud(
    stopped: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "local", [{"urn": "a"}])
    command.down("dev")
    assert stopped == ["destroyed dev"]
    assert "runs on for stack local: `make down STACK=local`" in capsys.readouterr().out


def test_a_stack_that_nobody_knows_is_refused(stopped: list[str], tmp_path: Path) -> None:
    write(tmp_path, "local", [{"urn": "a"}])
    with pytest.raises(
        StackFileError, match="no stack locl; stacks are demo, dev, local, prod; the nearest is local"
    ):
        command.down("locl")
    assert stopped == []


def test_a_stack_whose_file_went_first_can_go_too(stopped: list[str], tmp_path: Path) -> None:
    write(tmp_path, "gone", [{"urn": "a"}])
    command.down("gone")
    assert stopped == ["destroyed gone", "stopped"]


def test_a_cloud_that_began_anew_runs_on_for_nobody(
    stopped: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "local", [{"urn": "a"}])
    opened = command.open_stack

    def begun_anew(stack: str) -> Any:
        write(tmp_path, "local", [])  # what stopping the cloud does to every state file
        return opened(stack)

    monkeypatch.setattr(command, "open_stack", begun_anew)
    command.down("dev")
    assert stopped == ["destroyed dev", "stopped"]
