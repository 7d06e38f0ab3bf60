"""`make review` of a change, through the real engine: what it shows is what the change does, and where."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from localcloud.directories import PROJECT

pytestmark = pytest.mark.e2e

ABROAD = """
import pulumi
import pulumi_aws as aws

elsewhere = aws.Provider("elsewhere", region="us-east-1", access_key="local", secret_key="local")
aws.sqs.Queue("abroad", opts=pulumi.ResourceOptions(provider=elsewhere))
"""


@dataclass(frozen=True)
class Reviewed:
    code: int
    said: str
    folder: Path


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    return subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def own(folder: Path, **more: str) -> dict[str, str]:
    """A local cloud of the clone's own: its plugins are this clone's, and no other test's."""
    return {**os.environ, "INDIA_AI_INFRA_RUN": str(folder / ".localcloud"), **more}


def review(folder: Path, **environment: str) -> Reviewed:
    command = ["make", "-s", "review", "STACK=dev", "AGAINST=HEAD"]
    env = own(folder, **environment)
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=500, check=False
    )
    return Reviewed(done.returncode, done.stdout + done.stderr, folder / "review" / "dev")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """This project as it stands, as one commit of a repository of its own."""
    folder = tmp_path_factory.mktemp("clone")
    for name in git(PROJECT, "ls-files", "-co", "--exclude-standard").splitlines():
        if (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, folder / name)
    (folder / ".venv").symlink_to(PROJECT / ".venv")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "before")
    yield folder
    subprocess.run(["make", "-s", "down"], cwd=folder, env=own(folder), check=True, capture_output=True)


@pytest.fixture(scope="module")
def changed(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Reviewed:
    """A change that takes a pool away, adds a queue abroad, and is reviewed inside GitHub's CI."""
    file = clone / "Pulumi.dev.yaml"
    said = yaml.safe_load(file.read_text())
    said["config"]["india-ai-infra:aws"]["network"] = {"flowLogDays": 545}
    file.write_text(yaml.safe_dump(said))
    program = clone / "__main__.py"
    program.write_text(program.read_text() + ABROAD)
    summary = tmp_path_factory.mktemp("ci") / "summary.md"
    reviewed = review(clone, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))
    assert summary.exists(), reviewed.said
    assert (reviewed.folder / "summary.md").read_text() == summary.read_text()
    return reviewed


def test_a_change_that_breaks_a_policy_is_refused_with_its_line(changed: Reviewed) -> None:
    assert changed.code, changed.said
    line = len((PROJECT / "__main__.py").read_text().splitlines()) + 5
    assert f"::error file=__main__.py,line={line},title=DPDP-RES-02" in changed.said
    (run,) = json.loads((changed.folder / "findings.sarif").read_text())["runs"]
    places = {
        (result["ruleId"], place["physicalLocation"]["artifactLocation"]["uri"])
        for result in run["results"]
        for place in result["locations"]
    }
    assert ("DPDP-RES-02", "__main__.py") in places


def test_the_comment_shows_resources_rupees_and_policies(changed: Reviewed) -> None:
    comment = (changed.folder / "comment.md").read_text()
    assert "2 new, 2 changed, 0 gone, of " in comment
    for words in ("abroad", "elsewhere", "retentionInDays", "₹ a month", "DPDP-RES-02", "(high)"):
        assert words in comment, comment
    assert "0 mended" in comment


def test_a_change_that_does_nothing_is_shown_as_none(changed: Reviewed, clone: Path) -> None:
    git(clone, "commit", "-qam", "the change")
    reviewed = review(clone)
    assert reviewed.code, "what was broken before is not mended by looking away"
    comment = (reviewed.folder / "comment.md").read_text()
    assert "0 new, 0 changed, 0 gone" in comment
    assert "no difference" in comment
    assert ", 0 new, 0 mended" in comment


def test_a_branch_that_is_not_there_is_named(clone: Path) -> None:
    command = ["make", "-s", "review", "STACK=dev", "AGAINST=nowhere"]
    done = subprocess.run(
        command, cwd=clone, env=own(clone), capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode
    assert "nowhere" in done.stdout and "Traceback" not in done.stdout + done.stderr
