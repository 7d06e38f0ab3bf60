"""What Cloud Storage has and S3 has not: soft delete, holds, retention; and `make erase` on a stack there."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from commands.__main__ import main
from commands.erase import ask, command, places
from commands.page.state import read
from commands.stacks import settings_of
from tests.commands.erase.conftest import Program
from tests.commands.erase.test_command import OTHERS, SECRET, resource
from tests.commands.erase.test_lake import AFTER_A_YEAR, SEARCH, TODAY, WHOM, carry_out, lines, planned

pytestmark = pytest.mark.slow

SOFT_DELETED = """
from google.cloud import storage
found = storage.Client(project="test").list_blobs(sys.argv[1], soft_deleted=True)
print(json.dumps([[blob.name, str(blob.generation), blob.hard_delete_time.isoformat()] for blob in found]))
"""


def test_what_is_deleted_can_be_restored_and_the_plan_says_until_when(google: Program) -> None:
    bucket = google.bucket(softDeletePolicy={"retentionDurationSeconds": "777600"})
    google.put(bucket, "a.jsonl", lines(WHOM, "acc-1"))
    steps = planned(google, {bucket: "internal"}, TODAY)
    last = TODAY + timedelta(days=9)
    assert [(step.do, step.restorable) for step in steps] == [("rewrite", None), ("delete", last)]
    assert carry_out(google, steps)[1] == {}
    ((key, generation, ends),) = google.script(SOFT_DELETED, bucket)
    assert (key, generation) == ("a.jsonl", steps[1].version.id)
    assert abs((datetime.fromisoformat(ends).date() - last).days) <= 1
    assert planned(google, {bucket: "internal"}, TODAY) == [], "nobody can read it, so nothing is to be done"

    off = google.bucket(softDeletePolicy={"retentionDurationSeconds": "0"})
    google.put(off, "a.jsonl", lines(WHOM, "acc-1"))
    steps = planned(google, {off: "internal"}, TODAY)
    assert [step.restorable for step in steps] == [None, None]
    carry_out(google, steps)
    assert google.script(SOFT_DELETED, off) == []


def test_holds_keep_the_rows_themselves_and_retention_the_generation_that_had_them(google: Program) -> None:
    until = datetime.now(UTC) + timedelta(days=500)
    bucket = google.bucket()
    own = {"mode": "Unlocked", "retainUntilTime": until.isoformat()}
    hers = lines(WHOM, "acc-1")
    google.put(bucket, "held.jsonl", hers, temporary_hold=True)
    google.put(bucket, "event.jsonl", hers, event_based_hold=True)
    google.script(RETAIN, bucket, "own.jsonl", hers.hex(), json.dumps(own))
    by_bucket = google.bucket(retentionPolicy={"retentionPeriod": str(400 * 86_400)})
    google.put(by_bucket, "bucket.jsonl", hers)

    steps = planned(google, {bucket: "internal", by_bucket: "internal"}, TODAY)
    said = {(step.version.key, step.do): (step.until, step.why) for step in steps}
    assert set(said) == {
        ("held.jsonl", "keep"),
        ("event.jsonl", "keep"),
        ("own.jsonl", "rewrite"),
        ("own.jsonl", "keep"),
        ("bucket.jsonl", "rewrite"),
        ("bucket.jsonl", "keep"),
    }
    assert said["held.jsonl", "keep"] == (date.max, "nothing may take its place: a temporary hold")
    assert "an event-based hold" in said["event.jsonl", "keep"][1]
    assert said["own.jsonl", "keep"][0] == until.date() + timedelta(days=1)
    assert said["bucket.jsonl", "keep"][0] in (TODAY + timedelta(days=401), TODAY + timedelta(days=402))
    assert not any("failed" in one for one in carry_out(google, steps))
    latest = {
        key: text for (_, key, id), text in google.contents(bucket, by_bucket).items() if id == "latest"
    }
    assert {key for key, text in latest.items() if WHOM in text} == {"held.jsonl", "event.jsonl"}

    # Who takes a lock for none: the store refuses, and says so.
    forced = [step for step in steps if step.do == "keep"]
    answers = carry_out(google, forced, ("keep",))
    assert not any("be logged in" in one["failed"] for one in answers)
    assert all(
        "is under active" in one["failed"] or "is subject to bucket's" in one["failed"] for one in answers
    )


RETAIN = """
from google.cloud import storage
blob = storage.Client(project="test").bucket(sys.argv[1]).blob(sys.argv[2])
blob._properties["retention"] = json.loads(sys.argv[4])
blob._changes.add("retention")
blob.upload_from_string(bytes.fromhex(sys.argv[3]))
print("{}")
"""


def test_a_bucket_without_versions_keeps_rows_for_their_year_and_then_they_can_be_restored(
    google: Program,
) -> None:
    bucket = google.bucket(versioning={"enabled": False})
    google.put(bucket, "a.jsonl", lines(WHOM, "acc-1"))
    (kept,) = planned(google, {bucket: "personal"}, TODAY)
    assert kept.do == "keep" and "keeps no versions" in kept.why and "r.8(3)" in kept.why
    (step,) = planned(google, {bucket: "personal"}, AFTER_A_YEAR)
    assert (step.do, step.restorable) == ("rewrite", AFTER_A_YEAR + timedelta(days=7))
    carry_out(google, [step])
    assert not any(WHOM in text for text in google.contents(bucket).values())
    assert [key for key, *_ in google.script(SOFT_DELETED, bucket)] == ["a.jsonl"]


def test_a_new_generation_keeps_what_the_one_before_had_beside_its_rows(google: Program) -> None:
    bucket = google.bucket()
    packed = gzip.compress(lines(WHOM, "acc-1"))
    about = {"content_encoding": "gzip", "content_type": "application/jsonl", "cache_control": "no-store"}
    google.put(bucket, "a.jsonl", packed, **about)
    carry_out(google, planned(google, {bucket: "internal"}, TODAY))
    now = """
