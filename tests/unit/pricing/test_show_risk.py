"""The table of what spot saves and risks."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from rich.console import Console

from infra.catalog import everywhere, risk
from infra.pricing.show_risk import show_risk
from infra.settings.pools import GooglePool, GpuPool

MUMBAI, GOOGLE = "ap-south-1", "asia-south1"


def row(region: str, pool: GpuPool) -> str:
    """The cells of a pool's row; empty without one."""
    console = Console(width=200, file=StringIO())
    show_risk([(region, pool)], console)
    found = [
        line for line in console.file.getvalue().splitlines() if line.strip().startswith(f"{pool.name} ")
    ]
    return re.sub(r"\s{2,}", " | ", found[0].strip()) if found else ""


def test_a_pool_says_what_spot_saves_and_what_a_reclaim_costs_it() -> None:
    chain = GpuPool(name="serve", gpu="L4", max_nodes=4, purchase=("spot", "on-demand"))
    assert row(MUMBAI, chain) == "serve | [spot, on-demand] | g6.4xlarge | 78% | >20% of nodes | over 0.22"
    slow = chain.model_copy(update={"hours_lost_per_reclaim": 10})
    assert row(MUMBAI, slow).endswith("over 2.2")


def test_nodes_of_a_fabric_lose_together() -> None:
    train = GpuPool(name="train", gpu="H100", gpus_per_node=8, fabric="efa", max_nodes=4)
    assert row(MUMBAI, train).endswith("5-10% of nodes | up to 0.42")


def test_what_is_not_known_is_said_to_be_so() -> None:
    google = GooglePool(name="google", gpu="L4", max_nodes=4)
    assert row(GOOGLE, google).endswith("unknown | unknown")


def test_pools_without_spot_have_no_row() -> None:
    assert not row(MUMBAI, GpuPool(name="sure", gpu="L4", max_nodes=1, purchase=("on-demand",)))


@pytest.mark.parametrize("machine", everywhere(), ids=lambda found: f"{found.region}-{found.machine_type}")
def test_no_figure_without_a_band(machine) -> None:
    hours = risk.hours_lost_a_month(machine, 1, 1)
    assert (hours is None) == (not machine.interruption_band)
    if machine.interruption_band == risk.WORST:
        assert hours == pytest.approx(0.223, abs=0.001), "of 20 %: no more is known"
