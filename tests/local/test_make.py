"""The commands that a newcomer types, as they type them, and a `make up` that is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from localcloud.paths import PROJECT

pytestmark = pytest.mark.local


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {**os.environ, "INDIA_AI_INFRA_RUN": str(tmp_path_factory.mktemp("newcomer"))}


def make(target: str, env: dict[str, str], fails: bool = False) -> str:
    done = subprocess.run(
        ["make", "-s", *target.split()], cwd=PROJECT, env=env, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert (done.returncode != 0) == fails, said
    return said


def processes(env: dict[str, str]) -> list[str]:
    """Command lines of whatever runs out of this run directory."""
    folder = env["INDIA_AI_INFRA_RUN"]
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        words = process.info["cmdline"] or []
        if (
            any(folder in word for word in words)
            or (process.info["environ"] or {}).get("INDIA_AI_INFRA_RUN") == folder
        ):
            found.append(" ".join(words))
    return found


def test_up_twice_then_everything_else_then_down(env: dict[str, str]) -> None:
    first = make("up", env)
    for expected in ("Cluster", "p5.48xlarge", "spot", "₹", "policies: no finding", "Try next", "running"):
        assert expected in first, first
    began = time.monotonic()
    second = make("up", env)
    assert "Nothing changed" in second
    assert time.monotonic() - began < 60, "a second `make up` is a matter of seconds"
    assert "no change" in make("preview", env)
    assert "nothing is left behind" in make("doctor", env)
    shell = subprocess.run(
        ["bash", "-c", 'eval "$(make -s env)" && pulumi stack ls --json && kubectl get nodes'],
        cwd=PROJECT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shell.returncode == 0, shell.stderr
    assert '"name": "local"' in shell.stdout
    assert "Ready" in shell.stdout
    said = make("down", env)
    assert "nothing is left behind" in said
    assert "moto" in said
    assert processes(env) == []


@pytest.mark.parametrize("after", ["Preview", "Update"])
def test_a_killed_up_is_recovered_by_the_next(env: dict[str, str], after: str) -> None:
    with subprocess.Popen(
        ["make", "-s", "up"], cwd=PROJECT, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        _wait_for(child, after)
        os.killpg(child.pid, signal.SIGKILL)
    assert "Cluster" in make("up", env)
    assert "nothing is left behind" in make("doctor", env)


def _wait_for(child: subprocess.Popen[str], step: str) -> None:
    """Return while the step runs: after the line that ends the one before it, and a little more."""
    before = {"Preview": "Local cloud", "Update": "Preview"}[step]
    assert child.stdout
    for line in child.stdout:
        if before in line:
            break
    time.sleep(6)


def test_a_cloud_that_died_begins_anew(env: dict[str, str]) -> None:
    for process in psutil.process_iter(["cmdline", "environ"]):
        ours = (process.info["environ"] or {}).get("INDIA_AI_INFRA_RUN") == env["INDIA_AI_INFRA_RUN"]
        if ours and any("moto_server" in word for word in process.info["cmdline"] or []):
            process.kill()
    said = make("up", env)
    assert "begins anew: no longer running: moto" in said
    assert "Cluster" in said
    make("down", env)
    assert processes(env) == []


def test_every_make_command_of_the_docs_exists() -> None:
    pages = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("**/*.md"))]
    commands = {c for page in pages for c in re.findall(r"\bmake (?:-s )?([a-z-]+)\b", _code(page))}
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    assert {"up", "test", "down", "preview", "doctor", "bench", "env"} <= commands
    assert commands <= targets


def _code(page: Path) -> str:
    """Indented blocks and inline code of a page."""
    text = page.read_text()
    blocks = [line for line in text.splitlines() if line.startswith("    ")]
    return "\n".join([*blocks, *re.findall(r"`([^`]+)`", text)])
