"""Reports of what the pack found, for any project: `python -m policies.reports FINDINGS --preview preview.json`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from policies import baseline
from policies.record import NoRecord, read
from policies.reports import markdown
from policies.reports.annotations import commands
from policies.reports.positions import NoPositions, positions, resources_of
from policies.reports.write import reports, write

app = typer.Typer(add_completion=False)
MARK = "<!-- india-dpdp findings -->"


@app.command()
def make(
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
        at = positions(resources_of(resources) if resources else [], project.resolve(), repository.resolve())
    except (NoRecord, NoPositions) as error:
        sys.exit(str(error))
    found = markdown.compare(was, record)
    comment = f"{MARK}\n{markdown.policies(found, record, at, markdown.COMMENT_ROOM)}"
    write({**reports(record, at), "comment.md": comment}, out)
    if os.environ.get("GITHUB_ACTIONS"):
        print("\n".join(commands(record, at)))
    print(f"{len(record.open)} findings; reports are in {out}")
    grown = baseline.grown(old_baseline, Path(baseline.FILE)) if old_baseline else []
    for known in grown:
        print(f"{baseline.FILE} grows by {known.control} {known.urn} {known.where}: a baseline only shrinks")
    raise typer.Exit(found.stops or bool(grown))


if __name__ == "__main__":
    app()
