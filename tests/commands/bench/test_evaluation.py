"""The bench of golden sets: what it shows, and what it says when its program fails."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from commands.bench import evaluation
from commands.bench.program import BenchProgramError

NUMBERS = {"cases": 200, "connections": 8, "rounds": 3, "rows": [{"ms": 50, "bare": 2.0, "gate": 2.2}]}


def test_a_time_of_the_server_is_a_row_of_rates_and_their_ratio() -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(evaluation.table(NUMBERS))
    shown = console.export_text()
    assert "200 cases, 8 at once" in shown
    (row,) = [line for line in shown.splitlines() if line.strip().startswith("50")]
    assert row.split() == ["50", "100.0", "90.9", "1.10", "×"]


@pytest.mark.slow
def test_a_program_that_fails_says_how(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (python := tmp_path / "python").write_text("#!/bin/sh\necho no inspect >&2\nexit 3\n")
    python.chmod(0o755)
    monkeypatch.setattr(evaluation, "environment", lambda _: python)
    with pytest.raises(BenchProgramError, match="no inspect"):
        evaluation.run()
