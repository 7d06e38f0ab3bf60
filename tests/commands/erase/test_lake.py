"""Every version of a lake on a real S3: nobody finds the person after their year, and no other row is lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from commands.erase.plan import Found, Rules, Step, plan, share
from tests.commands.erase.conftest import Program

pytestmark = pytest.mark.slow

WHOM = "acc-0000004"
HERS = f'"{WHOM}"'
SEARCH: dict[str, Any] = {"whom": {"principal": WHOM}, "columns": ["account_id"]}
TODAY = datetime.now(UTC).date()
AFTER_A_YEAR = TODAY + timedelta(days=366)


def look(program: Program, classes: dict[str, str], **search: Any) -> tuple[list[Found], dict[str, Rules]]:
    """What is found in every version of buckets with data of these classes, and the buckets' rules."""
    answers = program.job("find", *classes, **SEARCH | search)
    rules = {
        name: Rules(classes[name], one["versioned"], one["restorable_days"])
        for one in answers
        if "versioned" in one and (name := one["bucket"])
    }
    return [Found.of(one) for one in answers if "kind" in one], rules


def planned(program: Program, classes: dict[str, str], today: date) -> list[Step]:
    """What is to be done in buckets with data of these classes."""
    return plan(*look(program, classes), today)


def carry_out(
    program: Program, steps: Sequence[Step], do: Sequence[str] = ("rewrite", "remove", "delete")
) -> list[Any]:
    """What came of the steps."""
    actions = [
        {"do": one.do, "bucket": one.version.bucket, "key": one.version.key, "id": one.version.id}
        | {"latest": True, "written": "", "size": one.version.size, "etag": one.version.etag}
        for one in steps
        if one.do in do
    ]
    buckets = {one["bucket"] for one in actions}
    return program.job("carry-out", *buckets, **SEARCH, actions=actions) if actions else []


def lines(*accounts: str) -> bytes:
    """Rows of accounts as JSON lines."""
    return b"".join(
        json.dumps({"account_id": one, "n": at}).encode() + b"\n" for at, one in enumerate(accounts)
    )


accounts = st.lists(st.sampled_from([WHOM, "acc-0000044", "acc-000000", "acc-1"]), min_size=1, max_size=4)
# Versions of three objects in the order in which they are written, those that are then hidden, and the class of all.
histories = st.tuples(
    st.lists(st.tuples(st.sampled_from("abc"), accounts), min_size=1, max_size=5),
    st.sets(st.sampled_from("abc")),
    st.sampled_from(["personal", "internal"]),
)


