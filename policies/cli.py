"""Commands beside a preview: audit a state, keep a baseline, make reports, write what is generated."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from policies.configuration import profiles, schema, written
from policies.configuration.schema import PolicyConfigError
from policies.framework.baseline import FILE, Known, grown
from policies.framework.baseline import parse as parse_baseline
from policies.framework.baseline import write as write_baseline
from policies.framework.record import NoRecordError, Record, name_of, read
from policies.reports import control_pages, markdown
from policies.reports.annotations import commands
from policies.reports.positions import NoPositionsError, positions
from policies.reports.positions import resources_of as previewed
from policies.reports.write import reports
from policies.reports.write import write as write_reports
from policies.runner.states import StateFileError, judge, resources_of

_LINES = 50
MARK = "<!-- india-dpdp findings -->"
app = typer.Typer(add_completion=False, no_args_is_help=True)
console = Console(highlight=False, emoji=False)


@app.command()
def audit(
    state: Annotated[Path, typer.Argument(help="what `pulumi stack export --file` wrote")],
    profile: Annotated[str, typer.Option(help="which of policies/profiles to follow")] = "default",
    config: Annotated[
        Path | None, typer.Option(help="a policy config of your own, instead of a profile")
    ] = None,
    out: Annotated[Path, typer.Option(help="the folder for the reports")] = Path("audit"),
    project: Annotated[
        Path, typer.Option(help="the folder of the stack's Pulumi.yaml, for lines of the program")
    ] = Path(),
) -> None:
    """Audit a state; print what is found and write every report. Ends in 1 on violations, and where a mandatory control
    needs a value that is encrypted in the state."""
    try:
        resources = resources_of(state)
        given = schema.parse(config or profiles.file_of(profile))
    except (StateFileError, profiles.UnknownProfileError, PolicyConfigError) as wrong:
        console.print(f"[red]✗[/] {escape(str(wrong))}", soft_wrap=True)
        raise typer.Exit(1) from None
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Resources", total=len(resources))
        record = judge(resources, given, lambda done: progress.update(task, completed=done))
    files = reports(record, positions(resources, project.resolve(), project.resolve()))
    write_reports(files, out)
    _show(record)
    console.print(f"wrote {out}: {', '.join(files)}", soft_wrap=True)
    raise typer.Exit(record.stops)


@app.command()
def baseline(
    findings: Annotated[
        Path, typer.Argument(help="what a preview wrote where INDIA_DPDP_FINDINGS named a file")
    ],
    to: Annotated[Path, typer.Option(help="the baseline")] = Path(FILE),
) -> None:
    """Write the baseline from a preview's findings; one that is there already only loses entries."""
    try:
        record = read(findings)
    except NoRecordError as error:
        sys.exit(str(error))
    before = parse_baseline(to) if to.exists() else None
    if before and before.problems:
        sys.exit(
            f"{to}: {before.problems[0].what} at {before.problems[0].where}: {before.problems[0].expected}"
        )
    found = record.of("fail", "unresolved", "baseline")
    now = {
        Known.of(finding) for finding in found if finding.control != "DPDP-GOV-03"
    }  # that one is about this file
    of_others = {known for known in before.entries if not known.speaks_of(record.stack)} if before else set()
    kept = now & before.entries if before else now
    write_baseline(to, kept | of_others)
    print(f"{to}: {len(kept)} findings of {record.stack}", end="")
    print(f", {len(before.entries) - len(kept | of_others)} taken out" if before else "")
    if fresh := now - kept:
        sys.exit(
            f"{len(fresh)} new findings are not in it: a baseline only shrinks, so mend them or exempt them"
        )


@app.command()
def report(
    findings: Annotated[
        Path, typer.Argument(help="what a preview wrote where INDIA_DPDP_FINDINGS named a file")
    ],
    out: Annotated[Path, typer.Option(help="the folder for the reports")] = Path("dpdp-reports"),
    resources: Annotated[
        Path | None,
        typer.Option(
            help="what `pulumi preview --json` printed, or a state: it knows the lines of the program"
        ),
    ] = None,
    project: Annotated[Path, typer.Option(help="the folder of Pulumi.yaml")] = Path(),
    repository: Annotated[Path, typer.Option(help="the folder that lines are named from")] = Path(),
    before: Annotated[Path | None, typer.Option(help="the findings of the branch it goes into")] = None,
    old_baseline: Annotated[
        Path | None, typer.Option(help="the baseline of that branch: it may only shrink")
    ] = None,
) -> None:
    """Write SARIF, JUnit, a comment and evidence; print annotations inside GitHub's CI. Ends in 1 on violations."""
    try:
        record, was = read(findings), read(before) if before else None
        at = positions(previewed(resources) if resources else [], project.resolve(), repository.resolve())
    except (NoRecordError, NoPositionsError) as error:
        sys.exit(str(error))
    found = markdown.compare(was, record)
    comment = f"{MARK}\n{markdown.policies(found, record, at, markdown.COMMENT_ROOM)}"
    write_reports({**reports(record, at), "comment.md": comment}, out)
    if os.environ.get("GITHUB_ACTIONS"):
        print("\n".join(commands(record, at)))
    print(f"{len(record.open)} findings; reports are in {out}")
    added = grown(old_baseline, Path(FILE)) if old_baseline else []
    for known in added:
        print(f"{FILE} grows by {known.control} {known.urn} {known.where}: a baseline only shrinks")
    raise typer.Exit(record.stops or bool(added))


@app.command()
def generate() -> None:
    """Write what is generated from the controls: the pages of docs/policies, the profiles, the schema of configs."""
    control_pages.write()
    written.write()
    schema.write()


def _show(record: Record) -> None:
    stops = sum(finding.stops for finding in record.open)
    stopped = any(finding.stops for finding in record.of("encrypted"))
    looked = sum(control.resources > 0 or control.stack for control in record.controls)
    console.print(
        f"[bold]{record.stack}[/]: {record.resources} resources, {looked} controls: {stops} violations, "
        f"{len(record.open) - stops} advisories, {len(record.of('exempt'))} exempt, {len(record.of('baseline'))} of old"
    )
    if record.not_judged:
        console.print(f"  [{'red' if stopped else 'yellow'}]{escape(record.not_judged)}[/]", soft_wrap=True)
    for finding in record.open[:_LINES]:
        colour = "red" if finding.stops else "yellow"
        console.print(
            f"  [{colour}]{escape(name_of(finding.urn))}[/] {escape(finding.message)}", soft_wrap=True
        )
    if len(record.open) > _LINES:
        console.print(f"  and {len(record.open) - _LINES} more, in the reports")


if __name__ == "__main__":
    app()