import gzip
from google.cloud import storage
blob = storage.Client(project="test").bucket(sys.argv[1]).get_blob("a.jsonl")
kept = [blob.metadata, blob.content_encoding, blob.content_type, blob.cache_control]
print(json.dumps([*kept, gzip.decompress(blob.download_as_bytes(raw_download=True)).decode()]))
"""
    *kept, rows = google.script(now, bucket)
    assert kept == [{"of": "a test"}, *about.values()]
    assert rows == lines(WHOM, "acc-1").decode().split("\n", 1)[1]


def test_a_store_that_refuses_is_one_message(google: Program) -> None:
    assert "gs://no-such-bucket-1: not there" in google.refused("find", "no-such-bucket-1", **SEARCH)
    nobody = """
import os
from pathlib import Path
del os.environ["STORAGE_EMULATOR_HOST"]
# Neither a file nor a metadata server: what is asked first is the file that the variable names.
os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = "nowhere.json"
from commands.erase.programs.gcs import Bucket
Bucket("lake-raw")
"""
    said = google.forks.run_script(google._told(nobody)).errors
    assert "gs://lake-raw: " in said and "log in with `gcloud auth application-default login`" in said
    deny = """
from google.api_core.exceptions import Forbidden
from commands.erase.programs.gcs import refusals
with refusals("lake-raw"):
    raise Forbidden("no storage.objects.list")
"""
    assert "gs://lake-raw denies access (no storage.objects.list): be logged in as" in (
        google.forks.run_script(deny).errors
    )


def bucket(role: str, name: str) -> dict[str, Any]:
    labels = {"dpdp-data-class": "personal", "dpdp-retention-days": "400"}
    inputs = {"labels": labels, "location": "IN"}
    made = resource("gcp:storage/bucket:Bucket", f"lake-{role}", inputs)
    return made | {"outputs": {"name": name, "location": "IN"}}


def test_make_erase_on_a_stack_of_google(
    google: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = google.bucket()
    audit = google.bucket(
        versioning={"enabled": False}, retentionPolicy={"retentionPeriod": str(365 * 86_400)}
    )
    state, key = tmp_path / "stack.json", tmp_path / "erase.key"
    found = [bucket("raw", raw), bucket("audit", audit)]
    state.write_text(json.dumps({"version": 3, "deployment": {"resources": found}}))
    key.write_text(SECRET)
    google.put(raw, "a.jsonl", lines(WHOM, *OTHERS))

    def forked(job: str) -> Iterator[str]:
        asked = json.loads(job)
        assert {one["store"] for one in asked["buckets"]} == {"gs"}
        names = [one["name"] for one in asked.pop("buckets")]
        yield from map(json.dumps, google.job(asked.pop("do"), *names, **asked))

    monkeypatch.setattr(ask, "_lines", forked)

    def erase(place: str, code: int, *words: str) -> str:
        given = ["--state", str(state), "--columns", "account_id", "--key", str(key), "--place", place]
        with pytest.raises(SystemExit) as ended:
            main(["erase", "--principal", WHOM, *given, *words])
        said = capsys.readouterr().out
        assert (ended.value.code or 0) == code, said
        return said

    assert "no lake with an audit bucket at PLACE=aws: nothing was done; it has buckets at PLACE=gcp" in (
        erase("aws", 1)
    )
    said = erase("gcp", 0, "--yes")
    week = datetime.now(UTC).date() + timedelta(days=7)
    assert f"what was deleted in gs://{raw} before: it can't be read, and can be restored" in said
    assert re.search(rf"the record: gs://{audit}/erasures/[0-9a-f]{{32}}/\S+-ended\.json", said)
    proofs = {
        name.rpartition("-")[2]: json.loads(text) for (_, name, id), text in google.contents(audit).items()
    }
    assert WHOM not in json.dumps(proofs)
    versions = proofs["ended.json"]["versions"]
    assert [(one["do"], one["object"]) for one in versions] == [
        (do, f"gs://{raw}/a.jsonl") for do in ("rewrite", "keep")
    ]
    assert versions[0]["after"]["id"] and versions[1]["restorable_until"] is None

    monkeypatch.setattr(command, "_now", lambda: datetime.now(UTC) + timedelta(days=366))
    said = erase("gcp", 0, "--yes")
    last = week + timedelta(days=366)
    assert "version deleted" in said and f"can be restored until {last}: after a restore" in said
    assert not any(WHOM in text for text in google.contents(raw).values())


def test_the_buckets_of_both_regions_are_opened_by_their_labels(tmp_path: Path) -> None:
    file = tmp_path / "stack.json"
    found = [bucket("raw", "raw-1"), bucket("delhi-raw", "raw-2"), bucket("audit", "audit-1")]
    found[1]["inputs"] = {"labels": {"dpdp-data-class": "internal"}}
    file.write_text(json.dumps({"version": 3, "deployment": {"resources": found}}))
    lake = places.lake(read("local", file), settings_of("local"), "gcp")
    assert [(one.uri, one.data_class) for one in lake.data] == [
        ("gs://raw-1", "personal"),
        ("gs://raw-2", "internal"),
    ]
    assert lake.audit.uri == "gs://audit-1"
    others = places.elsewhere(read("local", file), settings_of("local"), "gcp", TODAY)
    assert [(one.what, one.left) for one in others] == [("bucket audit-1", False)]
