"""The bench of compression: what it shows, and what it says when its program fails."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from commands.bench import compression
from commands.bench.program import BenchProgramError

NUMBERS = {
    "parameters": 20_700_000,
    "machine": "a machine",
    "methods": {"int8": {"layers": 0.25, "bytes": 0.264, "prompt": 0.82, "token": 1.5}},
}


def test_a_method_is_a_row_of_ratios() -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(compression.table(NUMBERS))
    shown = console.export_text()
    assert "20.7 million parameters, on a machine" in shown
    (row,) = [line for line in shown.splitlines() if line.strip().startswith("int8")]
    assert row.split() == ["int8", "0.25", "×", "0.26", "×", "0.82", "×", "1.50", "×"]


@pytest.mark.slow
def test_a_program_that_fails_says_how(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (python := tmp_path / "python").write_text("#!/bin/sh\necho no torch >&2\nexit 3\n")
    python.chmod(0o755)
    monkeypatch.setattr(compression, "environment", lambda _: python)
    with pytest.raises(BenchProgramError, match="no torch"):
        compression.run()
