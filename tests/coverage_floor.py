"""The floor of the coverage only rises: a run that measures less fails, and so does one that measures a point more."""

from __future__ import annotations

import io
import sys
import tomllib
from pathlib import Path

import coverage

PROJECT = Path(__file__).parents[1]


def floor(pyproject: Path) -> float:
    return float(tomllib.loads(pyproject.read_text())["tool"]["coverage"]["report"]["fail_under"])


def verdict(measured: float, wanted: float) -> str | None:
    """What is wrong with a measurement, or None."""
    if measured < wanted:
        return f"{measured:.1f} per cent of the lines are run by a test, {wanted:g} were: what is new has no test"
    if measured >= wanted + 1:
        return (
            f"{measured:.1f} per cent of the lines are run by a test: "
            f"write fail_under = {int(measured)} into pyproject.toml, where it is {wanted:g}"
        )
    return None


def main() -> None:
    data = coverage.Coverage(config_file=str(PROJECT / "pyproject.toml"))
    data.load()
    measured = data.report(file=io.StringIO())
    if wrong := verdict(measured, floor(PROJECT / "pyproject.toml")):
        sys.exit(wrong)
    print(f"{measured:.1f} per cent of the lines are run by a test")


if __name__ == "__main__":
    main()
