"""The workflow that refreshes the catalogue: what its jobs may do, and its scripts, run in bash on a repository."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / ".github/workflows/refresh-catalog.yml").read_text())
READ, PROPOSE = WORKFLOW["jobs"]["read"], WORKFLOW["jobs"]["propose"]
DATA = "infra/catalog/data"
GH = """#!/bin/sh
printf '%s\\n' "$*" >> "$SAID"
case "$1 $2" in
  "pr list") printf '%s' "$OPEN" ;;
  "pr create"|"pr edit") cat catalog/body.md >> "$SAID" ;;
esac
"""


def script(job: dict[str, Any], with_word: str) -> str:
    (found,) = (step["run"] for step in job["steps"] if with_word in step.get("run", ""))
    return found


def test_what_meets_the_feeds_may_not_write_and_what_may_write_runs_nothing_of_them() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert "permissions" not in READ
    assert PROPOSE["permissions"] == {"contents": "write", "pull-requests": "write"}
    for job in (READ, PROPOSE):
        for step in job["steps"]:
            if "actions/checkout@" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False
    for step in PROPOSE["steps"]:
        assert not re.search(r"\b(make|python|pip)\b(?! catalog` said)", step.get("run", ""))
        assert "${{" not in step.get("run", "")
    assert "secrets." not in (ROOT / ".github/workflows/refresh-catalog.yml").read_text()


def test_its_make_commands_exist() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    commands = [name for step in READ["steps"] for name in re.findall(r"make ([a-z-]+)", step.get("run", ""))]
    assert commands == ["catalog", "choose"]
    assert set(commands) <= set(targets)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository with a catalogue of one price and one rate, and an `origin` to push to."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gh").write_text(GH)
    (tmp_path / "bin" / "gh").chmod(0o755)
    made = tmp_path / "clone"
    (made / DATA).mkdir(parents=True)
    (made / DATA / "prices.csv").write_text("usd\n1\n")
    (made / DATA / "exchange_rates.csv").write_text("ECB\n")
    (made / "Makefile").write_text("all:\n")
    git(tmp_path, "init", "--quiet", "--bare", "origin")
    git(made, "init", "--quiet", "--initial-branch", "main")
    git(made, "remote", "add", "origin", str(tmp_path / "origin"))
    git(made, "add", ".")
    git(made, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "-m", "first")
    git(made, "push", "--quiet", "origin", "main")
    return made


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def run(folder: Path, text: str, **env: str) -> str:
    """What gh was asked for, and what the script wrote for GitHub."""
    said = folder.parent / "said"
    said.write_text("")
    env |= {
        "SAID": str(said),
        "GITHUB_OUTPUT": str(said),
        "PATH": f"{folder.parent / 'bin'}:{os.environ['PATH']}",
    }
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text]
    subprocess.run(command, cwd=folder, env=os.environ | env, check=True, capture_output=True)
    return said.read_text()


def test_nothing_new_is_no_change(clone: Path) -> None:
    (clone / "catalog").mkdir()
    assert run(clone, script(READ, "intent-to-add")) == ""


def test_a_new_price_and_a_new_table_are_in_the_patch_and_fbils_rate_is_not(clone: Path) -> None:
    (clone / "catalog").mkdir()
    (clone / DATA / "prices.csv").write_text("usd\n2\n")
    (clone / DATA / "feeds.csv").write_text("feed\nSpotLake\n")
    (clone / DATA / "exchange_rates.csv").write_text("FBIL\n")
    assert run(clone, script(READ, "intent-to-add")) == "changed=true\n"
    patch = (clone / "catalog" / "catalog.patch").read_text()
    assert "+SpotLake" in patch
    assert "+2" in patch
    assert "FBIL" not in patch


@pytest.mark.parametrize("pull", ["", "7"])
def test_the_patch_becomes_one_pull_request(clone: Path, pull: str) -> None:
    (clone / "catalog").mkdir()
    (clone / DATA / "prices.csv").write_text("usd\n2\n")
    (clone / DATA / "feeds.csv").write_text("feed\nSpotLake\n")
    run(clone, script(READ, "intent-to-add"))
    git(clone, "reset", "--quiet", "--hard")
    (clone / DATA / "feeds.csv").unlink(missing_ok=True)
    # A patch reaches no file but the tables.
    with (clone / "catalog" / "catalog.patch").open("a") as patch:
        patch.write(
            "diff --git a/Makefile b/Makefile\n--- a/Makefile\n+++ b/Makefile\n@@ -1 +1 @@\n-all:\n+evil:\n"
        )
    (clone / "catalog" / "said.txt").write_text("2 changed\n```\n@everybody\n")
    said = run(clone, script(PROPOSE, "gh auth"), OPEN=pull, BASE="main")
    assert ("pr edit 7 " in said) == bool(pull)
    assert ("pr create --head refresh-catalog --base main " in said) == (not pull)
    assert said.rstrip().endswith("@everybody\n```")
    assert said.count("```") == 2
    origin = clone.parent / "origin"
    assert git(origin, "show", f"refresh-catalog:{DATA}/prices.csv") == "usd\n2\n"
    assert git(origin, "show", f"refresh-catalog:{DATA}/feeds.csv") == "feed\nSpotLake\n"
    assert git(origin, "show", "refresh-catalog:Makefile") == "all:\n"
    assert (
        git(origin, "log", "--format=%s", "main..refresh-catalog") == "catalog: refresh from public feeds\n"
    )
