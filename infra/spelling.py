"""What a wrong word was meant to be."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches


def nearest(given: object, valid: Iterable[str]) -> str | None:
    """The valid value whose spelling is closest to what was given, letter case aside.

    A value whose words are all in what was given comes first: `A100-80GB` and `nvidia-a100` are an A100, not an A10G.
    """
    by_folded = {name.casefold(): name for name in valid}
    folded = str(given).casefold()
    if within := [name for name in by_folded if _words(name) in _words(folded)]:
        return by_folded[max(within, key=len)]
    close = get_close_matches(folded, by_folded, n=1, cutoff=0.5)
    return by_folded[close[0]] if close else None


def _words(text: str) -> str:
    """The words of a text in letters and digits, with a dash before, between and after them."""
    return "-".join(["", *re.findall(r"[^\W_]+", text), ""])
