"""`make setup`: build what the local cloud runs, or find it in this user's cache."""

from __future__ import annotations

from rich.markup import escape

from commands.console import console, step
from localcloud import toolchain

ERRORS = (toolchain.ToolchainError,)


def setup() -> None:
    """Build what the local cloud runs, or find it in this user's cache."""
    with step("Tools of the local cloud") as report:
        built = toolchain.ensure(report)
    note = toolchain.old_cli()
    if note:
        console.print(f"[yellow]{escape(note)}[/]")
    if built:
        console.print(f"built {', '.join(built)}; the next clone builds nothing")
