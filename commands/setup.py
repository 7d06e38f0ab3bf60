"""`make setup`: find, fetch or build what the local cloud runs, unless this user's cache has it."""

from __future__ import annotations

from rich.markup import escape

from commands.console import console, step
from localcloud.toolchain import install
from localcloud.toolchain.errors import ToolchainError

ERRORS = (ToolchainError,)


def setup() -> None:
    """Find, fetch or build what the local cloud runs, unless this user's cache has it."""
    with step("Tools of the local cloud") as report:
        made = install.ensure(report)
    note = install.old_cli()
    if note:
        console.print(f"[yellow]{escape(note)}[/]")
    if made:
        console.print(f"new in the cache: {', '.join(made)}; the next clone finds them there")
