"""The page of a gate: what changed comes first, nothing is fetched, and no answer becomes a part of the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import browser
from tests.workloads.evaluation.answers import right
from workloads.evaluation.package import ROOT
from workloads.evaluation.programs.golden import GoldenSet, read
from workloads.evaluation.programs.job import Rules
from workloads.evaluation.programs.page import page
from workloads.evaluation.programs.results import Answer, Results
from workloads.evaluation.programs.verdict import judge

GOLDEN = read(str(ROOT / "workloads/evaluation/golden/example"))
INJECTED = "</div><script>document.title='owned'</script>"


def answered(golden: GoldenSet, model: str, wrong: dict[str, str], errors: dict[str, str]) -> Results:
    """Results that are right but for some cases."""
    answers = tuple(
        Answer(
            case.id,
            wrong.get(case.id, "" if case.id in errors else right(case)),
            None if case.id in errors else case.id not in wrong,
            why="is another text" if case.id in wrong else "",
            error=errors.get(case.id, ""),
            seconds=0.5,
            output_tokens=9,
        )
        for case in golden.cases
    )
    return Results(model, "r2", golden.identity, "2026-11-27T00:00:00Z", answers)


@pytest.fixture(scope="module")
def shown() -> str:
    candidate = answered(
        GOLDEN, "org/candidate", {"ta-capital": INJECTED, "bn-author": "জানি না"}, {"hi-otp": "status 500"}
    )
    production = answered(GOLDEN, "org/production", {"en-gst": "5,899", "bn-author": "কে জানে"}, {})
    verdict = judge(GOLDEN, Rules(min_slice=0.95), candidate, production)
    return page(GOLDEN, verdict, candidate, production)


def test_changes_come_first_the_worse_before_the_better(shown: str) -> None:
    order = re.findall(r"<article[^>]*><header>([\w-]+)<", shown)
    assert order[:4] == ["ta-capital", "en-gst", "hi-otp", "bn-author"]
    assert sorted(order) == sorted(case.id for case in GOLDEN.cases)
    assert shown.index("4 cases that changed or failed") < shown.index("42 cases that pass as before")
    assert "language=ta: 90% of 10 cases pass; minSlice asks for 95%" in shown


def test_nothing_is_fetched_and_an_answer_is_text(shown: str) -> None:
    assert not re.search(r"<(script|link|img|iframe)|url\(|@import|src=|href=", shown)
    assert "&lt;/div&gt;&lt;script&gt;" in shown
    assert 'name="viewport"' in shown and '<article lang="ta">' in shown


@pytest.mark.slow
def test_a_browser_reads_it(shown: str, tmp_path: Path) -> None:
    try:
        here = browser.find(tmp_path / "profile")
    except browser.NoBrowserError as error:
        pytest.skip(str(error))
    (file := tmp_path / "index.html").write_text(shown)
    text = here.text(file)
    assert "org/candidate is blocked" in text and "জানি না" in text and INJECTED in text
    assert here.colours(here.picture(file, tmp_path / "page.png")) > 30
