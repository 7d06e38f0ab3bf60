"""`make erase`: what it shows, does and proves, on a lake with versions and locks; and what it refuses."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from commands.__main__ import main
from commands.erase import ask, command, places
from commands.erase.plan import Found, Rules, plan
from commands.page.state import read
from commands.stacks import settings_of
from tests.commands.erase.conftest import PROJECT, REGION, STANDING, Program
from tests.commands.erase.test_lake import WHOM, lines

pytestmark = pytest.mark.slow

SECRET = "a secret of thirty-two characters"
# Few enough rows of theirs.
OTHERS = [f"acc-1{at:06}" for at in range(30)]
LOCK = {
    "create_bucket": {"ObjectLockEnabledForBucket": True},
    "put_object_lock_configuration": {
        "ObjectLockConfiguration": {
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 365}},
        }
    },
}


def resource(
    type_: str, name: str, inputs: Mapping[str, Any] | None = None, **outputs: Any
) -> dict[str, Any]:
    urn = f"urn:pulumi:local::india-ai-infra::{type_}::{name}"
    return {"type": type_, "urn": urn, "custom": True, "id": name, "inputs": inputs or {}, "outputs": outputs}


def bucket(role: str, name: str) -> dict[str, Any]:
    tags = {"dpdp:data-class": "personal", "dpdp:retention-days": "400"}
    return resource("aws:s3/bucket:Bucket", f"lake-{role}", {"tags": tags}, bucket=name, region=REGION)


LOGS = resource("aws:cloudwatch/logGroup:LogGroup", "flow-logs", {"retentionInDays": 365})


@dataclass
class Stack:
    """A stack with a lake, and the command on it."""

    program: Program
    folder: Path
    raw: str
    audit: str
    capsys: pytest.CaptureFixture[str]

    def state(self, *more: dict[str, Any]) -> Path:
        """Its state, with more resources."""
        file = self.folder / "stack.json"
        found = [bucket("raw", self.raw), bucket("audit", self.audit), LOGS, *more]
        file.write_text(json.dumps({"version": 3, "deployment": {"resources": found}}))
        return file

    def erase(
        self,
        *words: str,
        code: int = 0,
        state: Path | None = None,
        whom: tuple[str, ...] = ("--principal", WHOM),
    ) -> str:
        """What the command prints, and that it ends with a code."""
        key = self.folder / "erase.key"
        key.write_text(SECRET)
        given = [
            "--state",
            str(state or self.state()),
            "--columns",
            "account_id",
            "--key",
            str(key),
            *whom,
            *words,
        ]
        with pytest.raises(SystemExit) as ended:
            main(["erase", *given])
        said = self.capsys.readouterr().out
        assert (ended.value.code or 0) == code, said
        return said

    def proofs(self) -> dict[str, Any]:
        """The records in the audit bucket, by their name."""
        found = self.program.contents(self.audit)
        return {
            key.rpartition("/")[2]: json.loads(text) for (_, key, id), text in found.items() if id == "latest"
        }


@pytest.fixture
def stack(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Stack]:
    """A lake whose program is a fork: a process of its own takes a second."""

    def forked(job: str) -> Iterator[str]:
        asked = json.loads(job)
        yield from map(
            json.dumps, program.job(asked.pop("do"), *[one["name"] for one in asked.pop("buckets")], **asked)
        )

    monkeypatch.setattr(ask, "_lines", forked)
    yield Stack(program, tmp_path, program.bucket(), program.bucket(**LOCK), capsys)


def test_what_is_found_is_shown_then_done_and_proven(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    before = lines(WHOM, *OTHERS)
    stack.program.put(stack.raw, f"of-{WHOM}/a.jsonl", before)
    # Its records of other files: this one is known by its digest alone.
    start = {"data": {"commit": "41ab", "files": {"a.jsonl": hashlib.sha256(before).hexdigest()}}}
    record = {"starts": [start | {"recipe": {"data": {"uri": "s3://elsewhere/tokens"}}}]}
    stack.program.put(stack.raw, "jobs/train/runs/run.json", json.dumps(record).encode())
    lineage = stack.folder / "lineage.json"
    lineage.write_text(
        json.dumps([{"model": "loan-risk", "version": "3", "data": "41ab"}, {"model": "old", "data": "1"}])
    )

    shown = stack.erase("--lineage", str(lineage))
    assert "written anew without them" in shown and "nothing was done; YES=1 does it" in shown
    assert f"s3://{stack.raw}/jobs/train: read a file with it, by its digest; models: loan-risk 3" in shown
    year = datetime.now(UTC).date() + timedelta(days=365)
    assert f"log group flow-logs: kept; the newest entries go by themselves, the last on {year}" in shown
    assert "kept by DPDP Rules 2025 r.8(3) (in force from 2027-05-13): a year from the processing" in shown
    assert stack.proofs() == {} and _readers(stack) == {f"of-{WHOM}/a.jsonl": before.decode()}

    said = stack.erase("--yes", "--lineage", str(lineage))
    assert _readers(stack) == {f"of-{WHOM}/a.jsonl": lines("x", *OTHERS).decode().partition("\n")[2]}
    proof = _proof(stack, said)
    assert WHOM not in json.dumps(stack.proofs()), (
        "the identifier is in no record, and in no name of an object"
    )
    assert [one["do"] for one in proof["versions"]] == ["rewrite", "keep"]
    written, kept = proof["versions"]
    assert written["object"] == f"s3://{stack.raw}/of-<identifier>/a.jsonl"
    assert written["sha256"] == hashlib.sha256(before).hexdigest()
    assert (
        written["after"]["sha256"]
        == hashlib.sha256(_readers(stack)[f"of-{WHOM}/a.jsonl"].encode()).hexdigest()
    )
    assert (written["rows"], written["after"]["rows"]) == (1, 30)
    assert date.fromisoformat(kept["until"]) - year in (timedelta(0), timedelta(-1))
    assert [one["models"] for one in proof["trained"]] == [["loan-risk 3"]]

    monkeypatch.setattr(command, "_now", lambda: datetime.now(UTC) + timedelta(days=366))
    assert "version deleted" in stack.erase("--yes")
    assert not any(WHOM in text for text in stack.program.contents(stack.raw).values())
    assert "in no version of any object" in stack.erase("--yes")


def _readers(stack: Stack) -> dict[str, str]:
    found = stack.program.contents(stack.raw)
    return {
        key: text for (_, key, id), text in found.items() if id == "latest" and not key.endswith("run.json")
    }


def _proof(stack: Stack, said: str) -> Any:
    found = re.search(rf"the record: s3://{stack.audit}/erasures/[0-9a-f]{{32}}/(\S+-ended\.json)", said)
    assert found, said
    return stack.proofs()[found[1]]


def test_a_run_that_is_killed_is_gone_on_from_and_whom_a_restore_brings_back_is_erased_again(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        stack.program.put(stack.raw, f"{name}.jsonl", lines(WHOM, *OTHERS))
    forked: Callable[[str], Iterator[str]] = ask._lines

    def killed(job: str) -> Iterator[str]:
        asked = json.loads(job)
        if asked["do"] != "carry-out":
            yield from forked(job)
            return
        yield from forked(json.dumps(asked | {"actions": asked["actions"][:1]}))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ask, "_lines", killed)
        with pytest.raises(KeyboardInterrupt):
            command.erase(WHOM, "account_id", _key(stack), "local", stack.state(), yes=True)
    assert [name.rpartition("-")[2] for name in stack.proofs()] == ["begun.json"]
    assert sum(WHOM in text for text in _readers(stack).values()) == 1
    stack.erase("--yes")
    assert not any(WHOM in text for text in _readers(stack).values())

    # The lake as a backup had it. The records have no identifier: with their key a row's own is known by its digest.
    stack.program.put(stack.raw, "a.jsonl", lines(WHOM, *OTHERS))
    stack.erase("--again", "--yes", whom=())
    assert not any(WHOM in text for text in _readers(stack).values())


def _key(stack: Stack) -> Path:
    key = stack.folder / "erase.key"
    key.write_text(SECRET)
    return key


def test_what_it_can_not_do_is_left_to_you_and_it_ends_with_1(stack: Stack) -> None:
    stack.program.put(stack.raw, "notes.txt", f"asked by {WHOM}".encode())
    database = resource("aws:rds/instance:Instance", "mlflow", {"backupRetentionPeriod": 7})
    gcs = resource("gcp:storage/bucket:Bucket", "lake-raw")
    said = stack.erase("--yes", code=1, state=stack.state(database, gcs))
    assert "left to you" in said and "no table, and the identifier is in it" in said
    assert "database mlflow: its rows are not looked at" in said
    last = datetime.now(UTC).date() + timedelta(days=7)
    assert (
        f"backups of the database mlflow: they can't be opened: after a restore erase again, the last on {last}"
        in said
    )
    assert "bucket lake-raw: run again with PLACE=gcp" in said
    assert "not all is erased: 0 failed" in said
    proof = _proof(stack, said)
    assert [one["do"] for one in proof["versions"]] == ["left"]


def test_a_large_share_of_all_rows_is_refused_unless_you_are_sure(stack: Stack) -> None:
    stack.program.put(stack.raw, "a.jsonl", lines(WHOM, "acc-1"))
    assert "50% of all rows are of this identifier" in stack.erase("--yes", code=1)
    assert stack.proofs() == {}
    stack.erase("--yes", "--sure")
    assert not any(WHOM in text for text in _readers(stack).values())


def test_rows_that_are_masked_stay_and_a_column_that_nobody_has_is_refused(stack: Stack) -> None:
    stack.program.put(stack.raw, "a.jsonl", lines(WHOM, *OTHERS))
    said = stack.erase("--yes", "--mask", "n,phone", code=1)
    assert "no table with rows of theirs has phone, and nothing was done" in said
    stack.erase("--yes", "--mask", "n")
    first, rest = _readers(stack)["a.jsonl"].split("\n", 1)
    assert json.loads(first) == {"account_id": None, "n": None}
    assert rest == lines(WHOM, *OTHERS).decode().split("\n", 1)[1]


def test_the_program_runs_by_itself_and_its_identifier_is_on_no_command_line(
    program: Program, python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask, "environment", lambda requirements: python)
    for name, value in program.variables.items():
        monkeypatch.setenv(name, value)
    name = program.bucket()
    program.put(name, "a.jsonl", lines(WHOM))
    place = places.Place(name, REGION, "personal")
    search = ask.Search({"principal": WHOM}, ["account_id"])
    answers = list(ask.ask("find", [place], search))
    assert [one.get("found") for one in answers] == [None, 1]
    with pytest.raises(ask.StoreRefusedError, match=r"^s3://no-such-bucket-1: not there"):
        list(ask.ask("find", [places.Place("no-such-bucket-1", REGION, "personal")], search))


def test_the_environment_that_tests_run_in_has_what_the_command_pins() -> None:
    def pins(file: Path) -> set[str]:
        # Which Python needs it is not in question.
        return set(re.findall(r"^[\w.-]+==[\w.]+", file.read_text(), re.MULTILINE))

    own = pins(ask.REQUIREMENTS)
    assert {one.partition("==")[0] for one in own} >= {"google-cloud-storage", "pyarrow", "s3fs"}
    assert own <= pins(STANDING)


def test_every_resource_of_the_table_is_known_to_the_page() -> None:
    """A slip in a type would hide a database."""
    types = {line.partition(",")[0] for line in places.STORES.read_text().splitlines()[1:]}
    known = "".join(file.read_text() for file in (PROJECT / "infra").rglob("*.py"))
    for type_ in types:
        provider, module, name = (
            re.split("[:/]", type_)[0],
            re.split("[:/]", type_)[1],
            type_.rpartition(":")[2],
        )
        assert provider == "kubernetes" or f"{module}.{name}(" in known, type_


WRONG = {
    "": "PRINCIPAL=: give the identifier",
    "--principal  ": "PRINCIPAL=: give the identifier",
    "--principal x ": "there is space around the identifier",
    "--principal x --columns a,,b": "COLUMNS=a,,b: give names of columns",
    "--principal x --key nowhere.key": "KEY=nowhere.key: ",
    "--principal x --key short.key": "5 letters are too few",
    "--principal x --lineage nowhere.json": "LINEAGE nowhere.json: it can't be read",
    "--principal x --again": "give no PRINCIPAL beside it",
    "--principal x --state empty.json": "nothing of empty.json stands",
    "--principal x --state no-lake.json": "local has no lake with an audit bucket at PLACE=aws",
    "--principal x --place onPremises": "no lake with an audit bucket at PLACE=onPremises",
}


def test_wrong_inputs_end_in_one_message_before_the_lake_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ask, "_lines", lambda job: pytest.fail(job))
    for name, resources in {
        "stack": [bucket("raw", "lake-raw-1"), bucket("audit", "lake-audit-1")],
        "empty": [],
        "no-lake": [LOGS],
    }.items():
        Path(f"{name}.json").write_text(json.dumps({"version": 3, "deployment": {"resources": resources}}))
    Path("erase.key").write_text(SECRET)
    Path("short.key").write_text("short")
    for words, why in WRONG.items():
        given = {"--state": "stack.json", "--columns": "account_id", "--key": "erase.key"}
        more = words.split(" ", 1)[1] if words.startswith("--principal") else None
        with pytest.raises(SystemExit) as ended:
            main(["erase", *_flat(given), *_words(words, more)])
        said = capsys.readouterr()
        assert (ended.value.code, why in said.out) == (1, True), (words, said.out)
        assert "Traceback" not in said.out + said.err


def _flat(given: Mapping[str, str]) -> list[str]:
    return [word for pair in given.items() for word in pair]


def _words(words: str, more: str | None) -> list[str]:
    # What is after `--principal` keeps its space.
    if more is None:
        return words.split()
    value, dash, rest = more.partition(" --")
    return ["--principal", value, *(f"--{rest}".split() if dash else [])]


def test_what_workloads_keep_beside_the_lake_is_named(tmp_path: Path) -> None:
    file = tmp_path / "stack.json"
    file.write_text(
        json.dumps({"version": 3, "deployment": {"resources": [bucket("access-logs", "logs-1")]}})
    )
    settings = settings_of("local")
    asked = {
        "gateway": {"models": [{"name": "m", "urls": ["http://serve.serving.svc:8000"], "revision": "1"}]}
        | {"tenants": [{"name": "bank", "dataClass": "internal"}], "cache": {"image": "x.example/c:1"}},
        "features": {"image": "x.example/f:1"},
    }
    chosen = settings.model_copy(update={"workloads": type(settings.workloads).model_validate(asked)})
    found = list(places.elsewhere(read("local", file), chosen, "aws", date(2027, 1, 1)))
    by_name = {one.what: one for one in found}
    assert by_name["bucket logs-1"].until == date(2028, 3, 6)
    assert by_name["answers in the response cache"].cache
    assert "features-materialise" in by_name["values of features in Redis"].done


def test_a_version_whose_object_was_not_written_anew_is_not_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"written": datetime(2020, 1, 1, tzinfo=UTC), "kind": "table", "size": 1, "etag": "e"}
    newest = Found("s3://raw/a.jsonl", "raw", "a.jsonl", "2", True, **made)
    older = Found("s3://raw/a.jsonl", "raw", "a.jsonl", "1", False, **made)
    steps = plan([newest, older], {"raw": Rules("internal", versioned=True)}, date(2027, 1, 1))
    assert [(step.do, step.version.id) for step in steps] == [
        ("rewrite", "2"),
        ("delete", "2"),
        ("delete", "1"),
    ]
    asked: list[list[tuple[str, str]]] = []

    def refuse(do: str, where: Any, search: Any, actions: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
        asked.append([(one["do"], one["id"]) for one in actions])
        return iter([{"failed": "no"} if one["do"] == "rewrite" else {} for one in actions])

    monkeypatch.setattr(command, "ask", refuse)
    where = places.Lake([], places.Place("audit", REGION, "personal"))
    command._carry_out(where, ask.Search({}, []), steps)
    assert asked == [[("rewrite", "2")], [("delete", "1")]]
