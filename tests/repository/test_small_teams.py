"""The rupees of docs/small-teams.md are those of the catalogue and the advice, or near them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import pytest

from infra.advice.fit import AdviceRequest, Plan, best_plans
from infra.advice.model import known_or_scaled
from infra.catalog.machines import machines
from infra.settings.purchase import Market

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[2] / "docs" / "small-teams.md").read_text()
USD_INR = 94.96
# Prices of spot move every day: the page is about sizes.
NEAR = 0.25
ROW = re.compile(r"^\| (\w+), (spot|on-demand) \|(.+)\|$", re.MULTILINE)


def plan(gpu: str, purchase: str) -> Plan:
    shape = known_or_scaled("Qwen3-8B")
    asked = AdviceRequest("serve", shape, "int8", "full", 4096, 16, cast(Market, purchase))
    return next(one for one in best_plans(asked) if one.host.gpu.name == gpu)


def figures(gpu: str, purchase: str) -> list[float]:
    """What a row says, from prices and formulas of today."""
    found = plan(gpu, purchase)
    assert found.usd_hour
    assert found.usd_million
    million = found.usd_million * USD_INR
    return [found.usd_hour * USD_INR, found.tokens_s, million, million * 4, million * 20]


@pytest.mark.parametrize(("gpu", "purchase", "said"), ROW.findall(PAGE))
def test_a_row_is_near_todays_prices(gpu: str, purchase: str, said: str) -> None:
    written = [float(cell) for cell in said.split("|")]
    today = figures(gpu, purchase)
    assert written == pytest.approx(today, rel=NEAR), (
        f"docs/small-teams.md: write this row anew: {', '.join(f'{one:.3g}' for one in today)}"
    )


def test_there_are_rows() -> None:
    assert len(ROW.findall(PAGE)) == 6


def test_a_requests_price_is_that_of_its_rate() -> None:
    machine = next(one for one in machines("ap-south-1") if one.machine_type == "m6a.xlarge")
    assert machine.on_demand_usd
    hour = machine.on_demand_usd * USD_INR * 2 / machine.vcpus
    rates = re.search(r"answered (\d+) \(BentoML\) and (\d+) \(Ray Serve\)", PAGE)
    prices = re.search(r"₹([\d.]+) an hour, that is at most ₹(\d+) and ₹(\d+) a million", PAGE)
    assert rates
    assert prices
    assert float(prices[1]) == pytest.approx(hour, rel=NEAR)
    for rate, price in zip(rates.groups(), prices.groups()[1:], strict=True):
        assert float(price) == pytest.approx(hour / (float(rate) * 3600) * 1e6, rel=NEAR)
