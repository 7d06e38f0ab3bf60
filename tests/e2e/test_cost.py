"""The price of our stacks through the real engine, with nothing running but moto."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from commands.cost import command as cost
from commands.stacks import settings_of
from localcloud.directories import PROJECT

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("stack", ["local", "dev", "prod"])
def test_every_resource_is_priced_and_the_budget_holds(stack: str, run_dir: Path) -> None:
    said = settings_of(stack)
    month = cost.price(stack, said)
    assert month.unpriced == {}
    assert month.unknown == []
    assert 0 < month.total.low <= month.total.expected < month.total.high
    assert month.total.expected * said.currency.usd_inr <= said.budget.monthly_inr
    assert {"network", "cluster", "pools", "lake", "keys", "audit"} <= set(month.components)


def test_the_same_commit_costs_the_same(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean = subprocess.run(
        ["git", "status", "--porcelain"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    cost.cost("local", "HEAD")
    said = capsys.readouterr().out
    if not clean.stdout:
        assert "Nothing costs more or less than in HEAD" in said
    assert (run_dir / "cost-local.html").read_text().startswith("<!doctype html>")
    assert (run_dir / "cost-local.json").exists()
    left = subprocess.run(
        ["git", "worktree", "list"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert "cost-" not in left.stdout
