"""The one place that knows Evidently: how far the samples of each feature are apart.

Whoever wants scipy alone has the same numbers from `distance.py`: this function is all that would change.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas
from evidently import DataDefinition, Dataset, Report
from evidently.metrics import ValueDrift

from .job import DriftError
from .profile import Feature

# Effect sizes. For few rows Evidently would take the p-value of Kolmogorov and Smirnov, which finds trifles in many.
METHODS = {"numeric": "wasserstein", "category": "jensenshannon"}


def score(
    reference: pandas.DataFrame, current: pandas.DataFrame, features: Sequence[Feature]
) -> dict[str, float]:
    """The distance of each feature; DriftError where one has no value left."""
    for feature in features:
        if feature.kind == "numeric" and not current[feature.name].notna().any():
            raise DriftError(
                f"column {feature.column} has no value in this window; its source has stopped writing it"
            )
    definition = DataDefinition(
        numerical_columns=[feature.name for feature in features if feature.kind == "numeric"],
        categorical_columns=[feature.name for feature in features if feature.kind == "category"],
    )
    sides = [Dataset.from_pandas(side, definition) for side in (current, reference)]
    drifts = [ValueDrift(column=feature.name, method=METHODS[feature.kind]) for feature in features]
    values = Report(drifts).run(*sides).dict()["metrics"]
    return {feature.name: float(found["value"]) for feature, found in zip(features, values, strict=True)}
