"""The ways in which nodes are bought, and the chains of ways that each cloud allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator

from infra.settings.errors import nearest, refuse

Way = Literal["reserved", "spot", "flex-start", "on-demand", "capacity-block"]
WAYS: tuple[Way, ...] = get_args(Way)
RESERVED, SPOT, FLEX_START, ON_DEMAND, CAPACITY_BLOCK = WAYS
# Within a NodePool Karpenter tries them in this order, whatever order is written. Another order would take a NodePool
# with a weight for each way, and only buy the dearer node first: it is refused.
KARPENTER_ORDER: tuple[Way, ...] = (RESERVED, SPOT, ON_DEMAND)


def in_words(ways: Sequence[str]) -> str:
    """The ways as a stack file has them: a word, or a list of words."""
    return ways[0] if len(ways) == 1 else f"[{', '.join(ways)}]"


def on_aws(ways: Sequence[Way]) -> None:
    """Refuse what AWS does not sell, and an order that Karpenter does not follow."""
    ordered = [way for way in KARPENTER_ORDER if way in ways]
    if FLEX_START in ways:
        raise refuse(
            f"{', '.join(KARPENTER_ORDER)}: only Google has flex-start", near=in_words(ordered or [SPOT])
        )
    if len(ways) > 1 and list(ways) != ordered:
        raise refuse(f"in the order in which Karpenter buys: {', '.join(ordered)}", near=in_words(ordered))


def on_google(ways: Sequence[Way]) -> None:
    """Refuse what Google does not sell. A ComputeClass follows any order."""
    if CAPACITY_BLOCK in ways:
        raise refuse(f"{', '.join(WAYS[:-1])}: only AWS sells capacity blocks", near=ON_DEMAND)


def _ways(given: object) -> tuple[str, ...]:
    words = tuple(map(str, given)) if isinstance(given, list | tuple) else (str(given),)
    close = [word if word in WAYS else nearest(word, WAYS) for word in words]
    near = list(dict.fromkeys(word for word in close if word)) or [SPOT]
    if not words or set(words) - set(WAYS):
        raise refuse(f"{', '.join(WAYS)}, or a list of them in order of preference", near=in_words(near))
    if len(near) < len(words):
        raise refuse("each way once", near=in_words(near))
    if CAPACITY_BLOCK in words and len(words) > 1:
        taken = dict.fromkeys(RESERVED if word == CAPACITY_BLOCK else word for word in words)
        raise refuse("capacity-block alone, or the block as reserved in a chain", near=in_words(list(taken)))
    return words


Purchases = Annotated[tuple[Way, ...], BeforeValidator(_ways, json_schema_input_type=Way | list[Way])]
