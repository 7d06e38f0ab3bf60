"""Sentences in three languages that a tiny model learns in seconds, and others of the same kind that it never saw."""

from __future__ import annotations

import itertools
import random

_SENTENCES = {
    "en": (
        "The train to {} leaves at {}. ",
        ("Pune", "Delhi", "Kochi", "Indore", "Salem"),
        ("five", "nine", "two", "ten", "six"),
    ),
    "hi": (
        "{} की ट्रेन {} बजे जाती है। ",
        ("पुणे", "दिल्ली", "कोच्चि", "इंदौर", "सेलम"),
        ("पाँच", "नौ", "दो", "दस", "छह"),
    ),
    "ta": (
        "{} ரயில் {} மணிக்கு புறப்படும். ",
        ("புனே", "டெல்லி", "கொச்சி", "இந்தூர்", "சேலம்"),
        ("ஐந்து", "ஒன்பது", "இரண்டு", "பத்து", "ஆறு"),
    ),
}


def texts() -> dict[str, tuple[str, str]]:
    """By language: what is learnt, and what is held back."""
    found = {}
    for language, (pattern, places, hours) in _SENTENCES.items():
        sentences = [pattern.format(place, hour) for place, hour in itertools.product(places, hours)]
        random.Random(0).shuffle(sentences)
        found[language] = ("".join(sentences[:20] * 4), "".join(sentences[20:] * 8))
    return found
