"""Whether a text may mention something at all: a look for plain words is many times quicker than one for a pattern."""

from __future__ import annotations

from collections.abc import Iterable


def may_mention(text: str, words: Iterable[str]) -> bool:
    """Whether one of some words in small letters is in a text, in whatever case; of one beyond ASCII always."""
    if not text.isascii():
        return True
    lower = text.lower()
    return any(word in lower for word in words)
