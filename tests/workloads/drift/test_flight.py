"""A training starts once for a drift, never beside another, never within the cooldown, and never over the budget."""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.examples import examples
from tests.workloads.drift.api_server import ApiServer
from workloads.drift.programs.flight import (
    DEADLINE,
    ESTIMATE,
    LEASE,
    MONTH,
    SPENT,
    WINDOW,
    Answer,
    Ask,
    Decision,
    FlightError,
    Wanted,
    follow,
    start,
)

COOLDOWN, INR, BUDGET = timedelta(hours=24), 4_000.0, 10_000.0
JOB = ("Job", "training", "llm-retrain")
TEMPLATE = ("CronJob", "training", "llm-retrain")
GOLDEN = ("CronJob", "evaluation", "golden")


def template(estimate: str = str(INR)) -> dict[str, Any]:
    pod = {"containers": [{"name": "trainer", "env": [{"name": "A", "value": "b"}]}]}
    job = {"metadata": {"labels": {"app": "x"}}, "spec": {"template": {"spec": pod}}}
    return {
        "metadata": {"name": "llm-retrain", "resourceVersion": "1", "annotations": {ESTIMATE: estimate}},
        "spec": {"suspend": True, "jobTemplate": job},
    }


def server(estimate: str = str(INR)) -> ApiServer:
    return ApiServer(objects={TEMPLATE: template(estimate), GOLDEN: template()})


def wanted(window: str = "2026-11-01", budget: float = BUDGET) -> Wanted:
    return Wanted(
        "loan-risk",
        window,
        "c0ffee",
        "llm-retrain",
        "training",
        "drift",
        budget,
        COOLDOWN,
        ("evaluation", "golden"),
    )


def payments(api: ApiServer) -> list[dict[str, Any]]:
    lease = api.objects.get(("Lease", "drift", LEASE))
    return json.loads(lease["metadata"].get("annotations", {}).get(SPENT, "[]")) if lease else []


def test_the_job_is_the_templates_with_the_commit_and_the_cooldown_as_its_rest() -> None:
    api = server()
    decision = api.run(start(wanted()))
    assert decision == Decision(True, "training on commit c0ffee, at most ₹4,000")
    job = api.objects[JOB]
    assert job["spec"]["ttlSecondsAfterFinished"] == 86_400
    assert job["metadata"]["annotations"] == {WINDOW: "loan-risk/2026-11-01"}
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert {each["name"]: each["value"] for each in container["env"]} == {
        "DATA_COMMIT": "c0ffee",
        "RETRAINING": "loan-risk-2026-11-01",
        "A": "b",
    }
    assert [each["inr"] for each in payments(api)] == [INR]
    assert api.objects[TEMPLATE]["spec"]["jobTemplate"]["spec"].keys() == {"template"}, "the template changed"


def test_each_refusal_says_why_and_pays_nothing() -> None:
    api = server()
    assert api.run(start(wanted(budget=3_000))).reason == (
        "₹0 of ₹3,000 are spent in 30 days, and it would cost ₹4,000"
    )
    assert payments(api) == []
    assert api.run(start(wanted())).started
    assert api.run(start(wanted("2026-11-02"))).reason == "one is in flight"
    api.end_job(JOB, "Failed")
    assert api.run(start(wanted("2026-11-02"))).reason == "the last training ended less than the cooldown ago"
    api.pass_time(COOLDOWN)
    assert api.run(start(wanted())).reason == "loan-risk/2026-11-01 has had its training"
    assert api.run(start(wanted("2026-11-02"))).started
    api.end_job(JOB)
    api.pass_time(COOLDOWN)
    assert "₹8,000 of ₹10,000 are spent" in api.run(start(wanted("2026-11-03"))).reason
    api.pass_time(MONTH + DEADLINE)
    assert api.run(start(wanted("2026-11-03"))).started


@pytest.mark.parametrize("estimate", ["", "free", "0", "-5", "nan"])
def test_a_template_without_an_estimate_is_refused(estimate: str) -> None:
    with pytest.raises(FlightError, match="rupees above 0"):
        server(estimate).run(start(wanted()))


