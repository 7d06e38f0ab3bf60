"""The bench against another commit: what it times, and how it shows the ratio."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from commands.bench import against as bench_against
from localcloud.engine import EngineError


def test_ratio_is_this_change_over_the_other() -> None:
    console = Console(width=100, record=True)
    console.print(bench_against.table("prod", {"up": {"origin/main": 50.0, "this change": 55.0}}))
    text = console.export_text()
    assert "Stack prod" in text
    assert "1.10 ×" in text


@pytest.mark.slow
def test_a_command_that_fails_says_what_it_printed(tmp_path: Path) -> None:
    package = tmp_path / "commands"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text("import sys; print('no such stack'); sys.exit(3)")
    with pytest.raises(EngineError, match=r"up --stack prod .*\nno such stack"):
        bench_against._timed(["up", "--stack", "prod"], tmp_path, tmp_path / "run")
