"""Judges a model by a golden set: python -m workloads.evaluation.programs COMMAND.

check    read a golden set, print its digest
leaks    look for its cases in training data
gate     ask a candidate and what is in production, and write results, verdict and page
verify   whether a signed verdict lets a revision be rolled out

Ends with 0 where all is well; with 64 where something given is wrong; with 65 where the model is blocked, or answers
have leaked; with 69 where too many errors leave no verdict, which is never a pass.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from workloads.evaluation.programs import golden, results, signature, weights
from workloads.evaluation.programs.job import Endpoint, Gate
from workloads.evaluation.programs.results import Results
from workloads.evaluation.programs.signature import BlockedError
from workloads.evaluation.programs.verdict import NoVerdictError, Verdict, judge
from workloads.training.trainer.recipe import RecipeError

# EX_USAGE, EX_DATAERR and EX_UNAVAILABLE of sysexits.h.
REFUSED, BLOCKED, NO_VERDICT = 64, 65, 69
VERDICT, SIGNATURE = "verdict.json", "verdict.json.sig"


def gate(given: argparse.Namespace) -> int:
    """Evaluates, judges and writes; the exit code."""
    job = Gate.read(Path(given.job).read_text())
    # What can be refused is refused before anybody is asked.
    cases = golden.read(job.golden_set, job.digest)
    key = signature.private_key(job.key) if job.key else None
    recorded = results.read(job.recorded, cases) if job.recorded else None
    asked = weights.measured(job.candidate)
    # inspect-ai takes seconds to import.
    from workloads.evaluation.programs.evaluate import evaluate
    from workloads.evaluation.programs.page import page
    from workloads.evaluation.programs.summary import summary

    candidate = evaluate(cases, asked, job.judge)
    if job.production and _exists(job.production):
        recorded = evaluate(cases, weights.measured_as_served(job.production), job.judge)
    verdict = judge(cases, job.rules, candidate, recorded)
    raw = verdict.document().encode()
    files = [("results.json", candidate.document().encode()), *_baseline(recorded)]
    files.append(("index.html", page(cases, verdict, candidate, recorded).encode()))
    folder = f"{job.target.rstrip('/')}/{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    results.write(folder, [*files, *([(SIGNATURE, key.sign(raw))] if key else []), (VERDICT, raw)])
    text = summary(verdict)
    if given.summary:
        with Path(given.summary).open("a", encoding="utf-8") as file:
            file.write(text)
    print(text, flush=True)
    print(f"event={'passed' if verdict.passed else 'blocked'} verdict={folder}/{VERDICT}", flush=True)
    return _ended(verdict)


def _ended(verdict: Verdict) -> int:
    for reason in verdict.reasons:
        print(f"error: {reason}", file=sys.stderr)
    return 0 if verdict.passed else BLOCKED


def _baseline(recorded: Results | None) -> list[tuple[str, bytes]]:
    return [("production.json", recorded.document().encode())] if recorded else []


def _exists(production: Endpoint) -> bool:
    """Whether anything is in production. A first rollout has no Service, and so no such name; whatever else is wrong
    is no reason to compare with nothing."""
    try:
        socket.getaddrinfo(urlsplit(production.url).hostname, None)
    except socket.gaierror as error:
        if error.errno == socket.EAI_NONAME:
            print(f"event=first-rollout: there is no {production.url}", flush=True)
            return False
        raise NoVerdictError(f"production {production.url} can't be looked up: {error.strerror}") from error
    return True


def check(given: argparse.Namespace) -> int:
    """Prints what the set is."""
    found = golden.read(given.golden_set)
    print(
        f"event=checked name={found.name} version={found.version} cases={len(found.cases)} digest={found.digest}"
    )
    return 0


def leaks(given: argparse.Namespace) -> int:
    """Prints each row of training data that has a case."""
    from workloads.evaluation.programs.leaks import find

    found = 0
    for leak in find(golden.read(given.golden_set), given.training):
        found += 1
        print(
            f"leak file={leak.file} row={leak.row} case={leak.case} part={leak.part} share={leak.share:.2f}"
        )
    if found:
        print(
            f"error: {found} rows have cases of the golden set: take them out, and train again",
            file=sys.stderr,
        )
    return BLOCKED if found else 0


def verify(given: argparse.Namespace) -> int:
    """Prints when the revision was judged, where it may be rolled out."""
    path = Path(given.verdict)
    try:
        raw, signed = path.read_bytes(), path.with_name(SIGNATURE).read_bytes()
    except FileNotFoundError as error:
        raise RecipeError(
            f"{error.filename} is not there: give {VERDICT} with {SIGNATURE} beside it"
        ) from error
    verdict = signature.check(raw, signed, signature.public_key(given.key), given.revision, given.digest)
    print(
        f"event=verified model={verdict['model']['name']} revision={given.revision} judged={verdict['time']}"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evaluation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("check")
    one.add_argument("--golden-set", required=True, help="its folder: a path, s3:// or gs://")
    one.set_defaults(run=check)
    one = commands.add_parser("leaks")
    one.add_argument("--golden-set", required=True, help="its folder: a path, s3:// or gs://")
    one.add_argument("--training", required=True, help="a folder or file of Parquet, JSONL or text")
    one.set_defaults(run=leaks)
    one = commands.add_parser("gate")
    one.add_argument("--job", required=True, help="a file with the gate as JSON")
    one.add_argument(
        "--summary",
        default=os.environ.get("GITHUB_STEP_SUMMARY"),
        help="a file that gets the verdict in Markdown",
    )
    one.set_defaults(run=gate)
    one = commands.add_parser("verify")
    one.add_argument("--verdict", required=True, help=f"{VERDICT}, with {SIGNATURE} beside it")
    one.add_argument("--key", required=True, help="the public key, PEM")
    one.add_argument("--revision", required=True, help="what is about to be rolled out")
    one.add_argument("--digest", help="the golden set's, if only one will do")
    one.set_defaults(run=verify)
    return parser


def main(arguments: list[str]) -> int:
    """Does what the arguments say; the exit code."""
    given = _parser().parse_args(arguments)
    try:
        return given.run(given)
    except (BlockedError, NoVerdictError, RecipeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return {BlockedError: BLOCKED, NoVerdictError: NO_VERDICT}.get(type(error), REFUSED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
