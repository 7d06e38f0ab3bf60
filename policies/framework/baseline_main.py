"""`python -m policies.baseline FINDINGS`: writes the baseline, or takes out of it what is mended."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from policies.baseline import FILE, Known, parse, write
from policies.record import NoRecord, read

app = typer.Typer(add_completion=False)


@app.command()
def keep(
    findings: Annotated[
        Path, typer.Argument(help="what a preview wrote where INDIA_DPDP_FINDINGS named a file")
    ],
    to: Annotated[Path, typer.Option(help="the baseline")] = Path(FILE),
) -> None:
    """Write the baseline from a preview's findings; one that is there already only loses entries."""
    try:
        record = read(findings)
    except NoRecord as error:
        sys.exit(str(error))
    before = parse(to) if to.exists() else None
    if before and before.problems:
        sys.exit(
            f"{to}: {before.problems[0].what} at {before.problems[0].where}: {before.problems[0].expected}"
        )
    found = record.of("fail", "unresolved", "baseline")
    now = {Known.of(told) for told in found if told.control != "DPDP-GOV-03"}  # that one is about this file
    of_others = {known for known in before.entries if not known.speaks_of(record.stack)} if before else set()
    kept = now & before.entries if before else now
    write(to, kept | of_others)
    print(f"{to}: {len(kept)} findings of {record.stack}", end="")
    print(f", {len(before.entries) - len(kept | of_others)} taken out" if before else "")
    if fresh := now - kept:
        sys.exit(
            f"{len(fresh)} new findings are not in it: a baseline only shrinks, so mend them or exempt them"
        )


if __name__ == "__main__":
    app()
