"""The commands behind the Makefile: `python -m localcloud up | preview | down | env | doctor | bench`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from typing import Annotated

import typer
from rich.markup import escape

from infra.catalog import CatalogError
from infra.settings.errors import SettingsError
from infra.stacks import StackFileError
from policies.configuration.profiles import NoSuchProfile, file_of
from policies.framework.record import NoRecord

from . import bench as benchmark
from . import bench_against, cloud, clusters, cost, doctor, faults, summary, waiting
from .alarm import alarm
from .engine import EngineError, Outcome, Stack
from .preflight.command import preflight
from .progress import console, step
from .reclaim import reclaim
from .review import review
from .simulate.command import simulate
from .stacks import settings_of

# So that the summary shows nodes: on the local cloud they come within seconds, or the catalogue has none.
SETTLE_SECONDS = 60

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The local cloud of india-ai-infra.")
app.command()(simulate)
app.command()(reclaim)
app.command()(alarm)
app.command()(preflight)
app.command()(review)
StackName = Annotated[str, typer.Option("--stack", "-s", help="Which Pulumi.<stack>.yaml to run.")]

ProfileName = Annotated[
    str, typer.Option("--profile", help="Which of policies/profiles the policies follow.")
]


@app.command()
def setup() -> None:
    """Find, fetch or build what the local cloud runs, unless this user's cache has it."""
    with step("Tools of the local cloud") as report:
        made = install.ensure(report)
    note = install.old_cli()
    if note:
        console.print(f"[yellow]{escape(note)}[/]")
    if made:
        console.print(f"new in the cache: {', '.join(made)}; the next clone finds them there")


@app.command()
def up(stack: StackName = "local", profile: ProfileName = "default") -> None:
    """Bring the whole platform up on the local cloud and say what is there."""
    said = settings_of(stack)  # refused before anything starts
    file_of(profile)
    setup()
    opened = _open(stack)
    opened.profile = profile
    preview = _run(opened.preview, "Preview, with the policy pack")
    if reason := faults.lost(preview.replaced):
        raise EngineError(reason)
    if not preview.unchanged:
        _run(opened.up, "Update", sum(preview.changes.values()))
        with step("Nodes for what the update did not wait for"):
            waiting.settle(clusters.recorded(), SETTLE_SECONDS)
    summary.show(opened, said, preview)


@app.command()
def preview(stack: StackName = "local", profile: ProfileName = "default") -> None:
    """Show what `up` would change and what the policies say, changing nothing."""
    settings_of(stack)  # refused before anything starts
    file_of(profile)
    setup()
    opened = _open(stack)
    opened.profile = profile
    outcome = _run(opened.preview, "Preview, with the policy pack")
    summary.show_changes(outcome)
    summary.show_policies(outcome)
    if reason := faults.lost(outcome.replaced):
        console.print(f"[yellow]`make up` will refuse this:[/] {escape(reason)}", soft_wrap=True)


@app.command()
def down(stack: StackName = "local") -> None:
    """Destroy the stack, then stop every process that the local cloud started."""
    endpoint = cloud.aws_endpoint()
    if endpoint is None or cloud.what_died():
        ended = cloud.stop()
        console.print(f"the local cloud was not running; cleared {', '.join(ended) or 'nothing'}")
        return
    opened = _open(stack)
    if guarded := opened.unguard():
        console.print(f"{guarded} resources were protected: the data of a local cloud is nobody's")
    _run(opened.destroy, "Destroy", len(opened.resources()))
    left = doctor.leftovers(stack)
    doctor.show(left)
    console.print(f"stopped {', '.join(cloud.stop())}")
    if left:
        raise typer.Exit(1)


@app.command()
def env() -> None:
    """Print the environment for plain `pulumi … -s local`: use it as eval "$(make -s env)"."""
    install.ensure(lambda done, total, what: None)
    started = cloud.start()
    for name, value in cloud.environment(started.aws_endpoint).items():
        print(f"export {name}={shlex.quote(value)}")


@app.command(name="doctor")
def examine(stack: StackName = "local") -> None:
    """List what a broken run left behind: processes, cloud resources that the state does not know."""
    left = doctor.leftovers(stack)
    doctor.show(left)
    summary.show_waiting(waiting.settle(clusters.recorded(), 0))
    if left:
        raise typer.Exit(1)


@app.command(name="cost")
def price_of_a_month(
    stack: StackName = "local",
    against: Annotated[str, typer.Option(help="a commit or branch to show the difference to")] = "",
) -> None:
    """Show what a stack costs a month, before anything is made; and against another commit, what changes."""
    said = settings_of(stack)
    setup()
    cost.cost(stack, said, against or None)


@app.command()
def bench(
    previews: Annotated[int, typer.Option(min=1, help="no-change previews to take the median of")] = 5,
    skypilot: Annotated[bool, typer.Option(help="install SkyPilot and ask its optimiser too")] = False,
    against: Annotated[
        str, typer.Option(help="only what `up`, `preview` and `down` took at this commit")
    ] = "",
) -> None:
    """Measure `up`, a no-change preview and `destroy` against an empty program, each part, and the catalogue."""
    setup()
    if against:
        bench_against.run(against, previews)
        return
    benchmark.run(previews, skypilot)


class Failed(Exception):
    """An operation of the engine that ended in errors, which its outcome holds."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("; ".join(outcome.errors))
        self.outcome = outcome


def _open(stack: str) -> Stack:
    """Start what does not run, recover what a killed run left, and open the stack."""
    with step("Local cloud"):
        started = cloud.start()
        opened = Stack(stack, cloud.environment(started.aws_endpoint))
        freed = opened.release_lock()
        pending = opened.pending()
        if pending:
            # Nobody can know what a killed engine was told by the cloud: a local one is cheap to begin anew.
            cloud.stop()
            started = cloud.start()
            opened = Stack(stack, cloud.environment(started.aws_endpoint))
    if started.afresh:
        console.print(f"[yellow]The local cloud begins anew: {started.afresh}.[/]")
    if freed:
        console.print(f"[yellow]Recovered: {freed}.[/]")
    if pending:
        console.print(f"[yellow]Begun anew: a killed run left {len(pending)} operations unfinished.[/]")
    return opened


def _run(operation: Callable[..., Outcome], title: str, total: int = 0) -> Outcome:
    done = 0
    try:
        with step(title) as report:

            def on_step(kind: str, type_: str, name: str) -> None:
                nonlocal done
                done += kind.startswith("done")
                report(min(done, total or done), total, f"{kind.split()[-1]} {type_} {name}")

            outcome = operation(on_step=on_step)
            if outcome.failed:
                raise Failed(outcome)
    except Failed as failed:
        summary.show_policies(failed.outcome)
        for error in failed.outcome.errors:
            console.print(f"[red]✗[/] {escape(error)}", soft_wrap=True)
        raise typer.Exit(1) from None
    return outcome


def main() -> None:
    try:
        app(prog_name="make")
    except (
        ToolchainError,
        EngineError,
        StackFileError,
        NoSuchProfile,
        NoRecord,
        SettingsError,
        CatalogError,
    ) as error:
        console.print(f"[red]✗[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
