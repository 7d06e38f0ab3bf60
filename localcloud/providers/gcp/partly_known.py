"""Values of which a preview may not know all: which of them is given, and how they are put together."""

from __future__ import annotations

from typing import Any

from localcloud.providers.protocol import (
    UNKNOWN,
    Values,
)


def given_in(inputs: Values) -> Values:
    """What a program gave, without the note of which names the provider filled."""
    return {name: value for name, value in inputs.items() if name != "__defaults"}


def first(*values: Any) -> Any:
    """The first that is given; what is not known yet is given."""
    return next((value for value in values if value is not None), None)


def not_known(template: Any) -> Any:
    """What a preview knows of the outputs that Google adds: where they are."""
    return (
        {name: not_known(part) for name, part in template.items()} if isinstance(template, dict) else UNKNOWN
    )


def merged(under: Any, over: Any) -> Any:
    """`over`, with what only `under` has, at every depth."""
    if not (isinstance(under, dict) and isinstance(over, dict)):
        return under if over is None else over
    return {**under, **{name: merged(under.get(name), value) for name, value in over.items()}}
