"""`make cost` without an engine: what a change costs, and the page."""

from __future__ import annotations

import json
import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.cost import command as cost
from commands.stacks import settings_of
from infra.pricing.break_even import break_even
from infra.pricing.credits import credits_of
from infra.pricing.estimate import Estimate, Item
from infra.pricing.lines import CostRange
from infra.pricing.resources import Resource
from infra.settings.money import Credit
from infra.settings.stack import Settings
from infra.stacks import StackFileError
from localcloud.engine import EngineError

SAID = settings_of("prod")
RATE = SAID.currency.usd_inr


def item(what: str, usd: float | None, component: str = "pools", high: float = 0) -> Item:
    spans = None if usd is None else CostRange(0, usd, max(usd, high))
    return Item(component, what, CostRange(0, 1, 2), spans, spans)


def month(*items: Item) -> Estimate:
    return Estimate(items, {"aws:rds/instance:Instance": 2}, {})


def test_a_change_is_told_by_line_the_largest_first() -> None:
    before = month(item("same", 1), item("gone", 100), item("dearer", 10))
    after = month(item("same", 1), item("dearer", 12), item("new", 50))
    changes = cost.compare(before, after, SAID)
    assert [(change.what, change.difference) for change in changes] == [
        ("gone", pytest.approx(-100 * RATE)),
        ("new", pytest.approx(50 * RATE)),
        ("dearer", pytest.approx(2 * RATE)),
    ]


prices = st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 1e6), max_size=6)


@given(prices, prices)
def test_differences_add_up_to_that_of_the_totals(before: dict[str, float], after: dict[str, float]) -> None:
    was, now = (month(*(item(what, usd) for what, usd in bill.items())) for bill in (before, after))
    total = sum(change.difference for change in cost.compare(was, now, SAID))
    assert total == pytest.approx((now.total.expected - was.total.expected) * RATE, abs=6 * cost.SMALLEST_INR)


def told(**over: object) -> dict:
    bill = month(item("p5.48xlarge spot", 9000, high=36000), item("KMS <key>", 3, "keys"), item("g7e", None))
    changes = cost.compare(month(), bill, SAID)
    return cost.as_json("prod", bill, SAID, changes, "origin/main") | over


def test_the_json_is_plain_and_in_rupees() -> None:
    read = json.loads(json.dumps(told()))
    assert read["totalInr"] == {
        "low": 0,
        "expected": round(9003 * RATE),
        "high": round(36003 * RATE),
    }
    assert read["day"] == date.today().isoformat()
    assert read["unpriced"] == {"aws:rds/instance:Instance": 2}
    assert [line["inr"] for line in read["items"]][-1] is None


def test_the_page_needs_no_network_and_hides_nothing() -> None:
    page = cost.page(told())
    assert not re.search(r"(src|href)=|@import|url\(", page)
    assert "KMS &lt;key&gt;" in page
    assert "no price is known" in page
    assert "aws:rds/instance:Instance × 2" in page
    assert "Against origin/main" in page
    assert page.count('class="bar') == 2 * 2  # expected and at most, of each component


def test_the_page_has_commitments_and_credits_where_there_are_any() -> None:
    group = {"instanceTypes": ["m6a.xlarge"], "scalingConfig": {"minSize": 2, "desiredSize": 2, "maxSize": 4}}
    made = [
        Resource("pulumi:providers:aws", "urn::aws", {"region": "ap-south-1"}),
        Resource("aws:eks/nodeGroup:NodeGroup", "urn::group", group, "", "urn::aws"),
    ]
    credit = Credit(inr=10**6, until=date.max, source="AWS <Activate>", cloud="aws")
    budget = SAID.budget.model_copy(update={"credits": (credit,)})
    said = SAID.model_copy(update={"budget": budget})
    beyond = cost.beyond_month(break_even(made, said.usage), credits_of(made, said, date.today()), said)
    page = cost.page(told(**json.loads(json.dumps(beyond))))
    assert "Committed for one or three years" in page and "2 m6a.xlarge on-demand" in page
    assert "~ 204 h, at most ₹" in page
    assert (
        "credits on aws: ₹" in page
        and "COST-01 and the budget hold against the price without credits" in page
    )
    assert "Committed for" not in cost.page(told())


@pytest.mark.slow
def test_an_unknown_commit_and_an_unknown_stack_are_named() -> None:
    with (
        pytest.raises(EngineError, match=r"AGAINST: git worktree add says .*no-such-branch"),
        cost.checked_out("no-such-branch"),
    ):
        raise AssertionError("there is no such branch")
    with pytest.raises(
        StackFileError, match=r"Pulumi\.prd\.yaml: .*no stack prd; stacks are demo, dev, local, prod"
    ):
        settings_of("prd")


def test_settings_are_those_of_the_file() -> None:
    assert isinstance(SAID, Settings)
    assert SAID.environment == "prod"
