"""The same question to the lake, for training: what would have been read at that moment."""

from __future__ import annotations

from datetime import date

import pandas as pd
from feast import FeatureService, FeatureStore, FeatureView
from feast.types import Int32, Int64

from .definitions import join_keys, ttl_of
from .errors import FeaturesError
from .lake import MOMENT, partitions, rows_of

ASKED = "event_timestamp"


def references(store: FeatureStore, features: list[str] | FeatureService) -> list[str]:
    """`view:feature` of each."""
    if isinstance(features, list):
        return features
    return [
        f"{view.name}:{field.name}" for view in features.feature_view_projections for field in view.features
    ]


def historical(store: FeatureStore, features: list[str] | FeatureService, rows: pd.DataFrame) -> pd.DataFrame:
    """The `rows` (join keys and `event_timestamp`), in their order, with a column `view__feature` of each.

    Feast's own file store does not answer it: it drops a row of which one view's value is too old, and one of two rows
    that ask the same; and of a value that was corrected it takes any version (feast-dev/feast#3360, #6787).

    Raises FeaturesError if a moment is missing or has no time zone, for keys of another type than the lake's, and for a
    file that is not what the view says.
    """
    if getattr(rows[ASKED].dtype, "tz", None) is None:
        raise FeaturesError(
            f"{ASKED}: moments without a time zone; say which, 18:30 in UTC is midnight in India"
        )
    if rows[ASKED].isna().any():
        raise FeaturesError(
            f"{ASKED}: row {rows[ASKED].isna().argmax()} has no moment; say which, or leave it out"
        )
    asked = rows.assign(**{ASKED: rows[ASKED].dt.tz_convert("UTC").astype("datetime64[us, UTC]")})
    result = asked
    for view, names in _by_view(references(store, features)).items():
        result = result.merge(_answered(store.get_feature_view(view), names, asked), how="left")
    return result


def _answered(view: FeatureView, names: list[str], asked: pd.DataFrame) -> pd.DataFrame:
    """What a view says of each entity and moment: its last row, if that is not older than the view's ttl."""
    keys = join_keys(view)
    questions = asked[[*keys, ASKED]].drop_duplicates().sort_values(ASKED)
    rows = _rows(view, questions[ASKED]) if len(questions) else questions
    columns = {name: f"{view.name}__{name}" for name in names}
    if rows.empty:
        return questions.assign(**dict.fromkeys(columns.values(), None))
    # Whole numbers stay whole beside nulls.
    whole = [field.name for field in view.features if field.name in names and field.dtype in (Int32, Int64)]
    rows = rows[[*keys, MOMENT, *names]].astype(dict.fromkeys(whole, "Int64")).rename(columns=columns)
    ttl = ttl_of(view) or None
    try:
        # Of rows of one moment it takes the one below the others.
        found = pd.merge_asof(questions, rows, left_on=ASKED, right_on=MOMENT, by=keys, tolerance=ttl)
    except pd.errors.MergeError as error:
        raise FeaturesError(
            f"{view.name}: its keys {', '.join(keys)} are not what the lake has: {error}"
        ) from error
    return found.drop(columns=MOMENT)


def _rows(view: FeatureView, moments: pd.Series) -> pd.DataFrame:
    """Of the days that can have an answer."""
    first = (moments.min() - ttl_of(view)).date() if ttl_of(view) else date.min
    days = [
        rows_of(view, partition)
        for day, partition in sorted(partitions(view.batch_source.path).items())
        if first <= day <= moments.max().date()
    ]
    filled = [rows for rows in days if len(rows)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()


def _by_view(features: list[str]) -> dict[str, list[str]]:
    views: dict[str, list[str]] = {}
    for feature in features:
        view, _, name = feature.partition(":")
        views.setdefault(view, []).append(name)
    return views
