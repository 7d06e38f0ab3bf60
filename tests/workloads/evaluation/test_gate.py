"""The gate: real requests by inspect-ai to an endpoint that is right, wrong, slow, half broken, or not there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.workloads.evaluation.answers import right
from tests.workloads.evaluation.conftest import MAIN
from tests.workloads.evaluation.endpoint import Reply, endpoint
from tests.workloads.forks import Ended, Forks
from workloads.evaluation.package import ROOT
from workloads.evaluation.programs import weights
from workloads.evaluation.programs.golden import read
from workloads.evaluation.programs.job import Endpoint

pytestmark = pytest.mark.slow

EXAMPLE = ROOT / "workloads/evaluation/golden/example"
GOLDEN = read(str(EXAMPLE))
RIGHT: dict[str, Reply] = {case.prompt: right(case) for case in GOLDEN.cases}
IDS = {case.prompt: case.id for case in GOLDEN.cases}
TAMIL = ["ta-capital", "ta-lakhs", "ta-extract", "ta-saving"]
# Ten cases, for what doesn't need all of them.
FEW = [*TAMIL, "hi-capital", "hi-otp", "en-gst", "en-rate", "bn-extract", "mixed-taj"]


def replies(**changed: Reply) -> Callable[[str], Reply]:
    """Right answers, but for some cases by id (`_` for `-`); a judge that passes good answers alone."""
    good = [text for case in GOLDEN.cases if case.kind == "judged" and (text := RIGHT[case.prompt])]

    def answer(prompt: str) -> Reply:
        if prompt not in RIGHT:
            return (
                "Fine.\nGRADE: PASS"
                if any(f"<answer>\n{each}\n" in prompt for each in good)
                else "GRADE: FAIL"
            )
        return changed.get(IDS[prompt].replace("-", "_"), RIGHT[prompt])

    return answer


@dataclass
class Gate:
    """A gate whose candidate, production and judge are one endpoint each."""

    forks: Forks
    folder: Path
    golden: Path
    rules: Mapping[str, Any] = field(default_factory=dict)

    def run(
        self,
        candidate: Callable[[str], Reply],
        before: Callable[[str], Reply] | None = None,
        /,
        env: Mapping[str, str] | None = None,
        served: str = "",
        **more: Any,
    ) -> Ended:
        with (
            endpoint(candidate) as new,
            endpoint(before or replies(), served) as old,
            endpoint(replies()) as judge,
        ):
            asked = {"timeoutSeconds": 60, "retries": 0}
            changed = more.pop("candidate", {})
            asked_before = {**asked, "weights": "served"} if served else asked
            job = {
                "goldenSet": str(self.golden),
                "digest": read(str(self.golden)).digest,
                "candidate": {"url": new.url, "model": "org/candidate", "revision": "r2", **asked, **changed},
                "production": {"url": old.url, "model": "org/production", **asked_before} if before else None,
                "judge": {"url": judge.url, "model": "judge", **asked},
                "rules": self.rules,
                "target": str(self.folder / "out"),
                **more,
            }
            (file := self.folder / "gate.json").write_text(json.dumps(job))
            arguments = ["gate", "--job", str(file), "--summary", str(self.folder / "summary.md")]
            ended = self.forks.main(MAIN, *arguments, env={"HOME": str(self.folder), **(env or {})})
            self.asked = new.asked
        return ended

    @property
    def written(self) -> list[Path]:
        """The folders of the runs."""
        return sorted((self.folder / "out").iterdir()) if (self.folder / "out").exists() else []

    def verdict(self) -> dict[str, Any]:
        return json.loads((self.written[-1] / "verdict.json").read_text())


@pytest.fixture
def gate(forks: Forks, tmp_path: Path) -> Gate:
    """With ten cases of the example."""
    (cases := tmp_path / "few" / "cases").mkdir(parents=True)
    shutil.copy(EXAMPLE / "golden.yaml", cases.parent)
    lines = [line for file in (EXAMPLE / "cases").iterdir() for line in file.read_text().splitlines()]
    (cases / "few.jsonl").write_text("\n".join(line for line in lines if json.loads(line)["id"] in FEW))
    return Gate(forks, tmp_path, cases.parent)


def test_a_model_that_is_right_passes_and_every_case_was_asked_once(gate: Gate) -> None:
    gate.golden = EXAMPLE
    ended = gate.run(replies(), replies(en_rate="40"))
    assert ended.code == 0, ended.errors
    assert sorted(body["messages"][-1]["content"] for body in gate.asked) == sorted(RIGHT)
    assert {body["model"] for body in gate.asked} == {"org/candidate"}
    verdict = gate.verdict()
    assert (
        verdict["passed"]
        and verdict["reasons"] == []
        and verdict["errors"] == {"candidate": 0, "production": 0}
    )
    assert verdict["goldenSet"] == {"name": "example", "version": "1.0.0", "digest": GOLDEN.digest}
    assert verdict["confidenceInterval"]["mean"] == pytest.approx(1 / len(GOLDEN.cases))
    assert verdict["slices"]["language=en"] == {"cases": 8, "candidate": 1.0, "production": 7 / 8}
    assert "org/candidate passes" in (gate.folder / "summary.md").read_text()


def test_a_language_that_is_lost_blocks_though_the_mean_is_good(gate: Gate) -> None:
    gate.rules = {"margin": 1, "minMean": 0.6, "minSlice": 0.5}
    wrong = {id_.replace("-", "_"): "எனக்குத் தெரியாது" for id_ in TAMIL}
    ended = gate.run(replies(**wrong), replies())
    assert ended.code == 65
    reasons = gate.verdict()["reasons"]
    assert gate.verdict()["mean"]["candidate"] == pytest.approx(0.6)
    assert "language=ta: 0% of 4 cases pass; minSlice asks for 50%" in reasons
    assert any(reason.startswith("language=ta: 0% of 4 cases pass, 100% in production") for reason in reasons)
    assert not any(reason.endswith("minMean asks for 60%") for reason in reasons)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (b"<html>Bad gateway</html>", ""),
        (b'{"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": []}', ""),
        (500, "status 500"),
        (None, "timeout"),
    ],
)
def test_a_half_broken_endpoint_is_no_verdict_and_writes_nothing(
    gate: Gate, reply: Reply, error: str
) -> None:
    broken = {id_.replace("-", "_"): reply for id_ in TAMIL}
    ended = gate.run(replies(**broken), replies(), candidate={"timeoutSeconds": 3} if reply is None else {})
    assert ended.code == 69, (ended.output, ended.errors)
    found = re.search(r"(\d+) of 10 cases of candidate org/candidate ended in errors", ended.errors)
    # On a busy machine others may be late too.
    assert found and (int(found[1]) >= 4 if reply is None else int(found[1]) == 4)
    assert error in ended.errors.lower()
    assert gate.written == []


def test_a_few_errors_are_counted_apart_and_an_empty_answer_is_wrong(gate: Gate) -> None:
    gate.rules = {"margin": 1, "sliceMargin": 1, "maxErrors": 0.1}
    ended = gate.run(replies(hi_otp=500, en_gst=""), replies(ta_lakhs=b"junk"))
    assert ended.code == 0, ended.errors
    verdict = gate.verdict()
    assert verdict["errors"] == {"candidate": 1, "production": 1}
    assert verdict["mean"]["candidate"] == pytest.approx(0.8)
    # Of nine pairs that production could answer the candidate fails two more.
    assert verdict["confidenceInterval"]["mean"] == pytest.approx(-2 / 9)


def test_production_that_is_broken_is_no_verdict_either(gate: Gate) -> None:
    assert gate.run(replies(), lambda prompt: 500).code == 69
    assert gate.written == []


def test_without_production_the_floors_count_and_a_name_that_is_not_there_is_a_first_rollout(
    gate: Gate,
) -> None:
    gate.rules = {"minMean": 1}
    absent = {"url": "http://serve.serving.svc.invalid:8000/v1", "model": "m"}
    ended = gate.run(replies(en_gst="5,899"), production=absent)
    assert ended.code == 65, ended.errors
    assert "event=first-rollout" in ended.output
    assert gate.verdict()["baseline"] is None and "90% of the cases pass" in gate.verdict()["reasons"][0]


def test_an_answer_with_anothers_number_blocks_and_the_number_is_not_told(gate: Gate) -> None:
    gate.rules = {"margin": 1, "sliceMargin": 1}
    ended = gate.run(replies(hi_otp="1930 पर बताएँ, OTP न बताएँ। आधार 2341 2341 2346"), replies())
    assert ended.code == 65
    assert gate.verdict()["reasons"] == [
        "case hi-otp: the answer has a Aadhaar number, which the case does not have"
    ]
    assert "2341" not in ended.output + ended.errors + (gate.folder / "summary.md").read_text()


def test_recorded_results_stand_for_production_if_they_are_of_this_set_and_unchanged(gate: Gate) -> None:
    assert gate.run(replies(en_rate="40")).code == 0
    recorded = gate.written[-1] / "results.json"
    assert gate.run(replies(), recorded=str(recorded)).code == 0
    assert gate.verdict()["confidenceInterval"]["mean"] == pytest.approx(0.1)
    recorded.write_text(recorded.read_text().replace('"40"', '"37.5"'))
    ended = gate.run(replies(), recorded=str(recorded))
    assert ended.code == 64 and "were changed" in ended.errors


def test_a_signed_verdict_lets_its_own_revision_through_and_no_other(gate: Gate) -> None:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (gate.folder / "key.pem").write_bytes(private)
    (gate.folder / "key.pub").write_bytes(public)
    assert gate.run(replies(), key=str(gate.folder / "key.pem")).code == 0
    verdict = gate.written[-1] / "verdict.json"

    def verify(revision: str, *more: str) -> Ended:
        words = [
            "--verdict",
            str(verdict),
            "--key",
            str(gate.folder / "key.pub"),
            "--revision",
            revision,
            *more,
        ]
        return gate.forks.main(MAIN, "verify", *words)

    assert verify("r2", "--digest", read(str(gate.golden)).digest).code == 0
    assert verify("r3").code == 65 and "of revision 'r2'" in verify("r3").errors
    assert verify("r2", "--digest", "0" * 64).code == 65
    verdict.write_text(verdict.read_text().replace("r2", "r3"))
    assert verify("r3").code == 65 and "was changed" in verify("r3").errors


def test_a_verdict_names_both_models_by_their_files(gate: Gate) -> None:
    for name in ("new", "old"):
        (files := gate.folder / name / "shards").mkdir(parents=True)
        (files.parent / "config.json").write_text("{}")
        (files / "model.safetensors").write_text(name)
    # As whoever has the folder finds it.
    listed = "find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum"
    digests = {
        name: subprocess.check_output(listed, shell=True, cwd=gate.folder / name, text=True).split()[0]
        for name in ("new", "old")
    }
    candidate, production = {"weights": str(gate.folder / "new")}, f"file://{gate.folder}/old"
    assert gate.run(replies(), replies(), candidate=candidate, served=production).code == 0
    verdict = gate.verdict()
    assert (verdict["model"]["revision"], verdict["baseline"]["revision"]) == (digests["new"], digests["old"])


def test_production_whose_files_are_gone_or_of_a_hub_is_judged_without_them(tmp_path: Path) -> None:
    def revision(root: str) -> str:
        with endpoint(replies(), root) as here:
            asked = {"url": here.url, "model": "org/production", "weights": "served"}
            return weights.measured_as_served(Endpoint.model_validate(asked)).revision

    (tmp_path / "config.json").write_text("{}")
    assert revision(f"file://{tmp_path}") == weights.digest(str(tmp_path))
    assert [revision(root) for root in (f"file://{tmp_path}/absent", "org/production", "")] == ["", "", ""]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"candidate": {"weights": "/nowhere"}}, "weights /nowhere are not there"),
        ({"digest": "0" * 64}, "it was changed"),
        ({"goldenSet": "/nowhere"}, "has no golden.yaml"),
        ({"judge": None}, "judge is not given"),
        ({"candidate": {"url": "serve:8000"}}, "candidate.url is 'serve:8000'"),
        ({"rules": {"margin": 2}}, "rules.margin"),
        ({"rules": {"marjin": 0.1}}, "rules.marjin"),
        ({"key": "/nowhere.pem"}, "key /nowhere.pem can't be read"),
        ({"recorded": "/nowhere.json"}, "results /nowhere.json are not there"),
    ],
)
def test_a_wrong_job_is_refused_before_anybody_is_asked(
    gate: Gate, changes: dict[str, Any], message: str
) -> None:
    ended = gate.run(replies(), **changes)
    assert ended.code == 64 and message in ended.errors, ended.errors
    assert gate.asked == [] and gate.written == []