def test_a_spoilt_annotation_starts_nothing() -> None:
    api = server()
    api.run(start(wanted()))
    del api.objects[JOB]
    api.objects["Lease", "drift", LEASE]["metadata"]["annotations"][SPENT] = "nonsense"
    with pytest.raises(FlightError, match="mend it by hand"):
        api.run(start(wanted("2026-11-05")))
    assert len(api.made) == 1


def test_the_golden_set_follows_a_training_that_ended_well_once() -> None:
    api = server()
    assert api.run(follow(wanted())) == ""
    api.run(start(wanted()))
    assert api.run(follow(wanted())) == ""
    api.end_job(JOB)
    assert api.run(follow(wanted("2026-11-09"))) == "golden set of loan-risk/2026-11-01 started"
    assert api.run(follow(wanted("2026-11-09"))) == ""
    assert ("Job", "evaluation", "golden-loan-risk-2026-11-01") in api.objects


# When it began, what is left of it, and what it asks next. A whole start asks seven times where there is no Lease yet.
Program = tuple[datetime, Generator[Ask, Answer, Any], Ask]
CALLS = st.sampled_from([1, 2, 3, 4, 5, 6, *[7] * 6])
MINUTES = st.sampled_from([2, 20, 12 * 60, 25 * 60, 25 * 60, 10 * 24 * 60])


class Retraining(RuleBasedStateMachine):
    """Programs whose calls are interleaved in every order, that die or wait between any two of them, and Jobs that are
    slow; each program lives no longer than its deadline, as its Job has it."""

    def __init__(self) -> None:
        super().__init__()
        self.api = server()
        self.programs: list[Program] = []

    @rule(day=st.integers(1, 9), calls=CALLS)
    def begin(self, day: int, calls: int) -> None:
        """A window raises an alarm, or the same one again; its program gets so far, and may never get further."""
        asking = start(wanted(f"2026-11-{day:02}"))
        self._go_on((self.api.now, asking, next(asking)), calls)

    @precondition(lambda self: self.programs)
    @rule(which=st.integers(0, 3), calls=CALLS)
    def proceed(self, which: int, calls: int) -> None:
        self._go_on(self.programs.pop(which % len(self.programs)), calls)

    def _go_on(self, program: Program, calls: int) -> None:
        began, asking, ask = program
        try:
            for _ in range(calls):
                ask = asking.send(self.api.answer(ask))
        except StopIteration:
            return
        self.programs.append((began, asking, ask))

    @rule(minutes=MINUTES)
    def wait(self, minutes: int) -> None:
        self.api.pass_time(timedelta(minutes=minutes))
        self.programs = [each for each in self.programs if self.api.now - each[0] < DEADLINE]

    @precondition(lambda self: JOB in self.api.objects and "active" in self.api.objects[JOB]["status"])
    @rule(condition=st.sampled_from(["Complete", "Failed"]), minutes=MINUTES)
    def end(self, condition: str, minutes: int) -> None:
        self.api.end_job(JOB, condition)
        self.wait(minutes)

    @invariant()
    def never_two_and_never_within_the_cooldown(self) -> None:
        starts = [at for at, _ in self.api.made]
        assert len(starts) - len(self.api.ended) in (0, 1), "two in flight"
        for ended, after in zip(self.api.ended, starts[1:], strict=False):
            assert after - ended >= COOLDOWN

    @invariant()
    def never_over_the_budget(self) -> None:
        starts = [at for at, _ in self.api.made]
        for at in starts:
            assert sum(at <= each < at + MONTH for each in starts) * INR <= BUDGET

    @invariant()
    def each_start_was_paid_and_no_drift_has_two(self) -> None:
        windows = [job["metadata"]["annotations"][WINDOW] for _, job in self.api.made]
        assert len(windows) == len(set(windows))
        assert {each["key"] for each in payments(self.api)} >= set(windows[-1:])


TestRetraining = Retraining.TestCase
TestRetraining.settings = settings(max_examples=examples(80), stateful_step_count=40, deadline=None)
