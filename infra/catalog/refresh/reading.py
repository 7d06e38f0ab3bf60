"""How feeds are parsed: JSON that may be anything, and rows of which each is checked by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pydantic import ValidationError

from infra.catalog.refresh.answers import FeedError

S = TypeVar("S")
T = TypeVar("T")

# Feeds round spot to four digits and on-demand to five: 1.1408 beside 1.14076 is the on-demand price.
ROUNDING = 1e-4


def parse_json(body: bytes, form: type[S]) -> S:
    """The document, an object (`dict`) or an array (`list`).

    Raises:
        FeedError: it is no JSON, or something else.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise FeedError("is no JSON") from None
    if not isinstance(found, form):
        raise FeedError(f"is no {'object' if form is dict else 'array'}")
    return found


def part(document: object, *names: str) -> dict[str, Any]:
    """The object at a path of names; empty where there is none."""
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}


def each(facts: Iterable[S], name: Callable[[S], str], check: Callable[[S], T]) -> tuple[list[T], list[str]]:
    """The facts that `check` accepts, and a line for each of the others."""
    good: list[T] = []
    dropped: list[str] = []
    for fact in facts:
        try:
            good.append(check(fact))
        except ValidationError as error:
            wrong = error.errors()[0]
            at = ".".join(map(str, wrong["loc"])) or "row"
            dropped.append(f"{name(fact)}: {at} is {str(wrong['input'])[:40]!r}: {wrong['msg']}")
    return good, dropped


def capped(spot: float, on_demand: float | None) -> float:
    """A spot price that exceeds the on-demand price by a rounding is the on-demand price."""
    return on_demand if on_demand and 0 < spot - on_demand < ROUNDING else spot
