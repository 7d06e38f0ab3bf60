"""What a person who waits is shown."""

from __future__ import annotations

import sys
from collections.abc import Callable

# Done, total (0: not known), and what it is of. Called often; whoever shows it chooses when.
Report = Callable[[int, int, str], None]
# A line that must be seen: what was chosen, and why.
Say = Callable[[str], None]


def on_stderr(text: str) -> None:
    """Say a line where no shell evaluates it; a bar of rich lets it through above itself."""
    print(text, file=sys.stderr, flush=True)
