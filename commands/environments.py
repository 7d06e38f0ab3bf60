"""`make environments`: what pods of the local cloud need to run, and not only be simulated."""

from __future__ import annotations

from commands.console import console, step
from localcloud.kubernetes.agent import namespaces
from localcloud.kubernetes.agent.images import table
from localcloud.toolchain.errors import ToolchainError

ERRORS = (ToolchainError,)


def environments() -> None:
    """Build the environments of the images that run on the local cloud."""
    for name, environment in table().environments.items():
        if not environment.ready:
            with step(f"Environment {name}"):
                environment.build()
        console.print(f"[green]✓[/] {name}: {environment.folder}", soft_wrap=True)
    if refused := namespaces.refused():
        console.print(f"[yellow]All pods stay simulated:[/] {refused}", soft_wrap=True)
