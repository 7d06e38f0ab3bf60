"""GPUs of other providers: shown beside AWS and Google, never chosen; old or broken rows are told."""

from __future__ import annotations

import ast
from datetime import date, timedelta
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from commands.choose.show_other_clouds import TITLE, burst_line, show_other_clouds
from infra import geography
from infra.catalog import other_clouds as module
from infra.catalog.choose import Asked, NoMachineError, choose
from infra.catalog.gpus import gpus
from infra.catalog.machines import machines
from infra.catalog.other_clouds import FILE, other_clouds, stale_elsewhere
from infra.catalog.tables import CatalogError

ROOT = Path(__file__).parents[3]
GPUS = sorted({row.gpu for row in other_clouds()})


@given(st.sampled_from(GPUS), st.sampled_from(["spot", "on-demand", "any"]), st.sampled_from([1, 4, 8]))
def test_no_offer_comes_from_another_provider(gpu: str, purchase: str, count: int) -> None:
    try:
        offers = choose(list(geography.REGIONS), Asked(gpu, gpus_per_node=count, purchase=purchase)).offers
    except NoMachineError as none:
        offers = ()
        assert none.rejected
    sources = {row.source for row in other_clouds()}
    for offer in offers:
        assert offer.machine.cloud in ("aws", "gcp")
        assert offer.machine in machines(offer.machine.region)
        assert not sources & {price.source for price in offer.quote.prices}


def test_only_what_shows_prices_reads_the_table() -> None:
    readers = {
        path.relative_to(ROOT).as_posix()
        for folder in ("commands", "infra", "policies", "localcloud", "workloads")
        for path in (ROOT / folder).rglob("*.py")
        if "other_clouds" in (text := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and node.module == "infra.catalog.other_clouds"
    }
    assert readers == {"commands/choose/show_other_clouds.py"}


def test_every_row_is_a_gpu_that_the_catalogue_knows_with_a_day_that_was() -> None:
    for row in other_clouds():
        assert row.gpu in gpus()
        assert row.as_of <= date.today()
        assert 1 < row.inr(90) < 2000
    after = [row for row in other_clouds() if row.subsidy == "after"]
    assert after and all(row.provider.startswith("IndiaAI") for row in after)


@given(st.floats(0, 200))
def test_memory_is_a_floor(least: float) -> None:
    assert all(row.gpu_memory_gb >= least for row in other_clouds(None, least))
    assert len(other_clouds(None, least)) == sum(row.gpu_memory_gb >= least for row in other_clouds())


def test_prices_grow_stale_after_ninety_days() -> None:
    newest, oldest = (end(row.as_of for row in other_clouds()) for end in (max, min))
    assert stale_elsewhere(oldest + timedelta(days=90)) is None
    assert (told := stale_elsewhere(newest + timedelta(days=91)))
    assert told.startswith(f"{len(other_clouds())} of {len(other_clouds())} prices") and str(oldest) in told


HEADER = "provider,gpu,gpu_memory_gb,form,gpus,currency,gpu_hour,months,subsidy,place,basis,as_of,source"
GOOD = "A,H100,80,SXM,1,INR,100,0,none,Pune,unverified,2026-08-01,a page"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (GOOD.replace(",100,", ",-3,"), rf"{FILE}:3: gpu_hour is '-3'"),
        (GOOD.replace("INR", "EUR"), rf"{FILE}:3: currency is 'EUR'"),
        (GOOD.replace("none", "maybe"), rf"{FILE}:3: subsidy is 'maybe'"),
        (GOOD.replace("2026-08-01", "2026"), rf"{FILE}:3: as_of is '2026'"),
        (GOOD.replace("a page", ""), rf"{FILE}:3: source is ''"),
        (GOOD, rf"{FILE}:3: A H100 80 GB SXM by the hour is in line 2 too"),
    ],
)
def test_a_wrong_row_is_refused_by_line_and_column(
    row: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FILE).write_text("\n".join([HEADER, GOOD, row]))
    monkeypatch.setattr(module, "DATA", tmp_path)
    module._rows.cache_clear()
    try:
        with pytest.raises(CatalogError, match=told):
            other_clouds()
    finally:
        monkeypatch.undo()
        module._rows.cache_clear()


def shown(gpu: str, count: int) -> str:
    offers = choose(list(geography.REGIONS), Asked(gpu, gpus_per_node=count, purchase="any")).offers
    text = StringIO()
    show_other_clouds(gpu, 0, offers, 90, Console(file=text, width=200))
    return text.getvalue()


def test_the_cheapest_comes_first_beside_the_cheapest_of_the_same_card() -> None:
    lines = shown("H100", 8).splitlines()
    assert lines[0].strip() == TITLE
    prices = [
        float(line.split("₹")[1].split()[0].replace(",", ""))
        for line in lines[1:]
        if line.count("₹") == 2 and "₹/GPU" not in line
    ]
    assert prices == sorted(prices) and len(prices) == len(other_clouds("H100"))
    assert any("after subsidy" in line for line in lines) and any("before subsidy" in line for line in lines)


def test_a_card_with_other_memory_is_no_like() -> None:
    rows = [line for line in shown("A100", 8).splitlines() if "GB" in line and "₹" in line]
    assert all(("p4d" in line) == ("40 GB" in line) for line in rows)
    assert {"40 GB" in line for line in rows} == {True, False}


def test_advice_names_where_to_burst_to_by_the_hour() -> None:
    line = burst_line(["H100", "B300", "L4"], 90)
    assert line and line.startswith(TITLE)
    assert "H100" in line and "L4" in line and "month" not in line and "after subsidy" not in line
    assert burst_line(["B300"], 90) is None
