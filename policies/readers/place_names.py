"""What a property's name says of its value: `availabilityZoneIds` holds zones."""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_SUFFIXES = ("id", "ids", "name", "names")
_REGION_WORDS = ("region", "regions")
_ZONE_WORDS = ("zone", "zones")
_LOCATION_WORDS = ("location", "locations")


def is_always_a_place(name: str) -> bool:
    """Whether an AWS property of this name can only be a region or an availability zone."""
    word = place_word(name)
    return word == "region" or (word == "zone" and "availability" in name.lower())


def place_word(name: str) -> str:
    """`availabilityZoneIds` -> "zone": the kind of place that a property names, or "" for none."""
    lower = name.lower()
    if not any(word in lower for word in ("region", "zone", "location")):
        return ""
    words = [word.lower() for word in _WORD.findall(name.rsplit("/", 1)[-1])]
    if words and words[-1] in _SUFFIXES:
        words.pop()
    if not words or "or" in words:  # `stateOrRegion` is part of a postal address
        return ""
    for kind in (_REGION_WORDS, _ZONE_WORDS, _LOCATION_WORDS):
        if words[-1] in kind:
            return kind[0]
    return ""
