"""`make burst TO=skypilot`: the files with which a workload of a stack runs elsewhere for a while."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from commands.buckets import BucketsError
from commands.burst import judged, modal, runpod, skypilot
from commands.burst.providers import BurstError, providers
from commands.burst.request import Request, request
from commands.console import console
from commands.stacks import StackName, settings_of
from infra.catalog.choose import NoMachineError

ERRORS = (BurstError, BucketsError, NoMachineError)
To = Literal["skypilot", "runpod", "modal"]
NEXT: Mapping[str, str] = {
    "skypilot": "SKYPILOT_DISABLE_USAGE_COLLECTION=1 sky {verb} task.yaml",
    "runpod": "docs/burst.md#runpod",
    "modal": "modal deploy modal_app.py",
}


def burst(
    to: Annotated[To, typer.Option(help="where it is to run")],
    stack: StackName = "local",
    workload: Annotated[str | None, typer.Option(help="which of the stack's, if it has several")] = None,
    regions: Annotated[str | None, typer.Option(help="there, with commas between")] = None,
    buckets: Annotated[
        Path | None, typer.Option(help="what `pulumi stack output buckets --json` printed")
    ] = None,
    registry: Annotated[str | None, typer.Option(help="the host of the stack's own images")] = None,
    image: Annotated[str | None, typer.Option(help="runpod: the name that you push its image by")] = None,
    out: Annotated[Path, typer.Option(help="the folder for the files")] = Path("burst"),
) -> None:
    """Write what runs a workload of a stack elsewhere, once the policies have looked at it."""
    asked = request(stack, settings_of(stack), workload, buckets, registry)
    files = _files(to, asked, [name for name in (regions or "").split(",") if name], image)
    found = judged.findings(stack, to, files, asked.buckets.values())
    if found and asked.personal:
        lines = "\n  ".join(finding.message for finding in found)
        raise BurstError(
            f"the data of stack {stack} are {asked.data_class}, and the policies stop this:\n  {lines}"
        )
    for finding in found:
        console.print(f"[yellow]![/] {escape(finding.message)}", soft_wrap=True)
    for path, text in files.items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_text(text)
    for warning in _warnings(to, asked):
        console.print(f"[yellow]![/] {warning}", soft_wrap=True)
    verb = "serve up" if asked.burst.port else "jobs launch"
    console.print(
        f"[green]✓[/] {out}: {', '.join(sorted(files)[:4])} …; then there: {NEXT[to].format(verb=verb)}"
    )


def _files(to: To, asked: Request, regions: list[str], image: str | None) -> dict[str, str]:
    provider = providers()[to]
    if to == "skypilot":
        return skypilot.written(asked, provider, regions)
    if to == "runpod":
        return runpod.written(asked, provider, regions, image)
    return modal.written(asked, provider, regions)


def _warnings(to: To, asked: Request) -> list[str]:
    if to == "modal":
        return [f"data of class {asked.data_class} leave India: {modal.WHY}"]
    if to == "runpod":
        return [runpod.QUEUE]
    return []
