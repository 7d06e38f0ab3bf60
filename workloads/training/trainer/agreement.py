"""What all ranks do, or none: a rank that refuses alone would leave the others in a collective, waiting for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch.distributed as dist

from .recipe import RecipeError


class RefusedError(Exception):
    """A rank can't run the recipe, and so none does."""


def together(stage: Callable[[], Any]) -> Any:
    """What a stage returns, once no rank refuses in it. RefusedError on all ranks, with the message of the first.

    A stage of collectives alone may refuse on all ranks at once, or in a `together` of its own.
    """
    result, message = None, None
    try:
        result = stage()
    except RecipeError as error:
        message = str(error)
    messages: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(messages, message)
    if first := next(filter(None, messages), None):
        raise RefusedError(first)
    return result


def from_first(make: Callable[[], Any], group: Any = None) -> Any:
    """What `make` returns on the first rank; or the RecipeError, or an error of any other kind, of it on all ranks."""
    made: list[Any] = [None, None]
    if dist.get_rank() == 0:
        try:
            made = [make(), None]
        except RecipeError as error:
            made = [None, error]
        except Exception as error:  # noqa: BLE001  raised on all ranks, in words that each can read
            made = [None, RuntimeError(f"{type(error).__name__}: {error}")]
    dist.broadcast_object_list(made, group=group)
    if made[1]:
        raise made[1]
    return made[0]
