"""The parts of the demo that need no cloud: its data, its record of what is done, its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from commands.demo import command, data, jobs, page
from commands.demo.platform import Platform
from commands.demo.stages import STAGES
from commands.page.document import Plot
from commands.page.state import State
from commands.stacks import settings_of
from localcloud.store import Store
from workloads.evaluation.programs import golden

ANSWER = {
    "question": "What is the late fee?",
    "answer": "₹500",
    "said": "₹500",
    "right": True,
    "again": "hit",
    "seconds": 0.5,
    "secondsAgain": 0.005,
}
VERDICT = {"passed": True, "mean": {"cases": 16, "candidate": 0.75, "production": None}}
CARD = {
    "method": "magnitude",
    "quality": {"hi": {"tokens": 900, "before": 1.01, "after": 1.02, "agreement": 0.99}},
}
DONE: Mapping[str, Mapping[str, Any]] = {
    "data": {},
    "features": {"account": {"transactions_7d__count_7d": 4}},
    "train": {"losses": {"10": 2.0, "20": 1.0, "30": 0.1}, "stopped": [20], "resumed": [20]},
    "compress": {"card": CARD},
    "serve": {"verdict": VERDICT, "answers": [ANSWER]},
    "drift": {
        "result": {
            "features": [{"name": "question", "distance": 0.4, "distance_threshold": 0.1, "drifted": True}],
            "retraining": {"started": True, "reason": "a training began"},
        }
    },
    "retrain": {"card": CARD, "losses": {"10": 2.5, "20": 0.2}},
    "promote": {"verdict": VERDICT, "answers": [ANSWER]},
}


@dataclass(frozen=True)
class Written:
    """A platform that has but a lake, on this disk."""

    root: Path
    order: list[str] = field(default_factory=list)

    def put(self, role: str, key: str, body: str) -> None:
        self.order.append(key)
        file = self.root / role / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(body)

    def folder(self, role: str, path: str) -> str:
        return str(self.root / role / path)

    def program(self, workload: str, module: str, *arguments: str) -> str:
        self.order.append(module)
        return ""


def test_the_golden_set_is_the_one_that_the_stack_names(tmp_path: Path) -> None:
    written = Written(tmp_path)
    found = data.put_golden(written)  # pyright: ignore[reportArgumentType]
    asked = settings_of("demo").workloads.evaluation
    assert asked
    read = golden.read(written.folder("curated", data.GOLDEN), asked.digest)
    assert found["cases"] == len(read.cases) == len(data.answers(data.LAST))


def test_a_commit_is_named_once_its_tokens_are_there(tmp_path: Path) -> None:
    written = Written(tmp_path)
    data.put(written, 2)  # pyright: ignore[reportArgumentType]
    assert written.order[-2:] == ["trainer.prepare", "tokens/answers/newest"]


def test_the_second_commit_has_what_the_first_has_not(tmp_path: Path) -> None:
    first, second = data.answers(1), data.answers(data.LAST)
    assert first == second[: len(first)] and len(second) > len(first)
    # Every language of the new questions is one that the model knows already.
    assert {each["language"] for each in second} == {each["language"] for each in first}


def test_the_page_has_every_stage_and_fetches_nothing() -> None:
    done = {stage: {**found, "stageSeconds": 60} for stage, found in DONE.items()}
    assert set(done) == {stage.name for stage in STAGES}
    text = command.drawn_of(done, State("demo", [], Path("demo.json")))
    assert "0 violations" in text and "1 right" in text
    for words in (
        "2.5 at 10, 0.2 at 20",
        ">500<",
        "taken back at step 20",
        "candidate 1",
        "₹500",
        "a training began",
        "magnitude",
    ):
        assert words in text
    assert "http://" not in text and "https://" not in text


def test_a_curve_is_drawn_from_its_first_point_to_its_last() -> None:
    assert Plot("Loss", [(10, 2.0), (20, 1.0), (30, 0.0)]).path == "0.00,0.00 50.00,20.00 100.00,40.00"
    assert Plot("Loss", [(10, 0.0)]).path == "0.00,40.00"


@pytest.mark.parametrize(
    ("conditions", "ended"),
    [
        ([], None),
        ([{"type": "Complete", "status": "True"}], "Complete"),
        ([{"type": "Suspended", "status": "False"}, {"type": "Failed", "status": "True"}], "Failed"),
        ([{"type": "Failed", "status": "False"}], None),
    ],
)
def test_a_job_has_ended_when_it_says_so(conditions: list[dict[str, str]], ended: str | None) -> None:
    found = jobs.ended({"status": {"conditions": conditions}})
    assert (found or {}).get("type") == ended


def test_what_a_stack_had_found_goes_with_it(tmp_path: Path) -> None:
    record, platform = Store(tmp_path / "store.sqlite"), Platform(tmp_path / "Pulumi.demo.yaml")
    record.put(command.DONE, "data", {"commit": 1})
    record.put("process", "moto", {"pid": 1})
    platform.file.write_text("config: {}")
    for _ in range(2):
        command.forget(record, platform)
        assert record.items(command.DONE) == {} and not platform.file.exists()
    assert record.items("process")


def test_every_stage_has_a_name_of_its_own() -> None:
    names = [stage.name for stage in STAGES]
    assert len(set(names)) == len(names)
    assert set(page.NODES) < set(names)
    assert command.DONE == "demo"
