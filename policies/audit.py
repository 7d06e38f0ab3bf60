"""`make audit`: the pack over the state of a stack that exists, without a program, a preview or a credential.

`pulumi stack export --file stack.json` gives the state of any stack in any language. Its secrets are ciphertext and
stay so: where a control needs one, it is unresolved. A state says what was last asked of the cloud, not what somebody
has changed there since: `pulumi refresh` brings that in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from policies import profiles
from policies.config_schema import BadConfig, parse
from policies.record import Record, name_of
from policies.reports.positions import positions
from policies.reports.write import reports, write
from policies.shown import UNKNOWN, Provider, Shown, analyse

_SIGNATURE, _SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
_LINES = 50
app = typer.Typer(add_completion=False)
console = Console(highlight=False, emoji=False)


class NoState(Exception):
    """A file is no state of a stack; the message says what to give."""


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
    """Audit a state; print what is found and write every report. Ends in 1 on violations."""
    try:
        resources = resources_of(state)
        given = parse(config or profiles.file_of(profile))
    except (NoState, profiles.NoSuchProfile, BadConfig) as wrong:
        console.print(f"[red]✗[/] {escape(str(wrong))}", soft_wrap=True)
        raise typer.Exit(1) from None
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Resources", total=len(resources))
        _, record = analyse(list(shown(resources)), given, lambda done: progress.update(task, completed=done))
    files = reports(record, positions(resources, project.resolve(), project.resolve()))
    write(files, out)
    _show(record)
    console.print(f"wrote {out}: {', '.join(files)}", soft_wrap=True)
    raise typer.Exit(any(told.stops for told in record.open))


def resources_of(file: Path) -> list[dict[str, Any]]:
    """The resources of an exported state, or of a checkpoint that a backend of files keeps.

    Raises:
        NoState: it is neither.
    """
    try:
        said = json.loads(file.read_bytes())
        kept = said["deployment"] if "deployment" in said else said["checkpoint"]["latest"]
        resources = [one for one in kept.get("resources") or () if not one.get("delete")]
        if all(isinstance(one["urn"], str) and isinstance(one["type"], str) for one in resources):
            return resources
        why = "a resource has no URN or type"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = repr(error)
    raise NoState(
        f"{file} is no state of a stack ({why}): give what `pulumi stack export --file {file.name}` writes"
    )


def shown(resources: Sequence[Mapping[str, Any]]) -> Iterator[Shown]:
    """The resources of a state as the engine shows them."""
    inputs = {one["urn"]: _plain(one.get("inputs") or {}) for one in resources}
    for one in resources:
        provider = str(one.get("provider") or "").rpartition("::")[0]  # its id follows the URN
        yield Shown(
            type=one["type"],
            urn=one["urn"],
            inputs=inputs[one["urn"]],
            outputs=_plain(one.get("outputs") or {}),
            provider=Provider(provider, inputs[provider]) if provider in inputs else None,
            sources={
                prop: list(urns or ()) for prop, urns in (one.get("propertyDependencies") or {}).items()
            },
        )


def _plain(value: Any) -> Any:
    """Values of a state, with secrets as nobody can know them, or opened where the state has them in the clear."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get(_SIGNATURE) == _SECRET:
        return _plain(json.loads(value["plaintext"])) if "plaintext" in value else UNKNOWN
    return {key: _plain(one) for key, one in value.items()}


def _show(record: Record) -> None:
    stops = sum(told.stops for told in record.open)
    looked = sum(control.resources > 0 or control.stack for control in record.controls)
    console.print(
        f"[bold]{record.stack}[/]: {record.resources} resources, {looked} controls: {stops} violations, "
        f"{len(record.open) - stops} advisories, {len(record.of('exempt'))} exempt, {len(record.of('baseline'))} of old"
    )
    for told in record.open[:_LINES]:
        colour = "red" if told.stops else "yellow"
        console.print(f"  [{colour}]{escape(name_of(told.urn))}[/] {escape(told.message)}", soft_wrap=True)
    if len(record.open) > _LINES:
        console.print(f"  and {len(record.open) - _LINES} more, in the reports")


if __name__ == "__main__":
    app()
