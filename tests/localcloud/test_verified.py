"""The map of what was verified is true: its judges are known, its tests are there, the page is what the tables say."""

from __future__ import annotations

import pytest
import yaml

from localcloud import verified
from localcloud.directories import PROJECT

TABLE = yaml.safe_load(verified.TABLE.read_text())


def test_the_page_is_what_the_tables_say() -> None:
    assert verified.PAGE.read_text() == verified.page(), "python -m localcloud.verified"


@pytest.mark.parametrize("row", TABLE["claims"], ids=lambda row: row["claim"])
def test_a_claim_names_known_judges_and_tests_that_are_there(row: dict) -> None:
    assert row["judges"] and set(row["judges"]) <= TABLE["judges"].keys()
    assert row["tests"] and all((PROJECT / test).exists() for test in row["tests"])
    assert row["never"]


def test_every_judge_judges_something() -> None:
    assert {judge for row in TABLE["claims"] for judge in row["judges"]} == TABLE["judges"].keys()


def test_every_test_of_the_engine_stands_behind_a_claim() -> None:
    named = {test for row in TABLE["claims"] for test in row["tests"]}
    engine = {str(test.relative_to(PROJECT)) for test in (PROJECT / "tests" / "e2e").glob("test_*.py")}
    assert engine <= named, f"no claim of localcloud/verified.yaml names {', '.join(sorted(engine - named))}"
