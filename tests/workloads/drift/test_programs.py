"""The programs on real libraries: what they find in shifted windows, how often they are wrong, what they refuse."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from localcloud.directories import PROJECT
from localcloud.environments import environment

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent


def run(program: str, *words: str) -> dict[str, Any]:
    """What a program of this folder prints, in the environment of the image."""
    own = {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1", "DO_NOT_TRACK": "1"}
    python = environment(PROJECT / "workloads/drift/requirements.txt")
    ran = subprocess.run(
        [python, HERE / program, *words],
        env={**os.environ, **own},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run("judged.py", str(tmp_path_factory.mktemp("drift")))


def drifted(judged: dict[str, Any], day: str) -> set[str]:
    return {each["name"] for each in judged["results"][day]["features"] if each["drifted"]}


def test_windows_that_were_shifted_raise_an_alarm_and_say_in_what(judged: dict[str, Any]) -> None:
    assert judged["fitted"][0] == 0
    assert drifted(judged, "2026-11-20") == set()
    assert drifted(judged, "2026-11-21") == {"amount"}
    assert "question: tamil" in drifted(judged, "2026-11-22")
    assert not {"amount", "bank"} & drifted(judged, "2026-11-22")
    assert drifted(judged, "2026-11-23") == {"bank"}
    # No text of the reference has a letter of it: one letter would be endless deviations away.
    assert "question: bengali" not in {each["name"] for each in judged["results"]["2026-11-20"]["features"]}
    days = list(judged["results"])
    assert [judged["results"][day]["confirmed"] for day in days] == [False, False, True, True]


def test_a_model_that_is_still_right_is_not_worse(judged: dict[str, Any]) -> None:
    for result in judged["results"].values():
        assert result["outcome"]["rows"] == 2_000
        assert abs(result["outcome"]["right"] - 0.9) < 0.03
        assert (result["outcome"]["worse"], result["worse"]) == (False, False)


def test_evidently_and_scipy_have_the_same_numbers(judged: dict[str, Any]) -> None:
    assert judged["agreement"] < 1e-9


def test_prometheus_is_told_the_latest_window(judged: dict[str, Any]) -> None:
    said = judged["metrics"]
    assert 'drift_confirmed{model="loan-risk"} 1.0' in said
    assert 'drift_drifted{feature="bank",model="loan-risk"} 1.0' in said
    assert 'drift_drifted{feature="age",model="loan-risk"} 0.0' in said
    # The end of the 23rd of November 2026.
    assert re.search(r'drift_window_end_timestamp_seconds\{model="loan-risk"\} 1.7954784e\+09', said)


def test_the_page_needs_nothing_else_and_has_a_plot_for_each_feature(judged: dict[str, Any]) -> None:
    page = judged["page"]
    assert page.count("<svg") == len(judged["results"]["2026-11-23"]["features"])
    assert not re.search(r"(src|href)=|https?://|@import|url\(", page)
    assert page.index("<h2>bank</h2>") < page.index("<h2>amount</h2>"), "what drifted is first"


REFUSALS = {
    "2026-10-01": "column bank is gone",
    "2026-10-02": "column age is VARCHAR, and was BIGINT",
    "2026-10-03": "has 0 rows",
    "2026-10-04": "has 100 rows, and 500 are the fewest",
    "2026-10-05": "column income has no value in this window",
    "2026-10-06": "has no Parquet file: the partition is missing",
    "2026-10-07": "date=2026-10-07",
    "2099-01-01": "window 2099-01-01 ends at 2099-01-02 00:00 UTC, and it is",
    "yesterday": "yesterday is no window of one day; write it as 2",
    "newer": "is a reference of format 2, and this program reads 1",
    "nowhere": "make both with the command fit",
    "alarms": "confirm: alarms is 3, of 2 windows; give at most as many",
    "column": "no such column: bnak; there are amount, age",
}


def test_each_bad_input_is_named_and_refused(judged: dict[str, Any]) -> None:
    assert judged["refusals"].keys() == REFUSALS.keys()
    wrong = {
        name: (code, said)
        for name, (code, said) in judged["refusals"].items()
        if code != 64 or REFUSALS[name] not in said or len(said.splitlines()) != 1
    }
    assert wrong == {}


RETRAININGS = {
    "no commit": (64, "newest is not there; whoever commits data writes the newest commit's name in it"),
    "odd commit": (64, "names '../../other', and a commit is a word"),
    "not confirmed": (0, "retraining: no drift is confirmed"),
    "still right": (0, "confirmed; retraining: labels do not show that the model is right less often"),
    "one worse": (0, "confirmed; retraining: labels do not show that the model is right less often"),
    "few rows": (0, "confirmed; retraining: 12000 new rows, and 1000000 are needed"),
    "started": (0, "confirmed; retraining: training on commit c0ffee, at most ₹4,000"),
    "again": (0, "confirmed; retraining: training on commit c0ffee, at most ₹4,000"),
}


def test_a_training_starts_on_confirmed_drift_of_a_model_that_is_wrong_more_often(
    judged: dict[str, Any],
) -> None:
    assert judged["retrainings"].keys() == RETRAININGS.keys()
    wrong = {
        name: (code, said)
        for name, (code, said) in judged["retrainings"].items()
        if code != RETRAININGS[name][0] or RETRAININGS[name][1] not in said
    }
    assert wrong == {}


@pytest.fixture(scope="module")
def simulated() -> dict[str, Any]:
    return run("simulated.py")


def test_of_a_thousand_unshifted_windows_less_than_one_in_a_hundred_raises_an_alarm(
    simulated: dict[str, Any],
) -> None:
    # By chance alone too, before the least distances that count. None at all would be thresholds that find nothing.
    assert 0 < simulated["unshifted"]["chance"] < 0.01
    assert simulated["unshifted"]["counted"] < 0.01


def test_shifted_windows_raise_it_at_the_stated_power(simulated: dict[str, Any]) -> None:
    assert simulated["amount 0.25"]["counted"] >= 0.95
    assert simulated["bank 0.15"]["counted"] >= 0.95
