"""Credits: never more is paid than there is, the month before them stays, and what has ended pays nothing."""

from __future__ import annotations

from datetime import date, timedelta
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from commands.stacks import settings_of
from infra.pricing.credits import credits_data, credits_of, in_words, months_by_cloud, show_credits, spend
from infra.pricing.estimate import estimate
from infra.pricing.meter import DAYS_A_MONTH
from infra.pricing.resources import Resource
from infra.settings import reading
from infra.settings.errors import SettingsError
from infra.settings.money import Credit
from infra.settings.stack import Usage

TODAY = date(2026, 11, 26)
PROD = settings_of("prod")


def credit(inr: int, days: int, **over: Any) -> Credit:
    return Credit(inr=inr, until=TODAY + timedelta(days=days), source="AWS Activate", **over)


def test_a_month_is_paid_until_the_credits_are_gone() -> None:
    found = spend("aws", [credit(250, 365)], 100, TODAY)
    assert (found.paid_first_month, found.months, found.lapses) == (100, 2.5, 0)
    assert found.ends == TODAY + timedelta(days=int(2.5 * DAYS_A_MONTH))


def test_credits_that_end_first_are_spent_first_and_the_rest_lapses() -> None:
    late, soon = credit(100, 3650), credit(1000, 29)
    found = spend("aws", [late, soon], 100, TODAY)
    share = 30 / DAYS_A_MONTH
    assert found.months == pytest.approx(share + 1)
    assert found.lapses == pytest.approx(1000 - 100 * share)


def test_a_small_credit_that_ends_soon_is_not_kept_for_later() -> None:
    found = spend("aws", [credit(5000, 3650), credit(50, 29)], 100, TODAY)
    assert (found.lapses, found.months) == (pytest.approx(0), pytest.approx(50.5))


def test_a_credit_pays_on_its_last_day_and_not_on_the_next() -> None:
    assert spend("aws", [credit(10**6, 0)], 100, TODAY).paid_first_month == pytest.approx(100 / DAYS_A_MONTH)
    gone = spend("aws", [credit(10**6, -1)], 100, TODAY)
    assert (gone.paid_first_month, gone.months, gone.lapses) == (0, 0, 0)
    assert [one.inr for one in gone.over] == [10**6]


@given(
    st.lists(st.builds(credit, st.integers(1, 10**9), st.integers(-400, 4000)), max_size=6),
    st.floats(0, 1e8),
)
def test_what_is_paid_and_what_lapses_are_the_credits(given_: list[Credit], month: float) -> None:
    found = spend("aws", given_, month, TODAY)
    usable = sum(one.inr for one in given_ if one not in found.over)
    assert 0 <= found.paid_first_month <= month * (1 + 1e-9)
    assert found.months * month + found.lapses == pytest.approx(usable, rel=1e-6, abs=1e-3)
    assert found.lapses >= -1e-3
    assert found.ends <= max([TODAY, *(one.until + timedelta(days=1) for one in given_)])


def stack(**over: Any) -> dict[str, Any]:
    access = {"cluster": {"access": {"jumpHost": True, "deployers": ["role/ci"]}}}
    google = {"project": "p-123456", "region": "asia-south1", "cluster": {"access": {"jumpHost": True}}}
    return {
        "owner": "ml",
        "environment": "dev",
        "purpose": "tests",
        "budget": {"monthlyInr": 100, "credits": [over.pop("credit")]},
        "currency": {"usdInr": 90, "asOf": "2026-11-24"},
        "aws": {"region": "ap-south-1", **access},
        **({"gcp": google} if over.pop("google", False) else {}),
    }


GOOD = {"inr": 500000, "until": "2027-03-31", "source": "AWS Activate"}


@pytest.mark.parametrize(
    ("credit_", "google", "path", "allowed"),
    [
        ({**GOOD, "inr": -5}, False, "inr", "greater than 0"),
        ({**GOOD, "inr": 0}, False, "inr", "greater than 0"),
        ({**GOOD, "until": "2026-11-23"}, False, "until", "2026-11-24 (currency.asOf) or later"),
        ({**GOOD, "until": "soon"}, False, "until", "date"),
        ({**GOOD, "source": ""}, False, "source", "at least 1"),
        ({**GOOD, "cloud": "gcp"}, False, "cloud", "a cloud of the stack: aws"),
        (GOOD, True, "cloud", "whose bills it pays: aws or gcp"),
        ({**GOOD, "usd": 5}, False, "usd", "inr"),
    ],
)
def test_a_wrong_credit_is_refused(credit_: dict[str, Any], google: bool, path: str, allowed: str) -> None:
    with pytest.raises(SettingsError) as refused:
        reading.parse(stack(credit=credit_, google=google))
    (problem,) = refused.value.problems
    assert problem.path == f"budget.credits[0].{path}"
    assert allowed in problem.allowed


