"""What can be measured of texts without a model: their length, their scripts, and how many of their words are new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set

import pandas

# Blocks of the Unicode Standard (Blocks.txt), of the scripts of India's most spoken languages.
SCRIPTS = {
    "latin": "A-Za-z\u00c0-\u024f",
    "devanagari": "\u0900-\u097f",
    "bengali": "\u0980-\u09ff",
    "gurmukhi": "\u0a00-\u0a7f",
    "gujarati": "\u0a80-\u0aff",
    "tamil": "\u0b80-\u0bff",
    "telugu": "\u0c00-\u0c7f",
    "kannada": "\u0c80-\u0cff",
    "malayalam": "\u0d00-\u0d7f",
}
MEASURES = ("length", "digits", "new words", *SCRIPTS)
# Rarer words of the reference are as good as new; and a reference has to be read in a moment.
VOCABULARY = 20_000


def words(text: str) -> list[str]:
    """Its words in lower case. A vowel sign is a mark, which `\\w` would end a word of Hindi at: so split at spaces."""
    return [word for part in text.lower().split() if (word := part.strip(".,;:!?\"'()[]।"))]


def vocabulary(texts: Iterable[str]) -> frozenset[str]:
    """The words that more than one text has, the commonest first."""
    counted = Counter(word for text in texts for word in set(words(text)))
    return frozenset(word for word, count in counted.most_common(VOCABULARY) if count > 1)


def measured(texts: pandas.Series, known: Set[str]) -> pandas.DataFrame:
    """A column for each of MEASURES; shares are of the text's letters, of new words of its words. Nulls stay null."""
    there = texts.dropna().astype(str)
    length = there.str.len()
    letters = there.str.count(f"[{''.join(SCRIPTS.values())}]").clip(lower=1)
    shares = {name: there.str.count(f"[{block}]") / letters for name, block in SCRIPTS.items()}
    new = there.map(lambda text: _new(words(text), known))
    columns = {"length": length, "digits": there.str.count(r"\d") / length.clip(lower=1), "new words": new}
    return pandas.DataFrame({**columns, **shares}, index=texts.index).astype(float)


def _new(listed: list[str], known: Set[str]) -> float:
    return sum(word not in known for word in listed) / max(1, len(listed))
