"""Whose rows: values of a column are compared as texts, code point by code point.

`12` is the text and the number 12, in columns of texts, integers, floats (as pandas makes integers with nulls) and
decimals; it is none of `123`, `012` and `12.5`.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

# Above it a float stands for several integers.
EXACT_FLOATS = 2**53
IsTheirs = Callable[[Any], bool]


def tag(key: str, identifier: str) -> str:
    """What stands for an identifier where it must not be written: only who has the key can compute it."""
    return hmac.digest(key.encode(), identifier.encode("utf-8", "surrogatepass"), "sha256").hex()[:32]


def is_theirs(whom: Mapping[str, Any]) -> IsTheirs:
    """Whether a value is the identifier of `whom`: of a `principal`, or of those with `tags` under a `key`."""
    if "principal" in whom:
        asked = whom["principal"]
        return _any(lambda text: text == asked)
    tags, key = frozenset(whom["tags"]), whom["key"]
    return _any(lambda text: tag(key, text) in tags)


def _any(matches: Callable[[str], bool]) -> IsTheirs:
    def of(value: Any) -> bool:
        if isinstance(value, list | tuple):
            return any(map(of, value))
        text = _text(value)
        return text is not None and matches(text)

    return of


def _text(value: Any) -> str | None:
    text = None
    match value:
        case str():
            text = value
        case bytes():
            text = value.decode(errors="surrogateescape")
        case bool():
            text = None
        case int():
            text = str(value)
        case float() if value.is_integer() and abs(value) < EXACT_FLOATS:
            text = str(int(value))
        case Decimal() if value.is_finite() and value == int(value):
            text = str(int(value))
    return text
