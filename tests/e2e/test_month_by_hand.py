"""A month of the shipped stacks, counted by hand from list prices, beside the bill: line by line, within 3 %.

`month_by_hand.csv` was written from the stack files and the clouds' price pages (of 2026-11), not from the code: so
many of each thing, at dollars a month each. Machines' prices change with every `make catalog`, so theirs are read
from the table's own rows, by the zone that the line says.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from statistics import median

import pytest

from commands.cost import command as cost
from commands.stacks import settings_of
from infra.catalog.tables import DATA, MachineRow, PriceRow, read
from infra.pricing.estimate import Estimate, Item

pytestmark = pytest.mark.e2e
ROWS = list(csv.DictReader(Path(__file__).with_name("month_by_hand.csv").open(encoding="utf-8")))
MONTH_HOURS = 365 * 24 / 12
VCPUS = {row.machine_type: row.vcpus for row in read(DATA / "machines.csv", MachineRow)}
REGIONS = ("ap-south-1", "asia-south1")  # of the shipped stacks
MACHINE = re.compile(
    r"([a-z0-9-]+\.[a-z0-9]+|[a-z0-9]+-[a-z]+-\d+g?) (spot|on-demand|reserved|flex-start)( or .*)?$"
)


def hour(machine: str, how: str) -> float:
    """Dollars an hour, straight from the rows of prices.csv."""
    purchase = "spot" if how.startswith("spot") else "on-demand"
    rows = read(DATA / "prices.csv", PriceRow)
    usd = [
        row.usd_hour
        for row in rows
        if (row.machine_type, row.purchase) == (machine, purchase) and row.region in REGIONS
    ]
    return min(usd) if "cheapest" in how else median(usd)


def tiered_vcpus(month: Estimate) -> tuple[float, float]:
    """vCPUs of all nodes on AWS, and dollars for them: 500 at 1.50, the next 4,500 at 0.75."""
    found = [(item, MACHINE.match(item.what)) for item in month.items]
    aws = [(item, machine[1]) for item, machine in found if machine and "." in machine[1]]
    vcpus = sum(item.count.expected * VCPUS[machine] for item, machine in aws)
    return vcpus, min(vcpus, 500) * 1.5 + max(0, vcpus - 500) * 0.75


def item_of(month: Estimate, row: dict[str, str]) -> Item:
    """The line that is meant; `(one L4) spot …` is of whatever machine with one L4 the chooser took."""
    wanted = re.escape(row["what"]).replace(r"\(one\ L4\)", r"g[r]?6\.\w+")
    (item,) = [
        one for one in month.items if one.component == row["component"] and re.fullmatch(wanted, one.what)
    ]
    return item


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_month_by_hand_is_the_bills(stack: str, run_dir: Path) -> None:
    month = cost.price(stack, settings_of(stack))
    by_hand = {}
    for row in (row for row in ROWS if row["stack"] == stack):
        item = item_of(month, row)
        if row["what"].startswith("vCPU under"):
            count, usd = tiered_vcpus(month)
        else:
            machine = item.what.split()[0]
            each = float(row["usd_each"] or hour(machine, row["price"]) * MONTH_HOURS)
            count, usd = float(row["count"]), float(row["count"]) * each
        assert item.usd
        assert item.count.expected == pytest.approx(count, rel=0.03), item.what
        assert item.usd.expected == pytest.approx(usd, rel=0.03), item.what
        by_hand[item.component, item.what] = usd
    forgotten = [
        item.what
        for item in month.items
        if item.usd and item.usd.expected and (item.component, item.what) not in by_hand
    ]
    assert forgotten == []
    assert month.total.expected == pytest.approx(sum(by_hand.values()), rel=0.03)
