"""`python -m commands up | preview | …`: the entry behind the Makefile, and where errors become one message."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.markup import escape

from commands.app import ROOMS, app, rooms
from commands.console import console
from infra.catalog.tables import CatalogError
from infra.settings.errors import SettingsError
from infra.stacks import StackFileError


def main(words: Sequence[str]) -> None:
    """Run the command that the first word names; without one, show them all."""
    names = [word for word in words[:1] if word in ROOMS] or list(ROOMS)
    ends = {error for room in rooms(names).values() for error in getattr(room, "ERRORS", ())}
    try:
        app(*names)(words, prog_name="make")
    except (SettingsError, StackFileError, CatalogError, *ends) as error:
        console.print(f"[red]✗[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
