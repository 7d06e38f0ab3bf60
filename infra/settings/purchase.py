"""The ways in which nodes are bought, and the chains of ways that each cloud allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator

from infra.settings.errors import refuse
from infra.spelling import nearest

Purchase = Literal["reserved", "spot", "flex-start", "on-demand", "capacity-block"]
PURCHASES: tuple[Purchase, ...] = get_args(Purchase)
# Those that have a market, and so a price a machine at any time; and those that the tables of prices have rows of.
Market = Literal["spot", "on-demand"]
MARKETS: tuple[Market, ...] = get_args(Market)
PricedPurchase = Literal[Market, "capacity-block", "flex-start"]
RESERVED, SPOT, FLEX_START, ON_DEMAND, CAPACITY_BLOCK = PURCHASES
# Within a NodePool Karpenter tries them in this order, whatever order is written. Another order would take a NodePool
# with a weight for each way, and only buy the dearer node first: it is refused.
KARPENTER_ORDER: tuple[Purchase, ...] = (RESERVED, SPOT, ON_DEMAND)


def in_words(purchases: Sequence[str]) -> str:
    """The ways as a stack file has them: a word, or a list of words."""
    return purchases[0] if len(purchases) == 1 else f"[{', '.join(purchases)}]"


def on_aws(purchases: Sequence[Purchase]) -> None:
    """Refuse what AWS does not sell, and an order that Karpenter does not follow."""
    ordered = [purchase for purchase in KARPENTER_ORDER if purchase in purchases]
    if FLEX_START in purchases:
        raise refuse(
            f"{', '.join(KARPENTER_ORDER)}: only Google has flex-start", near=in_words(ordered or [SPOT])
        )
    if len(purchases) > 1 and list(purchases) != ordered:
        raise refuse(f"in the order in which Karpenter buys: {', '.join(ordered)}", near=in_words(ordered))


def on_google(purchases: Sequence[Purchase]) -> None:
    """Refuse what Google does not sell. A ComputeClass follows any order."""
    if CAPACITY_BLOCK in purchases:
        raise refuse(f"{', '.join(PURCHASES[:-1])}: only AWS sells capacity blocks", near=ON_DEMAND)


def _purchases(given: object) -> tuple[str, ...]:
    words = tuple(map(str, given)) if isinstance(given, list | tuple) else (str(given),)
    close = [word if word in PURCHASES else nearest(word, PURCHASES) for word in words]
    near = list(dict.fromkeys(word for word in close if word)) or [SPOT]
    if not words or set(words) - set(PURCHASES):
        raise refuse(f"{', '.join(PURCHASES)}, or a list of them in order of preference", near=in_words(near))
    if len(near) < len(words):
        raise refuse("each way once", near=in_words(near))
    if CAPACITY_BLOCK in words and len(words) > 1:
        taken = dict.fromkeys(RESERVED if word == CAPACITY_BLOCK else word for word in words)
        raise refuse("capacity-block alone, or the block as reserved in a chain", near=in_words(list(taken)))
    return words


Purchases = Annotated[
    tuple[Purchase, ...], BeforeValidator(_purchases, json_schema_input_type=Purchase | list[Purchase])
]