# Five lakes at a time, twice: each time is some ten processes.
@given(st.lists(histories, min_size=5, max_size=5), st.booleans())
@settings(max_examples=2, phases=[Phase.generate])
def test_no_version_has_them_when_their_year_is_over(either: Program, drawn: Any, killed: bool) -> None:
    puts = [[(f"{name}.jsonl", lines(*of).decode()) for name, of in written] for written, _, _ in drawn]
    hidden = [sorted(f"{one}.jsonl" for one in names) for _, names, _ in drawn]
    names = [either.bucket() for _ in drawn]
    either.write(
        [
            (name, key, content.encode())
            for name, written, gone in zip(names, puts, hidden, strict=True)
            for key, content in [*written, *((key, "") for key in gone if key in dict(written))]
        ]
    )
    classes = dict(zip(names, (data_class for _, _, data_class in drawn), strict=True))
    first = planned(either, classes, TODAY)
    # Killed after half of its actions: the next run goes on from what it finds.
    carry_out(either, first[: len(first) // 2] if killed else first)
    second = planned(either, classes, TODAY)
    carry_out(either, second)
    now = either.contents(*names)
    for name, written, gone in zip(names, puts, hidden, strict=True):
        newest = {key: content for key, content in written if key not in gone}
        readers = {key: content for (of, key, id), content in now.items() if (of, id) == (name, "latest")}
        assert readers == {key: _without(content) for key, content in newest.items()}
        theirs = [
            content
            for (of, _, id), content in now.items()
            if of == name and id != "latest" and HERS in content
        ]
        # Each version that had them is kept for its year, and no other was made; others' at once.
        kept = [content for _, content in written if HERS in content and classes[name] == "personal"]
        assert sorted(theirs) == sorted(kept)
    assert {step.until for step in second if step.do == "keep"} <= {
        TODAY + timedelta(days=at) for at in (365, 366)
    }
    carry_out(either, planned(either, classes, AFTER_A_YEAR))
    assert not any(HERS in content for content in either.contents(*names).values())
    assert planned(either, classes, AFTER_A_YEAR) == []


def _without(content: str) -> str:
    return "".join(line for line in content.splitlines(True) if HERS not in line)


def test_what_is_no_table_is_named_and_folders_of_theirs_are_hidden(either: Program) -> None:
    bucket = either.bucket()
    objects = {
        f"account_id={WHOM}/part.jsonl": lines("x"),
        f"by-account/{WHOM}.json": b"{}",
        "notes/readme.txt": b"asked by acc-0000004.",
        "notes/other.txt": b"asked by acc-00000044",
        "curated/dvc/files/md5/d4/1d8cd98f00b204e9800998ecf8427e": lines(WHOM, "acc-1"),
        "lakefs/fraud/data/gp0n1l7d77pn0cke6jjg/cg6p50nd77pn0cke6jk0": lines(WHOM, "acc-1"),
        "people/people.csv": b"id\nacc-0000004\n",
        "broken/torn.jsonl": lines(WHOM) + b'{"acc',
        "model/weights.safetensors": WHOM.encode(),
        "ok.jsonl": lines("acc-1"),
    }
    for key, content in objects.items():
        either.put(bucket, key, content)
    found, rules = look(either, {bucket: "internal"})
    kinds = {one.key: one.kind for one in found}
    assert kinds == dict(
        zip(
            objects,
            [
                "folder",
                "name",
                "bytes",
                "other",
                "content",
                "content",
                "columnless",
                "unreadable",
                "weights",
                "clear",
            ],
            strict=True,
        )
    )
    steps = plan(found, rules, TODAY)
    done = {(one.version.key.partition("/")[0], one.do) for one in steps}
    folder = f"account_id={WHOM}"
    left = {(part, "left") for part in ("by-account", "notes", "curated", "lakefs", "broken")}
    assert done == {(folder, "remove"), (folder, "delete")} | left
    assert not any("failed" in one for one in carry_out(either, steps))
    assert not any(key.startswith(folder) for _, key, _ in either.contents(bucket))


def test_what_was_written_meanwhile_is_not_lost(either: Program) -> None:
    bucket = either.bucket()
    either.put(bucket, "a.jsonl", lines(WHOM, "acc-1"))
    either.put(bucket, f"account_id={WHOM}/b.jsonl", lines("x"))
    steps = planned(either, {bucket: "personal"}, TODAY)
    either.put(bucket, "a.jsonl", lines("acc-2"))
    either.put(bucket, f"account_id={WHOM}/b.jsonl", lines("y"))
    answers = carry_out(either, steps)
    assert ["somebody wrote to it" in one["failed"] for one in answers] == [True, True]
    assert either.contents(bucket)[bucket, "a.jsonl", "latest"] == lines("acc-2").decode()


def test_a_new_object_keeps_what_the_one_before_had_beside_its_rows(program: Program) -> None:
    bucket = program.bucket()
    program.put(bucket, "a.jsonl", lines(WHOM, "acc-1"))
    tag = """
from commands.erase.programs.s3 import Bucket
bucket = Bucket(sys.argv[1], "ap-south-1")
bucket._ask("put_object_tagging", Key="a.jsonl", Tagging={"TagSet": [{"Key": "of", "Value": "a + b=c"}]})
print("{}")
"""
    program.script(tag, bucket)
    carry_out(program, planned(program, {bucket: "internal"}, TODAY))
    about = """
from commands.erase.programs.s3 import Bucket
bucket = Bucket(sys.argv[1], "ap-south-1")
tags = bucket._ask("get_object_tagging", Key="a.jsonl")["TagSet"]
print(json.dumps([bucket._ask("head_object", Key="a.jsonl")["Metadata"], tags]))
"""
    assert program.script(about, bucket) == [{"of": "a test"}, [{"Key": "of", "Value": "a + b=c"}]]


def test_a_lock_holds_a_version_and_a_bucket_without_versions_its_rows(program: Program) -> None:
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 500}}
    lock = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    locked = program.bucket(
        create_bucket={"ObjectLockEnabledForBucket": True},
        put_object_lock_configuration={"ObjectLockConfiguration": lock},
    )
    program.put(locked, "a.jsonl", lines(WHOM, "acc-1"))
    steps = planned(program, {locked: "internal"}, TODAY)
    assert [step.do for step in steps] == ["rewrite", "keep"]
    assert steps[1].until and steps[1].until >= TODAY + timedelta(days=500)
    assert "Object Lock" in steps[1].why

    plain = program.bucket(put_bucket_versioning={})
    program.put(plain, "a.jsonl", lines(WHOM, "acc-1"))
    (kept,) = planned(program, {plain: "personal"}, TODAY)
    assert kept.do == "keep" and "keeps no versions" in kept.why and "r.8(3)" in kept.why
    carry_out(program, planned(program, {plain: "personal"}, AFTER_A_YEAR))
    assert set(program.contents(plain).values()) == {_without(lines(WHOM, "acc-1").decode())}


def test_a_share_is_of_what_readers_get(program: Program) -> None:
    bucket = program.bucket()
    program.put(bucket, "a.jsonl", lines(*[WHOM] * 5))
    program.put(bucket, "a.jsonl", lines(WHOM, *["acc-1"] * 3))
    program.put(bucket, "b.jsonl", lines(*["acc-2"] * 4))
    found, _ = look(program, {bucket: "internal"})
    assert share(found) == 1 / 8


def test_a_bucket_that_is_not_there_or_denies_is_one_message(program: Program) -> None:
    assert "s3://no-such-bucket-1: not there" in program.refused("find", "no-such-bucket-1", **SEARCH)
    deny = """
from commands.erase.programs.s3 import refusals
with refusals("lake-raw"):
    raise PermissionError("Access Denied")
"""
    ended = program.forks.run_script(deny)
    assert "s3://lake-raw denies access (Access Denied): be logged in as one who may" in ended.errors
