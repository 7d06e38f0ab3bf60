"""`make erase PRINCIPAL=… COLUMNS=account_id`: a data principal found, erased or kept for its year, with proof."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from commands.console import console, step
from commands.erase import cache as response_cache
from commands.erase.ask import Search, StoreRefusedError, ask
from commands.erase.cache import CacheError
from commands.erase.places import Elsewhere, Lake, NoLakeError, Where, deleted_before, elsewhere, lake
from commands.erase.plan import Found, Rules, Step, plan, share
from commands.erase.programs.whom import tag
from commands.erase.record import FOLDER, Done, Erasure, Whom, record, tags
from commands.erase.show import show_plan, show_unseen
from commands.erase.trained import trained
from commands.page import lineage
from commands.page.lineage import LineageError
from commands.page.state import NoStateError, read
from commands.stacks import StackName, settings_of
from localcloud.toolchain.errors import ToolchainError
from policies.runner.states import StateFileError

SHORTEST_KEY = 16
LARGEST_SHARE = 0.05


class EraseError(ValueError):
    """What is asked can't be done as it is asked; the message says what to give."""


ERRORS = (
    EraseError,
    NoLakeError,
    StoreRefusedError,
    CacheError,
    LineageError,
    NoStateError,
    StateFileError,
    ToolchainError,
)


@dataclass(frozen=True)
class Seen:
    """What the program found: versions, training runs, and the rules of each bucket."""

    versions: Sequence[Found]
    runs: Sequence[Mapping[str, Any]]
    rules: Mapping[str, Rules]


def erase(
    principal: Annotated[str, typer.Option(help="the identifier; - reads it from standard input")] = "",
    columns: Annotated[str, typer.Option(help="columns with identifiers: account_id,customer.id")] = "",
    key_file: Annotated[Path | None, typer.Option("--key", help="the secret of the records' digests")] = None,
    stack: StackName = "local",
    state: Annotated[Path | None, typer.Option(help="what pulumi stack export wrote")] = None,
    place: Annotated[Where, typer.Option(help="which of the stack's lakes")] = "aws",
    mask: Annotated[str, typer.Option(help="rows stay, and lose these columns and the identifiers")] = "",
    cache: Annotated[str, typer.Option(help="the address of the response cache")] = "",
    cache_key: Annotated[Path | None, typer.Option(help="a file with the cache's key admin")] = None,
    lineage_file: Annotated[
        Path | None, typer.Option("--lineage", help="versions of models and their data")
    ] = None,
    again: Annotated[bool, typer.Option(help="all whom the records name, after a restore")] = False,
    sure: Annotated[bool, typer.Option(help="also where it is a large share of all rows")] = False,
    yes: Annotated[bool, typer.Option(help="do it without asking")] = False,
) -> None:
    """Find a data principal in the lake, show what is to be done, and do it."""
    now = _now()
    secret = _secret(key_file)
    versions = lineage.read(lineage_file) if lineage_file else []
    found_state = read(stack, state)
    settings = settings_of(found_state.stack)
    where = lake(found_state, settings, place)
    whom, search = _whom(principal, again, secret, where)
    search = replace(search, columns=_columns("COLUMNS", columns), empty=_empty(columns, mask))
    seen = _look(where, search)
    others = [
        *elsewhere(found_state, settings, place, now.date()),
        *deleted_before(where, seen.rules, now.date()),
    ]
    asked = Erasure(
        whom,
        now,
        found_state.stack,
        search.columns,
        plan(seen.versions, seen.rules, now.date()),
        trained(seen.runs, seen.versions, versions),
        [one for one in others if not (one.cache and cache and whom.identifier)],
    )
    show_plan(
        asked.steps, asked.others, asked.models, f"{whom.tag} in {len(seen.versions)} versions of objects"
    )
    show_unseen(seen.versions)
    _refuse_too_many(seen.versions, again or sure)
    _refuse_unknown(seen.versions, _columns("MASK", mask) if mask else [])
    if not _confirmed(yes, asked.stack):
        console.print("nothing was done; YES=1 does it")
        return
    _write(where, asked, [Done(one, {}) for one in asked.steps], [], "begun")
    # First: where it fails, all else is as it was.
    caches = [response_cache.erase(cache, cache_key, whom.identifier)] if cache and whom.identifier else []
    with step("Erasing"):
        done = _carry_out(where, search, asked.steps)
    console.print(f"the record: {_write(where, asked, done, caches, 'ended')}", soft_wrap=True)
    _end(done, asked.others)


def _write(
    where: Lake, asked: Erasure, done: Sequence[Done], caches: Sequence[Mapping[str, Any]], when: str
) -> str:
    """The address of the record that is kept in the audit bucket."""
    list(ask("write", [where.audit], key=asked.key(when), content=record(asked, done, caches)))
    return f"{where.audit.uri}/{asked.key(when)}"


def _now() -> datetime:
    return datetime.now(UTC)


