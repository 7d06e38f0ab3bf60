"""`make demo` as a user runs it: killed once and run again, then what its stages found, and its page.

test_training_survives.py has the test: two clouds that train at once on one machine would meet.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from commands import doctor
from commands.demo.command import DONE
from commands.demo.data import LAST, answers
from commands.demo.platform import STACK, Platform
from commands.demo.stages import STAGES
from localcloud import cloud
from localcloud.directories import PROJECT, run_dir
from localcloud.engine import Stack
from tests.e2e.waiting import wait

COMMAND = [sys.executable, "-m", "commands", "demo"]
SECONDS = 3600  # for what takes ten minutes on a machine with nothing else to do
Found = Mapping[str, Any]


def goes_round(environment: dict[str, str], folder: Path) -> None:
    """Runs it, and takes the stack down again, also where it failed: others come after it."""
    try:
        _run(environment, folder)
    finally:
        stack = Stack(STACK, environment, config_file=Platform().file)
        stack.unprotect()
        destroyed = stack.destroy()
    assert not destroyed.failed, "\n".join(destroyed.errors)
    assert list(doctor.leftovers(STACK)) == []


def _run(environment: dict[str, str], folder: Path) -> None:
    _killed(environment, folder / "first.log", f"2/{len(STAGES)} ")
    second = subprocess.run(
        COMMAND, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert second.returncode == 0, second.stdout[-3000:] + second.stderr[-3000:]
    assert f"1/{len(STAGES)} Data into the lake: done before" in second.stdout
    done = cloud.store().items(DONE)
    assert set(done) == {stage.name for stage in STAGES}
    _survived(done["train"])
    _better(done["serve"], done["promote"])
    _drifted(done["drift"])
    wait(_all_stand, SECONDS, "every Deployment of the stack")
    page = (run_dir() / "demo.html").read_text()
    assert all(f'id="{part}"' in page for part in ("train", "serve", "gate", "drift", "rupees", "policies"))
    assert "<polyline" in page and "https://" not in page
    # The pack over the stack with its secrets in the clear: one that it can't read is a violation.
    assert re.search(r"\b0 violations", page)


def _killed(environment: dict[str, str], log: Path, at: str) -> None:
    """Ends a run without a word, within the first step of a stage, before the engine is asked again."""
    with log.open("w") as out:
        ran = subprocess.Popen(
            COMMAND, cwd=PROJECT, env=environment, stdout=out, stderr=out, start_new_session=True
        )
        wait(lambda: at in log.read_text() or ran.poll() is not None, SECONDS, f"a run that prints {at}")
        assert ran.poll() is None, log.read_text()[-3000:]
        os.killpg(ran.pid, signal.SIGKILL)
        ran.wait()


def _all_stand() -> bool:
    found = Platform().api.list("apps/v1", "Deployment")
    return all(each["status"].get("readyReplicas", 0) == each["spec"]["replicas"] for each in found)


def _survived(train: Found) -> None:
    assert train["stopped"] and train["stopped"] == train["resumed"]
    losses = {int(step): loss for step, loss in train["losses"].items()}
    assert min(losses) < train["stopped"][0] < max(losses)
    assert losses[max(losses)] < losses[min(losses)] / 2


def _better(first: Found, second: Found) -> None:
    """The first model knew its answers alone; the second, which replaced it behind the gate, knows new ones too."""
    known, new = (
        {each["question"] for each in answers(LAST) if each["commit"] == commit} for commit in (1, LAST)
    )
    assert {each["question"] for each in second["answers"]} == known | new
    assert sum(each["right"] for each in first["answers"]) > len(known) / 2
    # As the gate saw it: nothing of what the model before answered is given for the new one's.
    right = {each["question"] for each in second["answers"] if each["right"]}
    assert new & right and len(right) == round(
        second["verdict"]["mean"]["candidate"] * len(second["answers"])
    )
    # `joined`: the answer was on its way into the cache still.
    assert {each["again"] for each in (*first["answers"], *second["answers"])} <= {"hit", "joined"}
    before, after = first["verdict"], second["verdict"]
    assert before["passed"] and before["mean"]["production"] is None
    assert after["passed"]
    assert before["mean"]["candidate"] == after["mean"]["production"] < after["mean"]["candidate"]


def _drifted(drift: Found) -> None:
    # That a training began by it is the stage after.
    assert any(each["drifted"] for each in drift["result"]["features"])
