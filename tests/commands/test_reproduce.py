"""`make reproduce`: which program makes the run again, with which environment, and how it ends."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from commands import reproduce as room
from commands.__main__ import main
from localcloud.directories import PROJECT


@pytest.mark.slow
@pytest.mark.parametrize(("given", "handed"), [(["ANYWAY=1"], True), ([], False), (["ANYWAY="], False)])
def test_make_hands_on_whether_to_make_it_again_anyway(given: list[str], handed: bool) -> None:
    words = ["make", "-n", "reproduce", "RUN=s3://lake/jobs/train", *given]
    ran = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=True)
    (line,) = (line for line in ran.stdout.splitlines() if "reproduce" in line)
    assert ("--anyway" in line.split()) == handed


@pytest.mark.parametrize("code", [0, 1, 64])
def test_the_trainer_makes_it_again_and_its_code_is_the_commands(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[list[str], dict[str, Any]]] = []

    def run(words: list[str], **how: Any) -> subprocess.CompletedProcess[str]:
        ran.append((words, how))
        return subprocess.CompletedProcess(words, code)

    monkeypatch.setattr(room, "environment", lambda requirements: requirements.parent / "bin" / "python")
    monkeypatch.setattr(room.subprocess, "run", run)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    with pytest.raises(SystemExit) as ended:
        main(["reproduce", "--run", "s3://lake/jobs/train", "--data", "data", "--anyway"])
    assert ended.value.code == code
    ((words, how),) = ran
    assert words[0].endswith("workloads/training/bin/python")
    assert words[1:4] == ["-m", "trainer.reproduce", "s3://lake/jobs/train"]
    assert words[4] == "--dvc"
    assert words[5].endswith("commands/dvc/bin/dvc")
    # The program runs in a folder of its own.
    assert words[6:] == ["--data", str(tmp_path / "data"), "--anyway"]
    assert (how["cwd"] / "trainer" / "reproduce.py").exists()
