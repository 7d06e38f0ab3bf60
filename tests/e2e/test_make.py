"""The commands that a newcomer types, as they type them, and a `make up` that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from infra.pricing.rupees import format_inr
from localcloud.directories import PROJECT
from tests.e2e.newcomer import env, make, processes

__all__ = ["env"]
pytestmark = pytest.mark.e2e


def test_up_twice_then_everything_else_then_down(env: dict[str, str], tmp_path: Path) -> None:
    first = make("up", env)
    for expected in (
        "Cluster",
        "of the budget",
        "p5.48xlarge",
        "spot",
        "₹",
        "policies: no finding",
        "checked and kept, not carried out",
        "Try next",
        "running",
    ):
        assert expected in first, first
    second = make("up", env)
    assert "Nothing changed" in second
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
    state = tmp_path / "stack.json"
    export = f'eval "$(make -s env)" && pulumi stack export -s local --file {state}'
    subprocess.run(["bash", "-c", export], cwd=PROJECT, env=env, capture_output=True, check=True)
    assert "controls: 0 violations" in make(f"audit STATE={state} OUT={tmp_path / 'audit'}", env)
    assert (tmp_path / "audit" / "evidence.html").exists()
    _the_page_has_the_rupees_of_make_cost(env, tmp_path)
    said = make("down", env)
    assert "nothing is left behind" in said
    assert "moto" in said
    assert processes(env) == []


def _the_page_has_the_rupees_of_make_cost(env: dict[str, str], folder: Path) -> None:
    """What stands costs what `make cost` said before: the one reads the state, the other a preview."""
    make("cost", env)
    told = json.loads((Path(env["INDIA_AI_INFRA_RUN"]) / "cost-local.json").read_text())
    assert f"wrote {folder / 'page.html'}" in make(f"page OUT={folder / 'page.html'}", env)
    page = (folder / "page.html").read_text()
    for part in (told["totalInr"], *told["components"]):
        for figure in ("low", "expected", "high"):
            assert format_inr(part[figure]) in page, f"{part}: {figure}"


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
