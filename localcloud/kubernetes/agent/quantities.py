"""Kubernetes quantities (`500m`, `2Gi`) as numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_SUFFIXES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18} | {
    f"{letter}i": 1024**power for power, letter in enumerate("KMGTPE", start=1)
}
_FORM = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([numkMGTPE]?|[KMGTPE]i)")
_SMALL = {"n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3")}


def number(quantity: str) -> Decimal:
    """The quantity as a number of its base unit: cores, bytes."""
    found = _FORM.fullmatch(str(quantity))
    if not found:
        raise ValueError(f"{quantity} is no quantity of Kubernetes")
    return Decimal(found[1]) * (_SMALL.get(found[2]) or _SUFFIXES[found[2]])


def resource(container: Mapping[str, Any], name: str) -> Decimal | None:
    """What a container may use of `cpu` or `memory`: its limit, else what it asks for; None if it says neither."""
    resources = container.get("resources") or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    quantity = limits.get(name, requests.get(name))
    return None if quantity is None else number(quantity)
