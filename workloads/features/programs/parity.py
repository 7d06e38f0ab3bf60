"""Compares the two ways to one feature: what the lake answers as of a moment, and what Redis answers at it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from feast import FeatureStore
from feast.errors import ProjectObjectNotFoundException

from .definitions import Definitions, join_keys
from .errors import FeaturesError
from .history import ASKED, historical
from .keys import all_keys, mark_key
from .materialise import defined, materialise, redis_of
from .online import OnlineReader
from .options import Options
from .state import State
from .store import open_store

SHOWN = 20


@dataclass(frozen=True)
class Difference:
    """One value that a model would not get as it was trained on it."""

    feature: str
    entity: dict[str, Any]
    moment: str
    offline: Any
    online: Any


@dataclass(frozen=True)
class Parity:
    """How many values were compared, and the first of those that differ."""

    moments: list[str]
    entities: int
    compared: int
    different: int
    first: list[Difference]

    @property
    def json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**vars(self), "first": [vars(each) for each in self.first], "equal": not self.different}


def compare_now(options: Options, entities: pd.DataFrame) -> Parity:
    """Of what Redis serves, at the moment to which it was materialised. Writes nothing."""
    store = open_store(options)
    through = redis_of(store).hget(mark_key(options.project), "through")
    if through is None:
        raise FeaturesError(f"{options.project}: nothing is materialised; do that first")
    moment = datetime.fromisoformat(through.decode())
    return _result([moment], entities, compare(store, defined(options), entities, moment))


def compare_at(options: Options, entities: pd.DataFrame, moments: Sequence[datetime]) -> Parity:
    """Of each moment, after a materialisation up to it: in a project of its own, which is removed again."""
    if naive := [moment for moment in moments if moment.tzinfo is None]:
        raise FeaturesError(f"{naive[0].isoformat()} has no time zone")
    aside = replace(options, project=f"{options.project}_parity")
    definitions = defined(options)
    remove(aside, definitions)
    try:
        found: list[tuple[int, list[Difference]]] = []
        for moment in sorted(moments):
            materialise(aside, moment)
            found.append(_counted(compare(open_store(aside), definitions, entities, moment)))
    finally:
        remove(aside, definitions)
    differences = [each for _, some in found for each in some]
    return _parity(sorted(moments), entities, sum(count for count, _ in found), differences)


def compare(
    store: FeatureStore, definitions: Definitions, entities: pd.DataFrame, moment: datetime
) -> Iterator[Difference | None]:
    """For every value of every online view: the difference, None if there is none."""
    for view in definitions.online:
        keys = join_keys(view)
        asked = entities[keys].drop_duplicates(ignore_index=True)
        names = [f"{view.name}:{field.name}" for field in view.features]
        moments = pd.Series([pd.Timestamp(moment.astimezone(UTC))] * len(asked), dtype="datetime64[us, UTC]")
        offline = historical(store, names, asked.assign(**{ASKED: moments}))
        online = OnlineReader(store).read(names, asked.to_dict("list"), moment).to_df()
        for name in (name.replace(":", "__") for name in names):
            for at, (was, now) in enumerate(zip(offline[name], online[name], strict=True)):
                entity = {key: plain(asked[key].iloc[at]) for key in keys}
                same = alike(was, now)
                yield None if same else Difference(name, entity, moment.isoformat(), plain(was), plain(now))


def alike(one: Any, other: Any) -> bool:
    """Whether a model gets the same: nulls of every kind are one, and a whole number is its float."""
    return plain(one) == plain(other)


def plain(value: Any) -> Any:
    """A value as JSON has it; null for what pandas has where there is none."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, datetime):
        return None if pd.isna(value) else pd.Timestamp(value).timestamp()
    if isinstance(value, float):
        return None if math.isnan(value) else value
    return None if value is pd.NA or value is pd.NaT else value


def remove(options: Options, definitions: Definitions) -> None:
    """Take a project out of Redis, of the registry and of the state."""
    state, store = State(options.registry, options.project), open_store(options)
    client = redis_of(store)
    for view in definitions.online:
        for key in all_keys(client, view, options.project):
            client.delete(key)
    client.delete(mark_key(options.project))
    state.forget()
    with state.registering(), suppress(ProjectObjectNotFoundException):
        # Feast's deletion of a project leaves the versions of its views, and the next of the name would meet them.
        for view in store.list_feature_views():
            store.registry.delete_feature_view(view.name, options.project)
        store.registry.delete_project(options.project)


def _counted(compared: Iterator[Difference | None]) -> tuple[int, list[Difference]]:
    every = list(compared)
    return len(every), [each for each in every if each]


def _result(
    moments: Sequence[datetime], entities: pd.DataFrame, compared: Iterator[Difference | None]
) -> Parity:
    count, differences = _counted(compared)
    return _parity(moments, entities, count, differences)


def _parity(
    moments: Sequence[datetime], entities: pd.DataFrame, compared: int, differences: Sequence[Difference]
) -> Parity:
    said = [moment.isoformat() for moment in moments]
    return Parity(said, len(entities), compared, len(differences), list(differences[:SHOWN]))
