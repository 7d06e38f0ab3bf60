"""What one types: `python -m commands up | preview | …`, a room each, behind the Makefile.

A room that is named is imported alone, so that a question to the catalogue does not wait for the engine's libraries.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from types import ModuleType

import typer

# The module of each command; its function has the command's name, its ERRORS are what the command may end in.
ROOMS = {
    "setup": "commands.setup",
    "up": "commands.up.command",
    "preview": "commands.up.command",
    "down": "commands.up.command",
    "env": "commands.up.command",
    "doctor": "commands.doctor",
    "cost": "commands.cost.command",
    "review": "commands.review.command",
    "choose": "commands.choose.command",
    "advise": "commands.advise.command",
    "catalog": "commands.catalog",
    "images": "commands.images",
    "environments": "commands.environments",
    "settings": "commands.settings",
    "showback": "commands.showback",
    "simulate": "commands.simulate.command",
    "reclaim": "commands.reclaim.command",
    "alarm": "commands.alarm.command",
    "preflight": "commands.preflight.command",
    "bench": "commands.bench.command",
    "burst": "commands.burst.command",
    "page": "commands.page.command",
    "dvc": "commands.dvc.command",
    "reproduce": "commands.reproduce",
    "erase": "commands.erase.command",
    "demo": "commands.demo.command",
    "promote": "commands.promote",
}


def rooms(names: Iterable[str]) -> dict[str, ModuleType]:
    """The modules of the commands that are named."""
    return {name: import_module(ROOMS[name]) for name in names}


def app(*names: str) -> typer.Typer:
    """The command line of the commands that are named."""
    made = typer.Typer(add_completion=False, no_args_is_help=True, help="An AI team's platform in India.")
    made.callback()(lambda: None)  # typer would run a lone command without its name
    for name, room in rooms(names).items():
        made.command(name)(getattr(room, name))
    return made