def test_a_right_credit_is_read() -> None:
    (read,) = reading.parse(stack(credit=GOOD)).budget.credits
    assert (read.inr, read.until, read.cloud) == (500000, date(2027, 3, 31), None)


def test_a_credit_pays_the_bills_of_its_own_cloud_alone() -> None:
    aws = Resource("aws:eks/cluster:Cluster", "urn::eks", {"version": "1.35"}, "", "p")
    pool = {
        "nodeConfig": {"machineType": "e2-standard-8"},
        "nodeLocations": ["asia-south1-a"],
        "nodeCount": 2,
    }
    google = Resource("gcp:container/nodePool:NodePool", "urn::gke", pool, "", "g")
    where = [
        Resource("pulumi:providers:aws", "p", {"region": "ap-south-1"}),
        Resource("pulumi:providers:gcp", "g", {"region": "asia-south1"}),
    ]
    made = [*where, aws, google]
    months = months_by_cloud(made, Usage())
    assert months["gcp"] > months["aws"] > 0
    assert sum(months.values()) == pytest.approx(estimate(made, Usage()).total.expected)
    budget = PROD.budget.model_copy(update={"credits": (credit(10**9, 300, cloud="gcp"),)})
    (found,) = credits_of(made, PROD.model_copy(update={"budget": budget}), TODAY)
    assert found.cloud == "gcp"
    assert found.month == pytest.approx(months["gcp"] * PROD.currency.usd_inr)
    assert months_by_cloud([where[0], aws], Usage()) == {"aws": pytest.approx(months["aws"]), "gcp": 0}
    assert months_by_cloud([where[1], google], Usage()) == {"aws": 0, "gcp": pytest.approx(months["gcp"])}


def test_on_one_cloud_a_credit_needs_no_name_of_it_and_without_one_there_is_nothing() -> None:
    resources = [
        Resource("pulumi:providers:aws", "p", {"region": "ap-south-1"}),
        Resource("aws:eks/cluster:Cluster", "urn::eks", {"version": "1.35"}, "", "p"),
    ]
    read = reading.parse(stack(credit=GOOD))
    (found,) = credits_of(resources, read, TODAY)
    assert (found.cloud, found.month > 0) == ("aws", True)
    without = read.model_copy(update={"budget": read.budget.model_copy(update={"credits": ()})})
    assert credits_of(resources, without, TODAY) == ()


def test_a_stack_that_costs_little_or_nothing_spends_as_much() -> None:
    assert spend("aws", [credit(5, 3650)], 0.5, TODAY).months == 10
    nothing = spend("aws", [credit(5, 3650)], 0, TODAY)
    assert (nothing.months, nothing.paid_first_month, nothing.lapses) == (0, 0, 5)


def test_as_data_and_in_words_the_first_month_is_what_is_left_of_it() -> None:
    (said,) = credits_data([spend("aws", [credit(40, 365), credit(7, -3)], 100, TODAY)])
    assert (said["monthInr"], said["firstMonthInr"], said["lapsesInr"]) == (100, 60, 0)
    assert said["over"] == ["AWS Activate"] and "not used" not in said["text"]
    lapsed = spend("aws", [credit(1000, 0)], 100, TODAY)
    assert lapsed.lapses > 900 and "is not used by their last day" in in_words(lapsed)


def test_it_is_told_in_one_line_and_what_has_ended_too() -> None:
    text = StringIO()
    found = spend("aws", [credit(250, 365), credit(7, -3)], 100, TODAY)
    show_credits([found], Console(file=text, width=40))
    told = text.getvalue().splitlines()
    assert told[0] == in_words(found) and "they pay for 2.5 months" in told[0]
    assert "ended on 2026-11-23 and pays nothing" in told[1]
    assert "COST-01" in told[2] and "without credits" in told[2]
