"""`make promote`: the registry's program, told the stack's server and the key that the stack's file names."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from commands import promote as room
from commands.__main__ import main
from tests.workloads.tracking.gate import Gate, settings

pytestmark = pytest.mark.slow
GATE = Gate()
WORDS = ["promote", "--model", "fraud", "--version", "7", "--verdict", "verdict.json"]


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Gives the stack a registry of models, with these settings."""
    return lambda **tracking: monkeypatch.setattr(room, "settings_of", lambda stack: settings(**tracking))


@pytest.mark.parametrize("code", [0, 64])
def test_the_program_gets_the_stacks_key_and_its_code_is_the_commands(
    code: int, stack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack(verdictKey=GATE.public)
    ran: list[tuple[list[str], str, Path]] = []

    def run(words: list[Any], **how: Any) -> subprocess.CompletedProcess[str]:
        key = words[words.index("--key") + 1]
        ran.append(([*map(str, words)], Path(key).read_text(), how["cwd"]))
        return subprocess.CompletedProcess(words, code)

    monkeypatch.setattr(room, "environment", lambda requirements: requirements.parent / "bin" / "python")
    monkeypatch.setattr(room.subprocess, "run", run)
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(SystemExit) as ended:
            main([*WORDS, "--golden-set", "d" * 64, "--address", address])
    assert ended.value.code == code
    ((words, key, folder),) = ran
    assert words[0].endswith("workloads/tracking/bin/python")
    assert words[1:5] == ["-m", "registry", "--server", address]
    # The program runs in a folder of its own.
    verdict = str(tmp_path / "verdict.json")
    assert words[7:] == ["promote", "fraud", "7", "--verdict", verdict, "--golden-set", "d" * 64]
    assert (folder / "registry" / "__main__.py").exists()
    assert key.strip() == GATE.public.strip()


def test_what_is_missing_is_said_before_anything_is_run(
    stack: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*words: Any, **how: Any) -> Any:
        raise AssertionError(words)

    monkeypatch.setattr(room, "environment", never)

    def said(*words: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main([*words])
        assert ended.value.code == 1
        return " ".join(capsys.readouterr().out.split())

    assert "give all of MODEL=, VERSION= and VERDICT=" in said("promote", "--model", "fraud")
    assert "Pulumi.local.yaml has no registry of models: it asks for no workloads.tracking" in said(*WORDS)
    stack()
    assert "workloads.tracking.verdictKey is not set in Pulumi.local.yaml" in said(*WORDS)
    stack(verdictKey=GATE.public)
    monkeypatch.setattr(room.socket, "create_connection", _refused)
    answer = said(*WORDS)
    assert "kubectl -n tracking port-forward deploy/tracking 5000, in another shell" in answer


def _refused(*words: Any) -> Any:
    raise ConnectionRefusedError(111, "Connection refused")
