"""What of a column can drift: its features, the bins that each is counted in, and a sample in their terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy
import pandas

from . import text
from .job import Kind

MISSING, OTHER = "(missing)", "(other)"
BINS = 10
# A level of a category that is rarer than this is one of the others: its share is mostly chance.
RAREST = 0.005
LEVELS = 50


@dataclass(frozen=True)
class Feature:
    """A number or a category that rows have: a column, or one measure of a column of text."""

    name: str
    column: str
    kind: Literal["numeric", "category"]
    edges: tuple[float, ...] = ()
    """Of a number: the upper ends of all bins but the last."""
    levels: tuple[str, ...] = ()
    """Of a category: those with a bin of their own, then OTHER and MISSING."""

    @property
    def own_levels(self) -> tuple[str, ...]:
        """Those that are values of the column."""
        return self.levels[:-2]

    @property
    def bins(self) -> list[str]:
        """What each bin holds, in words."""
        if self.kind == "category":
            return list(self.levels)
        ends = [f"{edge:.3g}" for edge in self.edges]
        if not ends:
            return ["any", MISSING]
        between = [f"{low} – {high}" for low, high in pairwise(ends)]
        return [f"≤ {ends[0]}", *between, f"> {ends[-1]}", MISSING]


def features(sample: pandas.DataFrame, kinds: Mapping[str, Kind], known: Set[str]) -> list[Feature]:
    """The features of a reference's sample, with bins that hold about as many of its rows each."""
    found: list[Feature] = []
    for column, kind in kinds.items():
        if kind == "category":
            found.append(Feature(column, column, "category", levels=_levels(sample[column])))
        elif kind == "numeric":
            found += _numbers({column: sample[column]}, column)
        else:
            of = text.measured(sample[column], known)
            found += _numbers({f"{column}: {name}": of[name] for name in text.MEASURES}, column)
    return found


def _numbers(values: Mapping[str, pandas.Series], column: str) -> list[Feature]:
    """Those that vary: what is always the same has no deviation by which a distance could be measured."""
    return [
        Feature(name, column, "numeric", _edges(each)) for name, each in values.items() if each.nunique() > 1
    ]


def _edges(values: pandas.Series) -> tuple[float, ...]:
    there = values.dropna().to_numpy(dtype=float)
    if not len(there):
        return ()
    cuts = numpy.unique(numpy.quantile(there, numpy.linspace(0, 1, BINS + 1)[1:-1], method="inverted_cdf"))
    # An edge at the largest value would leave its last bin empty, and one row there would count as a change.
    return tuple(float(cut) for cut in cuts if cut < there.max())


def _levels(values: pandas.Series) -> tuple[str, ...]:
    shares = values.dropna().map(_word).value_counts(normalize=True)
    own = [str(level) for level, share in shares.items() if share >= RAREST]
    return (*own[:LEVELS], OTHER, MISSING)


def in_terms_of(sample: pandas.DataFrame, of: Sequence[Feature], known: Set[str]) -> pandas.DataFrame:
    """A column a feature: floats for numbers, and of categories the levels' words."""
    measured = {each.column: None for each in of if each.name != each.column}
    texts = {column: text.measured(sample[column], known) for column in measured}
    columns = {}
    for each in of:
        if each.name != each.column:
            columns[each.name] = texts[each.column][each.name.removeprefix(f"{each.column}: ")]
        elif each.kind == "numeric":
            columns[each.name] = sample[each.column].astype(float)
        else:
            columns[each.name] = _as_levels(sample[each.column], each)
    return pandas.DataFrame(columns)


def _as_levels(values: pandas.Series, feature: Feature) -> pandas.Series:
    words = values.astype(object).where(values.notna(), None)
    named = words.map(lambda value: None if value is None else _word(value))
    return named.where(named.isin(feature.own_levels), OTHER).where(values.notna(), MISSING).astype(str)


def _word(value: object) -> str:
    # As DuckDB casts a truth value to text.
    return str(value).lower() if isinstance(value, bool | numpy.bool_) else str(value)


def counts(values: pandas.Series, feature: Feature) -> numpy.ndarray:
    """How many of the values are in each bin."""
    if feature.kind == "category":
        found = values.value_counts()
        return numpy.array([int(found.get(level, 0)) for level in feature.levels])
    there = values.dropna().to_numpy()
    at = numpy.searchsorted(feature.edges, there, side="left")
    inside = numpy.bincount(at, minlength=len(feature.edges) + 1)
    return numpy.append(inside, len(values) - len(there))