def _secret(file: Path | None) -> str:
    if file is None:
        raise EraseError("KEY=: give a file with a secret, made with `openssl rand -hex 32`, and keep it")
    try:
        secret = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise EraseError(f"KEY={file}: {error}: make one with `openssl rand -hex 32`, and keep it") from None
    if len(secret) < SHORTEST_KEY:
        raise EraseError(
            f"KEY={file}: {len(secret)} letters are too few for a secret; make one with `openssl rand -hex 32`"
        )
    return secret


def _whom(principal: str, again: bool, secret: str, where: Lake) -> tuple[Whom, Search]:
    if again:
        if principal:
            raise EraseError("AGAIN=1 erases all whom the records name: give no PRINCIPAL beside it")
        known = tags(list(ask("names", [where.audit], prefix=f"{FOLDER}/")))
        return Whom("again"), Search({"tags": known, "key": secret}, ())
    given = sys.stdin.read().rstrip("\r\n") if principal == "-" else principal
    if not given.strip():
        raise EraseError("PRINCIPAL=: give the identifier of a data principal, as the columns have it")
    if given != given.strip():
        raise EraseError("PRINCIPAL: there is space around the identifier; give it as the columns have it")
    return Whom(tag(secret, given), given), Search({"principal": given}, ())


def _columns(option: str, given: str) -> list[str]:
    names = [name.strip() for name in given.split(",")]
    if not all(names):
        raise EraseError(
            f"{option}={given}: give names of columns with commas between, such as account_id,phone"
        )
    return names


def _empty(columns: str, mask: str) -> list[str]:
    return [*dict.fromkeys([*_columns("COLUMNS", columns), *_columns("MASK", mask)])] if mask else []


def _look(where: Lake, search: Search) -> Seen:
    versions: list[Found] = []
    runs: list[Mapping[str, Any]] = []
    classes = {one.name: one.data_class for one in where.data}
    rules: dict[str, Rules] = {}
    with step("Looking at every version in the lake") as report:
        for answer in ask("find", where.data, search):
            if "versioned" in answer:
                name = answer.pop("bucket")
                rules[name] = Rules(classes[name], **answer)
            elif "run" in answer:
                runs.append(answer)
            else:
                versions.append(Found.of(answer))
                report(len(versions), 0, answer["bucket"])
    return Seen(versions, runs, rules)


def _refuse_too_many(versions: Sequence[Found], allowed: bool) -> None:
    part = share(versions)
    if part > LARGEST_SHARE and not allowed:
        raise EraseError(
            f"{part:.0%} of all rows are of this identifier: is it one person's? Nothing was done; SURE=1 does it"
        )


def _refuse_unknown(versions: Sequence[Found], mask: Sequence[str]) -> None:
    theirs = [one for one in versions if one.kind == "table" and one.latest]
    unknown = [name for name in mask if not any(name in one.emptied for one in theirs)]
    if theirs and unknown:
        raise EraseError(
            f"MASK={','.join(mask)}: no table with rows of theirs has {', '.join(unknown)}, and nothing was done"
        )


def _confirmed(yes: bool, stack: str) -> bool:
    if yes or not sys.stdin.isatty():
        return yes
    return typer.prompt(f"Type {stack} to do it", default="", show_default=False) == stack


def _carry_out(where: Lake, search: Search, steps: Sequence[Step]) -> list[Done]:
    """New objects first. A version whose object could not be written anew is not deleted."""
    first = [one for one in steps if one.do in ("rewrite", "remove")]
    done = [Done(one, result) for one, result in zip(first, _asked(where, search, first), strict=True)]
    failed = {one.step.version for one in done if "failed" in one.result}
    then = [one for one in steps if one.do == "delete" and one.version not in failed]
    done += [Done(one, result) for one, result in zip(then, _asked(where, search, then), strict=True)]
    return [*done, *(Done(one, {}) for one in steps if one.do in ("keep", "left"))]


def _asked(where: Lake, search: Search, steps: Sequence[Step]) -> list[Mapping[str, Any]]:
    actions = [
        {
            "do": one.do,
            "bucket": one.version.bucket,
            "key": one.version.key,
            "id": one.version.id,
            "latest": one.version.latest,
            "written": one.version.written.isoformat(),
            "size": one.version.size,
            "etag": one.version.etag,
        }
        for one in steps
    ]
    return list(ask("carry-out", where.data, search, actions=actions)) if actions else []


def _end(done: Sequence[Done], others: Sequence[Elsewhere]) -> None:
    failed = [one for one in done if "failed" in one.result]
    for one in failed:
        console.print(
            f"[red]✗[/] {one.step.version.key}: {one.result['failed']}", soft_wrap=True, markup=False
        )
    left = [one for one in done if one.step.do == "left"]
    if failed or left or any(one.left for one in others):
        console.print(
            f"[yellow]not all is erased[/]: {len(failed)} failed; what is left to you is listed above. Run again then"
        )
        raise typer.Exit(1)
    console.print("[green]✓[/] erased, but for what is kept until its day: run again then")
    last = max((one.step.restorable for one in done if one.step.restorable), default=None)
    if last:
        console.print(
            f"what was deleted can be restored until {last}: after a restore run again with AGAIN=1"
        )
