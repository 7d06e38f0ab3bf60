"""`make choose` and `make advise` say which rate of the dollar they assume, and whether it is to be trusted."""

from __future__ import annotations

from datetime import date

import pytest
from typer.testing import CliRunner

from commands.advise import command
from commands.app import app
from infra.settings.money import Currency

CHOOSE = ("choose", "--gpu", "L4")
ADVISE = ("advise", "--model", "8b")


def last_line(*words: str) -> str:
    done = CliRunner().invoke(app(words[0]), words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output.strip().splitlines()[-1]


@pytest.mark.parametrize("words", [CHOOSE, ADVISE], ids=["choose", "advise"])
def test_the_stacks_rate_is_assumed_with_its_day(words: tuple[str, ...]) -> None:
    stack = command._currency()
    said = last_line(*words)
    assert said.startswith(
        f"₹{stack.usd_inr:g} to the dollar is assumed (Pulumi.local.yaml, of {stack.as_of})"
    )


@pytest.mark.parametrize("words", [CHOOSE, ADVISE], ids=["choose", "advise"])
def test_a_rate_that_is_old_is_doubted(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    old = Currency(usd_inr=83, as_of=date(2024, 1, 1))
    monkeypatch.setattr(command, "_currency", lambda: old)
    assert "(Pulumi.local.yaml, of 2024-01-01): the rate of ₹83 to the dollar is" in last_line(*words)


@pytest.mark.parametrize("words", [CHOOSE, ADVISE], ids=["choose", "advise"])
def test_a_rate_that_is_given_is_the_askers(words: tuple[str, ...]) -> None:
    assert last_line(*words, "--usd-inr", "100") == "₹100 to the dollar is assumed (USD_INR)"
