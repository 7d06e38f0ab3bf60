"""`make review`: what a change does to resources, rupees and policies, as a pull request shows it.

The change and what it goes into are previewed the same way: from nothing, on the local cloud, with this clone's policy
pack, and without a credential.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape

from infra.catalog.bill import Bill, Registered, bill
from infra.catalog.rupees import format_inr
from infra.settings import Settings
from policies import baseline, profiles
from policies.record import Record, name_of, read
from policies.reports import markdown
from policies.reports.annotations import commands
from policies.reports.markdown import Compared, escaped, table
from policies.reports.positions import Positions, positions
from policies.reports.write import reports, write

from . import cloud, toolchain
from .cost import Change, checked_out, compare, signed
from .engine import Stack
from .paths import PROJECT
from .progress import console, step
from .stacks import settings_of

Kind = Literal["new", "changed", "gone"]
FOLDER = Path("review")
MOST_LINES = 25
MARKS = {"new": "➕", "changed": "✏️", "gone": "➖"}


@dataclass(frozen=True)
class Side:
    """One side of a change: what its program registers, what that costs and what the pack finds. `folder` is where
    the engine ran."""

    resources: Sequence[Mapping[str, Any]]
    bill: Bill
    record: Record
    folder: Path


@dataclass(frozen=True)
class Moved:
    """A resource that a change makes, changes or takes away; `what` are the inputs that differ."""

    kind: Kind
    urn: str
    what: tuple[str, ...] = ()


def review(
    stack: Annotated[str, typer.Option("--stack", "-s", help="Which Pulumi.<stack>.yaml to review.")] = "dev",
    against: Annotated[
        str, typer.Option(help="the commit or branch that the change goes into")
    ] = "origin/main",
    profile: Annotated[str, typer.Option(help="Which of policies/profiles the policies follow.")] = "default",
    out: Annotated[Path, typer.Option(help="the folder for the reports, one in it for each stack")] = FOLDER,
) -> None:
    """Show what a change does to resources, rupees and policies; write every report. Ends in 1 on violations."""
    said = settings_of(stack)
    profiles.file_of(profile)
    with step("Tools of the local cloud") as report:
        toolchain.ensure(report)
    with checked_out(against) as before:
        there = (before / f"Pulumi.{stack}.yaml").exists()
        was = look(stack, profile, said, before, against) if there else None
        grown = baseline.grown(before / baseline.FILE, PROJECT / baseline.FILE)
    now = look(stack, profile, said)
    at = positions(now.resources, now.folder, PROJECT)
    moved = list(changes(was.resources if was else [], now.resources))
    money = compare(was.bill if was else Bill((), {}, {}), now.bill, said)
    found = markdown.compare(was.record if was else None, now.record)

    def told(room: int) -> str:
        head = f"## Stack `{stack}`, against `{against}`\n\n"
        if not there:
            head += "There is no such stack there: all of it is new.\n\n"
        body = head + resources_section(moved, len(now.resources), at) + rupees_section(money, now.bill, said)
        return body + markdown.policies(found, now.record, at, room - len(body))

    files = reports(now.record, at)
    files |= {"comment.md": told(markdown.COMMENT_ROOM // 2), "summary.md": told(markdown.SUMMARY_ROOM)}
    shutil.rmtree(out / stack, ignore_errors=True)
    write(files, out / stack)
    _show(stack, against, moved, money, found, now.record)
    _tell_github(files["summary.md"], now.record, at)
    console.print(f"wrote {out / stack}: {', '.join(files)}", soft_wrap=True)
    for known in grown:
        console.print(
            f"[red]✗[/] {escape(f'{baseline.FILE} grows by {known.control} {known.urn} {known.where}')}"
        )
    if grown:
        console.print("a baseline only shrinks: mend what is new, or exempt it with a reason and a last day")
    raise typer.Exit(found.stops or bool(grown))


def look(
    stack: str, profile: str, settings: Settings, project: Path = PROJECT, name: str = "this change"
) -> Side:
    """Preview a stack of the program in `project` against an empty state, with the policies."""
    with step(f"Preview of {stack}: {name}"), tempfile.TemporaryDirectory(prefix="review-") as state:
        env = {
            **cloud.environment(cloud.start().aws_endpoint),
            "PULUMI_BACKEND_URL": f"file://{state}",
        }
        opened = Stack(stack, env, project)
        opened.profile = profile
        findings = Path(state) / "findings.json"
        resources = opened.registered(findings)
        month = bill(map(Registered.of_state, resources), settings.usage)
        return Side(resources, month, read(findings), opened.folder)


def changes(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> Iterator[Moved]:
    """What differs between two programs' resources, by URN. Names that the engine makes up are no difference."""
    was, now = _inputs(before), _inputs(after)
    for urn in dict.fromkeys([*was, *now]):
        if urn not in was:
            yield Moved("new", urn)
        elif urn not in now:
            yield Moved("gone", urn)
        elif was[urn] != now[urn]:
            names = sorted(was[urn].keys() | now[urn].keys())
            yield Moved(
                "changed", urn, tuple(name for name in names if was[urn].get(name) != now[urn].get(name))
            )


