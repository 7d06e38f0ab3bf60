"""`make up`, `make preview`, `make down` and `make env`: a stack on the local cloud."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from commands.console import console, step
from commands.doctor import leftovers, show
from commands.setup import setup
from commands.stacks import StackName, settings_of
from commands.up import summary
from infra import stacks
from localcloud import cloud, faults
from localcloud.directories import PROJECT
from localcloud.engine import OUR_PACK, POLICIES, EngineError, Outcome, PolicyPack, Stack
from localcloud.kubernetes import clusters, waiting
from localcloud.toolchain import install
from localcloud.toolchain.errors import ToolchainError
from policies.configuration.profiles import UnknownProfileError, file_of

ERRORS = (ToolchainError, EngineError, UnknownProfileError)

# So that the summary shows nodes: on the local cloud they come within seconds, or the catalogue has none.
SETTLE_SECONDS = 60

ProfileName = Annotated[
    str, typer.Option("--profile", help="Which of policies/profiles the policies follow.")
]


def up(stack: StackName = "local", profile: ProfileName = "default") -> None:
    """Bring the whole platform up on the local cloud, and list what is there."""
    settings = settings_of(stack)  # refused before anything starts
    pack = PolicyPack(POLICIES, file_of(profile))
    setup()
    opened = open_stack(stack, pack)
    preview = run(opened.preview, "Preview, with the policy pack")
    if reason := faults.lost(preview.replaced):
        raise EngineError(reason)
    if not preview.unchanged:
        run(opened.up, "Update", sum(preview.changes.values()))
        with step("Nodes for what the update did not wait for"):
            waiting.settle(clusters.recorded(), SETTLE_SECONDS)
    summary.show(opened, settings, preview)


def preview(stack: StackName = "local", profile: ProfileName = "default") -> None:
    """Show what `up` would change and what the policies say, changing nothing."""
    settings_of(stack)  # refused before anything starts
    pack = PolicyPack(POLICIES, file_of(profile))
    setup()
    opened = open_stack(stack, pack)
    outcome = run(opened.preview, "Preview, with the policy pack")
    summary.show_changes(outcome)
    summary.show_policies(outcome)
    if reason := faults.lost(outcome.replaced):
        console.print(f"[yellow]`make up` will refuse this:[/] {escape(reason)}", soft_wrap=True)


def down(stack: StackName = "local") -> None:
    """Destroy the stack, then stop every process that the local cloud started, unless another stack is on it."""
    if stack not in cloud.stacks():  # whose file went first can go too
        stacks.file_of(stack, PROJECT)
    endpoint = cloud.aws_endpoint()
    if endpoint is None or cloud.dead_processes():
        ended = cloud.stop()
        console.print(f"the local cloud was not running; cleared {', '.join(ended) or 'nothing'}")
        return
    opened = open_stack(stack)
    if guarded := opened.unprotect():
        console.print(f"{guarded} resources were protected: the data of a local cloud is nobody's")
    run(opened.destroy, "Destroy", len(opened.resources()))
    left = leftovers(stack)
    show(left)
    # Only now: after a run that was killed the cloud began anew, and no other stack is on it.
    if others := [other for other in cloud.stacks() if other != stack]:
        up = " and ".join(others)
        console.print(f"the local cloud runs on for stack {up}: `make down STACK={others[0]}`")
    else:
        console.print(f"stopped {', '.join(cloud.stop())}")
    if left:
        raise typer.Exit(1)


def env() -> None:
    """Print the environment for plain `pulumi … -s local`: use it as eval "$(make -s env)"."""
    install.ensure(lambda done, total, what: None)
    started = cloud.start()
    for name, value in cloud.environment(started.aws_endpoint).items():
        print(f"export {name}={shlex.quote(value)}")


class UpdateFailedError(Exception):
    """An operation of the engine that ended in errors, which its outcome holds."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("; ".join(outcome.errors))
        self.outcome = outcome


def open_stack(stack: str, pack: PolicyPack = OUR_PACK, config_file: Path | None = None) -> Stack:
    """Start what does not run, recover what a killed run left, and open the stack, with another file's settings if one
    is given."""
    with step("Local cloud"):
        started = cloud.start()
        opened = Stack(stack, cloud.environment(started.aws_endpoint), config_file=config_file, pack=pack)
        killed = opened.release_lock() or opened.pending()
        if killed:
            # What a killed engine had made is in no state file: a local cloud is cheap to begin anew.
            cloud.stop()
            started = cloud.start()
            opened = Stack(stack, cloud.environment(started.aws_endpoint), config_file=config_file, pack=pack)
    if started.afresh:
        console.print(f"[yellow]The local cloud begins anew: {started.afresh}.[/]")
    if killed:
        console.print("[yellow]The local cloud begins anew: a run was killed in the middle of its work.[/]")
    return opened


def run(operation: Callable[..., Outcome], title: str, total: int = 0) -> Outcome:
    """An operation of the engine with its progress. One that fails is told, and ends the command."""
    done = 0
    try:
        with step(title) as report:

            def on_step(kind: str, type_: str, name: str) -> None:
                nonlocal done
                done += kind.startswith("done")
                report(min(done, total or done), total, f"{kind.split()[-1]} {type_} {name}")

            outcome = operation(on_step=on_step)
            if outcome.failed:
                raise UpdateFailedError(outcome)
    except UpdateFailedError as failed:
        summary.show_policies(failed.outcome)
        for error in failed.outcome.errors:
            console.print(f"[red]✗[/] {escape(error)}", soft_wrap=True)
        raise typer.Exit(1) from None
    return outcome
