"""`make review`: what a change does to resources, rupees and policies, as a pull request shows it.

The change and what it goes into are previewed the same way: from nothing, on the local cloud, with this clone's policy
pack, and without a credential.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from commands.console import console, step
from commands.cost.command import Change, checked_out, compare, signed
from commands.review.changes import KINDS, Moved, changes
from commands.review.comment import resources_section, rupees_section
from commands.stacks import settings_of
from infra.pricing.estimate import Estimate, estimate
from infra.pricing.resources import Resource
from infra.settings.stack import Settings
from localcloud import cloud
from localcloud.directories import PROJECT
from localcloud.engine import POLICIES, EngineError, PolicyPack, Stack
from localcloud.toolchain import install
from localcloud.toolchain.errors import ToolchainError
from policies.configuration.profiles import UnknownProfileError, file_of
from policies.framework import baseline
from policies.framework.record import FILE as FINDINGS
from policies.framework.record import NoRecordError, Record, name_of, read
from policies.reports import markdown
from policies.reports.annotations import commands
from policies.reports.markdown import Compared
from policies.reports.positions import Positions, positions
from policies.reports.write import reports, write

ERRORS = (ToolchainError, EngineError, UnknownProfileError, NoRecordError)
FOLDER = Path("review")


@dataclass(frozen=True)
class Side:
    """One side of a change: what its program registers, what that costs and what the pack finds. `folder` is where
    the engine ran."""

    resources: Sequence[Mapping[str, Any]]
    bill: Estimate
    record: Record
    folder: Path


@dataclass(frozen=True)
class Review:
    """A change against what it goes into; `exists` says whether what it goes into has the stack; `positions`
    are the change's lines."""

    stack: str
    against: str
    exists: bool
    now: Side
    moved: Sequence[Moved]
    money: Sequence[Change]
    findings: Compared
    positions: Positions

    def comment(self, settings: Settings, room: int) -> str:
        """All of it in Markdown, at most `room` characters."""
        text = f"## Stack `{self.stack}`, against `{self.against}`\n\n"
        if not self.exists:
            text += "There is no such stack there: all of it is new.\n\n"
        text += resources_section(self.moved, len(self.now.resources), self.positions)
        text += rupees_section(self.money, self.now.bill, settings)
        return text + markdown.policies(self.findings, self.now.record, self.positions, room - len(text))


def review(
    stack: Annotated[str, typer.Option("--stack", "-s", help="Which Pulumi.<stack>.yaml to review.")] = "dev",
    against: Annotated[
        str, typer.Option(help="the commit or branch that the change goes into")
    ] = "origin/main",
    profile: Annotated[str, typer.Option(help="Which of policies/profiles the policies follow.")] = "default",
    out: Annotated[Path, typer.Option(help="the folder for the reports, one in it for each stack")] = FOLDER,
) -> None:
    """Show what a change does to resources, rupees and policies; write every report. Ends in 1 on violations."""
    settings = settings_of(stack)
    file_of(profile)
    with step("Tools of the local cloud") as report:
        install.ensure(report)
    with checked_out(against) as before:
        exists = (before / f"Pulumi.{stack}.yaml").exists()
        was = look(stack, profile, settings, before, against) if exists else None
        grown = baseline.grown(before / baseline.FILE, PROJECT / baseline.FILE)
    made = _compared(stack, against, was, look(stack, profile, settings), settings)
    files = reports(made.now.record, made.positions)
    files |= {
        "comment.md": made.comment(settings, markdown.COMMENT_ROOM // 2),  # two stacks share a comment
        "summary.md": made.comment(settings, markdown.SUMMARY_ROOM),
    }
    shutil.rmtree(out / stack, ignore_errors=True)
    write(files, out / stack)
    _show(made)
    _tell_github(files["summary.md"], made.now.record, made.positions)
    console.print(f"wrote {out / stack}: {', '.join(files)}", soft_wrap=True)
    for known in grown:
        said_of = (
            f"{baseline.FILE} grows by {known.control} {known.urn} {known.where}: a baseline only shrinks"
        )
        console.print(f"[red]✗[/] {escape(said_of)}", soft_wrap=True)
    raise typer.Exit(made.findings.stops or bool(grown))


def look(
    stack: str, profile: str, settings: Settings, project: Path = PROJECT, name: str = "this change"
) -> Side:
    """Preview a stack of the program in `project` against an empty state, with the policies.

    Raises:
        EngineError: it can't be previewed; the message says which side it is.
    """
    with step(f"Preview of {stack}: {name}"), tempfile.TemporaryDirectory(prefix="review-") as state:
        env = {
            **cloud.environment(cloud.start().aws_endpoint),
            "PULUMI_BACKEND_URL": f"file://{state}",
            FINDINGS: str(findings := Path(state) / "findings.json"),
        }
        opened = Stack(stack, env, project, pack=PolicyPack(POLICIES, file_of(profile)))
        try:
            resources = opened.registered(
                refused=lambda: findings.exists() and any(each.stops for each in read(findings).open)
            )
        except EngineError as error:
            raise EngineError(f"{name} can't be previewed: {error}") from None
        month = estimate(map(Resource.of_state, resources), settings.usage)
        return Side(resources, month, read(findings), opened.folder)


def _compared(stack: str, against: str, was: Side | None, now: Side, settings: Settings) -> Review:
    return Review(
        stack=stack,
        against=against,
        exists=was is not None,
        now=now,
        moved=list(changes(was.resources if was else [], now.resources)),
        money=compare(was.bill if was else Estimate((), {}, {}), now.bill, settings),
        findings=markdown.compare(was.record if was else None, now.record),
        positions=positions(now.resources, now.folder, PROJECT),
    )


def _show(made: Review) -> None:
    """The same, in a terminal and in short."""
    kinds, found = Counter(one.kind for one in made.moved), made.findings
    difference = signed(sum(one.difference for one in made.money)) if made.money else "no difference"
    here = [*found.new, *found.stayed]
    stops = sum(finding.stops for finding in here)
    console.print(f"[bold]{made.stack}[/] against {made.against}:")
    console.print(
        f"resources: {', '.join(f'{kinds[kind]} {kind}' for kind in KINDS)}, of {len(made.now.resources)}"
    )
    console.print(f"₹ a month: {difference}")
    console.print(
        f"policies: {stops} violations, {len(here) - stops} advisories; "
        f"{len(found.new)} new, {len(found.mended)} mended"
    )
    for finding in here:
        colour, age = "red" if finding.stops else "yellow", "new" if finding in found.new else "old"
        console.print(
            f"  [{colour}]{age} {escape(name_of(finding.urn))}[/] {escape(finding.message)}", soft_wrap=True
        )


def _tell_github(summary: str, record: Record, at: Positions) -> None:
    """Annotations and a job's summary, inside GitHub's CI."""
    if os.environ.get("GITHUB_ACTIONS"):
        print("\n".join(commands(record, at)))
    if page := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(page).open("a", encoding="utf-8") as file:
            file.write(summary)
