"""The table of what spot saves and risks."""

from __future__ import annotations

import re
from io import StringIO
from math import log

import pytest
from rich.console import Console

from commands.choose.show_risk import show_risk
from infra.catalog import risk
from infra.catalog.choose import Asked, choose
from infra.catalog.machines import MONTH_HOURS
from infra.settings.google_pools import GooglePool
from infra.settings.pools import GpuPool

MUMBAI, GOOGLE = "ap-south-1", "asia-south1"


def row(region: str, pool: GpuPool) -> str:
    """The cells of a pool's row; empty without one."""
    text = StringIO()
    show_risk([(region, pool)], Console(width=200, file=text))
    found = [line for line in text.getvalue().splitlines() if line.strip().startswith(f"{pool.name} ")]
    return re.sub(r"\s{2,}", " | ", found[0].strip()) if found else ""


def test_a_pool_says_what_spot_saves_and_what_a_reclaim_costs_it() -> None:
    chain = GpuPool(name="serve", gpu="L4", max_nodes=4, purchase=("spot", "on-demand"))
    best = choose([MUMBAI], Asked.by(chain, "spot")).offers[0]
    known = best.machine.interruption
    assert known
    assert not risk.scarce(best.machine, best.zones)
    saves = f"{1 - best.usd / (best.machine.on_demand_usd or 0):.0%}"
    hours = -log(1 - risk.BANDS[known.band]) / risk.RUN_HOURS * MONTH_HOURS
    about = (
        f"serve | [spot, on-demand] | {best.machine.machine_type} | {saves} | {known.band} ({known.as_of})"
    )
    assert row(MUMBAI, chain) == f"{about} | {hours:.2g}"
    slow = chain.model_copy(update={"hours_lost_per_reclaim": 10})
    assert row(MUMBAI, slow).endswith(f" | {10 * hours:.2g}")


def test_nodes_of_a_fabric_lose_together() -> None:
    alone = GpuPool(name="train", gpu="H100", gpus_per_node=8, fabric="efa", max_nodes=1)
    four = alone.model_copy(update={"max_nodes": 4})
    lost = [float(row(MUMBAI, pool).rpartition(" ")[2]) for pool in (alone, four)]
    assert lost[1] == pytest.approx(4 * lost[0], rel=0.05)


def test_what_is_not_known_is_said_to_be_so() -> None:
    assert "| unknown |" in row(GOOGLE, GooglePool(name="google", gpu="L4", max_nodes=4))


def test_pools_without_spot_have_no_row() -> None:
    assert not row(MUMBAI, GpuPool(name="sure", gpu="L4", max_nodes=1, purchase=("on-demand",)))


def test_a_pool_that_newer_prices_would_move_is_named() -> None:
    def shown(**over: object) -> str:
        asked = {"gpu": "H100", "gpus_per_node": 8, "fabric": "efa", "max_nodes": 1, **over}
        text = StringIO()
        show_risk([(MUMBAI, GpuPool(name="stands", **asked))], Console(width=200, file=text))
        return text.getvalue()

    words = "stands: the zone where spot is cheapest. Write it as the pool's `zone`"
    assert words in shown()
    for settled in ({"zone": "aps1-az3"}, {"elastic": True}):
        assert words not in shown(**settled)
