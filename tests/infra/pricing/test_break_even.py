"""Commitments: from how many hours of a month they pay, for what is there all month, and never invented."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from commands.cost.show_break_even import break_even_data, show_break_even
from infra.catalog import commitments as module
from infra.catalog.commitments import AT_MOST, EXACT, FILE, CommitmentRow, commitment
from infra.catalog.machines import MONTH_HOURS, machine
from infra.catalog.tables import CatalogError
from infra.pricing.break_even import AllMonth, break_even
from infra.pricing.resources import Resource
from infra.settings.money import Currency
from infra.settings.stack import Usage

AWS = Resource("pulumi:providers:aws", "urn::aws", {"region": "ap-south-1"})
GOOGLE = Resource("pulumi:providers:gcp", "urn::gcp", {"region": "asia-south1"})
CURRENCY = Currency.model_validate({"usdInr": 90, "asOf": "2026-11-01"})


def group(count: int, machine_type: str, kind: str = "ON_DEMAND", name: str = "system") -> Resource:
    scaling = {"minSize": count, "desiredSize": count, "maxSize": count + 2}
    inputs = {"instanceTypes": [machine_type], "scalingConfig": scaling, "capacityType": kind}
    return Resource("aws:eks/nodeGroup:NodeGroup", f"urn::group::{name}", inputs, "", AWS.urn)


def gke(machine_type: str, zones: list[str], name: str = "pool", **inputs: Any) -> Resource:
    config = {"machineType": machine_type, **inputs.pop("config", {})}
    given = {"nodeConfig": config, "nodeLocations": zones, "name": name, **inputs}
    return Resource("gcp:container/nodePool:NodePool", f"urn::gke::{name}", given, "", GOOGLE.urn)


def lines(*resources: Resource) -> tuple[AllMonth, ...]:
    return break_even([AWS, GOOGLE, *resources], Usage())


def test_googles_share_is_exact_and_breaks_even_at_what_is_left_of_the_price() -> None:
    (line,) = lines(gke("e2-standard-8", ["asia-south1-a", "asia-south1-b", "asia-south1-c"], nodeCount=1))
    price = machine("asia-south1", "e2-standard-8").on_demand_usd
    assert price and line.nodes == 3
    one, three = line.terms
    assert one and three
    assert (one.hours, three.hours) == (pytest.approx(0.63 * MONTH_HOURS), pytest.approx(0.45 * MONTH_HOURS))
    assert one.saved_usd == pytest.approx(0.37 * price * MONTH_HOURS * 3)
    assert not one.at_most


def test_of_amazon_only_a_bound_is_known() -> None:
    (line,) = lines(group(3, "m6a.2xlarge"))
    assert all(term and term.at_most for term in line.terms)
    text = shown(line)
    assert "~ 204 h, at most ₹" in text and "AWS publishes only what its plans save at most" in text


def test_a_spot_pool_that_stands_is_held_against_its_spot_price() -> None:
    zones = ["asia-south1-c"]
    (line,) = lines(gke("a3-highgpu-8g", zones, nodeCount=2, config={"spot": True}))
    spot = machine("asia-south1", "a3-highgpu-8g").price("spot", zones)
    assert spot and line.usd == pytest.approx(spot * 2 * MONTH_HOURS)
    one, three = line.terms
    assert one and three and not one.pays
    assert "never: dearer than it is bought now" in shown(line)
    assert three.pays == (three.saved_usd > 0)


def test_what_comes_and_goes_is_no_month_and_what_is_expected_on_demand_is() -> None:
    elastic: dict[str, Any] = {"autoscaling": {"totalMinNodeCount": 0, "totalMaxNodeCount": 8}}
    expected: dict[str, Any] = {"config": {"resourceLabels": {"expected-nodes": "2"}}}
    zones = ["asia-south1-a"]
    assert lines(gke("g2-standard-4", zones, **elastic)) == ()
    (line,) = lines(gke("g2-standard-4", zones, **elastic, **expected))
    assert (line.what, line.nodes) == ("g2-standard-4 on-demand", 2)
    spot: dict[str, Any] = {"config": {**expected["config"], "spot": True}}
    assert lines(gke("g2-standard-4", zones, **elastic, **spot)) == ()


def test_a_family_without_a_figure_has_none() -> None:
    (line,) = lines(gke("n2-standard-4", ["asia-south1-a"], nodeCount=1))
    assert line.terms == (None, None)
    assert shown(line).count("no figure was found") == 2
    (data,) = break_even_data([line], CURRENCY)
    assert [term["savesInr"] for term in data["terms"]] == [None, None]


def test_pools_alike_are_added_up() -> None:
    parent = Resource("india-ai-infra:aws:Pools", "urn::pools::pools", {})
    pools = [
        replace(group(count, "m6a.xlarge", name=name), parent=parent.urn)
        for name, count in (("a", 2), ("b", 3))
    ]
    (line,) = lines(parent, *pools)
    (alone,) = lines(group(1, "m6a.xlarge"))
    assert (line.component, line.nodes, line.usd) == ("pools", 5, pytest.approx(5 * alone.usd))
    assert line.terms[0] and alone.terms[0]
    assert line.terms[0].saved_usd == pytest.approx(5 * alone.terms[0].saved_usd)


@given(st.integers(1, 20), st.floats(0, MONTH_HOURS))
def test_above_the_break_even_a_commitment_is_cheaper_and_below_it_is_not(nodes: int, hours: float) -> None:
    (line,) = lines(gke("g2-standard-4", ["asia-south1-a"], nodeCount=nodes))
    price = machine("asia-south1", "g2-standard-4").on_demand_usd
    assert price
    for term in line.terms:
        assert term
        committed, by_the_hour = price * (1 - term.row.share) * MONTH_HOURS, price * hours
        if abs(hours - term.hours) > 1e-6:
            assert (committed < by_the_hour) == (hours > term.hours)
        assert term.saved_usd == pytest.approx(line.usd - committed * nodes)


def test_the_data_names_its_source() -> None:
    (data,) = break_even_data(lines(gke("e2-standard-8", ["asia-south1-a"], nodeCount=1)), CURRENCY)
    for term in data["terms"]:
        assert term["bound"] == EXACT and term["source"] and term["asOf"] and term["savesInr"] > 0


def test_every_row_of_amazon_is_a_bound() -> None:
    row = commitment(machine("ap-south-1", "p5.48xlarge"), 3)
    assert row and row.bound == AT_MOST


HEADER = ",".join(
    [*(name for name in CommitmentRow.model_fields if name not in ("as_of", "source")), "as_of", "source"]
)
GOOD = "gcp,asia-south1,g2-,1,0.37,exact,committed use,2026-08-20,a page"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (GOOD.replace("0.37", "1.2"), rf"{FILE}:3: share is '1.2'"),
        (GOOD.replace(",1,", ",2,"), rf"{FILE}:3: years is '2'"),
        (GOOD.replace("exact", "perhaps"), rf"{FILE}:3: bound is 'perhaps'"),
        (GOOD, rf"{FILE}:3: g2- in asia-south1 is in line 2 too"),
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
            commitment(machine("asia-south1", "g2-standard-4"), 1)
    finally:
        monkeypatch.undo()
        module._rows.cache_clear()


def shown(*some: AllMonth) -> str:
    text = StringIO()
    show_break_even(some, CURRENCY, Console(file=text, width=240))
    return text.getvalue()
