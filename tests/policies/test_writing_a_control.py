"""The example of docs/writing-a-control.md, done as the page says in a copy of this repository."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "writing-a-control.md").read_text()
COPIED = (
    "infra",
    "policies",
    "tests/policies",
    "tests/browser.py",
    "tests/examples.py",
    "docs",
    "pyproject.toml",
)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy with the files of the page in it: a block says in its first line where it goes."""
    for name in COPIED:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, tmp_path / name)
    blocks = re.findall(r"```\w+\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 3
    for path, text in blocks:
        file = tmp_path / path
        file.write_text(file.read_text() + text if file.exists() else text)
    return tmp_path


def _run(folder: Path, command: Sequence[str]) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    return done.returncode, done.stdout + done.stderr


def test_the_example_is_a_control(clone: Path) -> None:
    commands = re.findall(r"^ {4}\.venv/bin/python (.+)$", PAGE, re.MULTILINE)
    generate, rows, generated = (shlex.split(command) for command in commands)
    assert _run(clone, generate)[0] == 0
    assert "lets no tag move" in (clone / "docs" / "policies" / "dpdp-acc-08.md").read_text()
    assert "dpdp-acc-08-tags-of-images-stay" in (clone / "policies" / "policy-config.schema.json").read_text()
    for tests in (rows, generated):
        code, said = _run(clone, tests)
        assert code == 0, said[-3000:]

    control = clone / "policies" / "controls" / "access" / "acc_08_image_tags.py"
    control.write_text(control.read_text().replace('one_of("IMMUTABLE")', 'one_of("IMMUTABLE", "MUTABLE")'))
    code, said = _run(clone, rows)
    assert code == 1
    assert "passed in silence" in said
