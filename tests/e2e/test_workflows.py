"""The workflows of GitHub as actionlint reads them; it is built for this test alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from localcloud.directories import PROJECT
from localcloud.toolchain import install

pytestmark = pytest.mark.e2e

FILES = sorted((PROJECT / ".github" / "workflows").glob("*.y*ml"))


@pytest.fixture(scope="module")
def actionlint() -> Path:
    return install.folder_of("actionlint", lambda done, total, what: None) / "actionlint"


def lint(actionlint: Path, file: Path) -> str:
    """What it says; a machine may lack the linters that it calls for scripts."""
    command = [actionlint, "-shellcheck=", "-pyflakes=", "-oneline", "-no-color", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == bool(done.stdout), done.stderr
    return done.stdout


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_workflow_is_sound(actionlint: Path, file: Path) -> None:
    assert lint(actionlint, file) == ""


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("timeout-minutes:", "timeout-minute:", 'unexpected key "timeout-minute"'),
        ("github.base_ref", "github.base_reference", 'property "base_reference" is not defined'),
        ("needs: review", "needs: reviews", 'job "reviews" which does not exist'),
    ],
)
def test_a_broken_workflow_is_refused(
    actionlint: Path, tmp_path: Path, right: str, wrong: str, said: str
) -> None:
    text = (PROJECT / ".github" / "workflows" / "pull-request.yml").read_text()
    assert right in text
    broken = tmp_path / "broken.yml"
    broken.write_text(text.replace(right, wrong))
    assert said in lint(actionlint, broken)