def resources_section(moved: Sequence[Moved], count: int, at: Positions) -> str:
    """The section on resources, in Markdown."""
    by_kind = {kind: [one for one in moved if one.kind == kind] for kind in MARKS}
    head = ", ".join(f"{len(found)} {kind}" for kind, found in by_kind.items())
    text = f"### Resources: {head}, of {count}\n"
    if not moved:
        return f"{text}\n"
    rows = [_row(one, at) for found in by_kind.values() for one in found]
    body = table(("", "type", "name", "what", "where"), rows[:MOST_LINES], markdown.COMMENT_ROOM)
    if len(rows) > MOST_LINES:
        body += f"\n{len(rows) - MOST_LINES} more.\n"
    return f"{text}\n<details{' open' if len(rows) <= 10 else ''}><summary>which</summary>\n\n{body}\n</details>\n\n"


def rupees_section(money: Sequence[Change], month: Bill, settings: Settings) -> str:
    """The section on what it costs, in Markdown: a month as expected, without GST."""
    total = month.total.expected * settings.currency.usd_inr
    difference = sum(change.difference for change in money)
    text = f"### ₹ a month: {format_inr(total)}, {signed(difference) if money else 'no difference'}\n"
    if not money:
        return f"{text}\n"
    rows = [
        (
            escaped(one.component),
            escaped(one.what),
            format_inr(one.before),
            format_inr(one.after),
            signed(one.difference),
        )
        for one in money[:MOST_LINES]
    ]
    return f"{text}\n{table(('component', 'what', 'before', 'after', 'difference'), rows, markdown.COMMENT_ROOM)}\n"


def _row(one: Moved, at: Positions) -> tuple[str, ...]:
    type_, name = one.urn.split("::")[2].rpartition("$")[2], name_of(one.urn)
    line = at.by_urn.get(one.urn)
    where = f"{line.file}:{line.line}" if line else ""
    return (MARKS[one.kind], escaped(type_), escaped(name), escaped(", ".join(one.what)), escaped(where))


def _inputs(resources: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Inputs by URN, with each name that the engine or a provider made up as one that does not change."""
    made_up = {
        value
        for one in resources
        for value in _names(one.get("inputs") or {})
        if re.fullmatch(f"{re.escape(name_of(one['urn']))}-[0-9a-f]{{7,8}}", value, re.IGNORECASE)
    }
    known = re.compile("|".join(map(re.escape, sorted(made_up, key=len, reverse=True))) or "(?!)")

    def settled(inputs: Mapping[str, Any]) -> dict[str, Any]:
        return json.loads(known.sub(lambda found: f"{found[0].rpartition('-')[0]}-…", json.dumps(inputs)))

    return {one["urn"]: settled(one.get("inputs") or {}) for one in resources}


def _names(inputs: Mapping[str, Any]) -> Iterator[str]:
    """The values that may be a resource's own name."""
    metadata = inputs.get("metadata")
    given = [*inputs.values(), *(metadata.values() if isinstance(metadata, dict) else ())]
    return (value for value in given if isinstance(value, str))


def _show(
    stack: str,
    against: str,
    moved: Sequence[Moved],
    money: Sequence[Change],
    found: Compared,
    record: Record,
) -> None:
    """The same, in a terminal and in short."""
    by_kind = Counter(one.kind for one in moved)
    console.print(f"[bold]{stack}[/] against {against}:", soft_wrap=True)
    console.print(
        f"resources: {', '.join(f'{by_kind[kind]} {kind}' for kind in MARKS)}, of {record.resources}"
    )
    console.print(f"₹ a month: {signed(sum(one.difference for one in money)) if money else 'no difference'}")
    here = [*found.new, *found.stayed]
    stops = [told for told in here if told.stops]
    console.print(
        f"policies: {len(stops)} violations, {len(here) - len(stops)} advisories; "
        f"{len(found.new)} new, {len(found.mended)} mended"
    )
    for told in here:
        mark = ("[red]" if told.stops else "[yellow]") + ("new " if told in found.new else "") + "[/]"
        console.print(f"  {mark}{escape(f'{name_of(told.urn)}: {told.message}')}", soft_wrap=True)


def _tell_github(summary: str, record: Record, at: Positions) -> None:
    """Annotations and a job's summary, inside GitHub's CI."""
    if os.environ.get("GITHUB_ACTIONS"):
        print("\n".join(commands(record, at)))
    if page := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(page).open("a", encoding="utf-8") as file:
            file.write(summary)
