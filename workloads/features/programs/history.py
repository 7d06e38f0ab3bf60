"""The same question to the lake, for training: what would have been read at that moment."""

from __future__ import annotations

import pandas as pd
from feast import FeatureService, FeatureStore

from .definitions import join_keys
from .errors import FeaturesError
from .lake import entities

MOMENT = "event_timestamp"


def references(store: FeatureStore, features: list[str] | FeatureService) -> list[str]:
    """`view:feature` of each."""
    if isinstance(features, list):
        return features
    return [
        f"{view.name}:{field.name}" for view in features.feature_view_projections for field in view.features
    ]


def historical(store: FeatureStore, features: list[str] | FeatureService, rows: pd.DataFrame) -> pd.DataFrame:
    """The `rows` (join keys and `event_timestamp`), in their order, with a column `view__feature` of each.

    Feast's file store drops a row of which one view's value is too old, with the values of the other views. Here each
    view is asked alone, and a row that is not answered has nulls: as the read path has it.

    Raises FeaturesError if a moment has no time zone.
    """
    if getattr(rows[MOMENT].dtype, "tz", None) is None:
        raise FeaturesError(
            f"{MOMENT}: moments without a time zone; say which, 18:30 in UTC is midnight in India"
        )
    asked = rows.assign(**{MOMENT: rows[MOMENT].dt.tz_convert("UTC").astype("datetime64[ns, UTC]")})
    result = asked
    for view, names in _by_view(references(store, features)).items():
        result = result.merge(_answered(store, view, names, asked), how="left")
    return result


def _answered(store: FeatureStore, view: str, names: list[str], asked: pd.DataFrame) -> pd.DataFrame:
    """What Feast answers of one view, of entities that have a row: its file store fails where one has none (dask
    sorts no nulls)."""
    found = store.get_feature_view(view)
    keys = join_keys(found)
    grid = asked[[*keys, MOMENT]].drop_duplicates().merge(entities(found), on=keys)
    if grid.empty:
        return grid.assign(**dict.fromkeys((name.replace(":", "__") for name in names), None))
    answered = store.get_historical_features(grid, names, full_feature_names=True).to_df()
    return answered.assign(**{MOMENT: answered[MOMENT].astype("datetime64[ns, UTC]")})


def _by_view(features: list[str]) -> dict[str, list[str]]:
    views: dict[str, list[str]] = {}
    for feature in features:
        views.setdefault(feature.partition(":")[0], []).append(feature)
    return views
