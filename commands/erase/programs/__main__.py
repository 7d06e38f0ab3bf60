"""`python -m commands.erase.programs`: a job in JSON on standard input, a line of JSON for each answer.

`find` answers with what is to be said of each version and of each training run, `names` with the names of objects below
a prefix, `carry-out` with what came of each action, `write` with nothing. Exit code 64 is a refusal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from .carry_out import carry_out
from .find import look, runs
from .store import ChangedError, StoreError, opened
from .table import Change
from .whom import is_theirs

REFUSED = 64


def main(job: Mapping[str, Any]) -> Iterator[Any]:
    """The answers to a job."""
    buckets = {one["name"]: opened(**one) for one in job["buckets"]}
    match job["do"]:
        case "find":
            for bucket in buckets.values():
                rules = {"versioned": bucket.versioned(), "restorable_days": bucket.restorable_days()}
                yield {"bucket": bucket.name, **rules}
                yield from look(bucket, _asked(job), job["whom"].get("principal"))
                yield from runs(bucket)
        case "names":
            for bucket in buckets.values():
                yield from sorted({version.key for version in bucket.versions(job["prefix"])})
        case "carry-out":
            for action in job["actions"]:
                yield carry_out(buckets[action["bucket"]], action, _asked(job))
        case "write":
            for bucket in buckets.values():
                bucket.write(job["key"], json.dumps(job["content"], indent=1).encode())


def _asked(job: Mapping[str, Any]) -> Change:
    return Change(is_theirs(job["whom"]), tuple(job["columns"]), tuple(job["empty"]))


if __name__ == "__main__":
    try:
        for answer in main(json.load(sys.stdin)):
            print(json.dumps(answer), flush=True)
    except (StoreError, ChangedError) as error:
        print(error, file=sys.stderr)
        sys.exit(REFUSED)
