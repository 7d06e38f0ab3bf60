"""Definitions as code: what the files of a folder define, and whether that may replace what the registry has."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from feast import Entity, FeatureService, FeatureView, FileSource, OnDemandFeatureView, StreamFeatureView

from .errors import FeaturesError


@dataclass(frozen=True)
class Definitions:
    """Feast's objects of a folder, each once."""

    entities: Sequence[Entity]
    views: Sequence[FeatureView]
    services: Sequence[FeatureService]

    @property
    def all(self) -> list[Any]:
        """In the order in which Feast applies them."""
        return [*self.entities, *self.views, *self.services]

    @property
    def online(self) -> list[FeatureView]:
        """The views that Redis serves; the others, labels say, are for training alone."""
        return [view for view in self.views if view.online]


def load(folder: Path, max_ttl: timedelta) -> Definitions:
    """What the Python files of the folder define. Raises FeaturesError, which names the file or the view."""
    files = sorted(folder.glob("*.py"))
    if not files:
        raise FeaturesError(f"{folder}: no Python file with definitions")
    found = [value for file in files for value in _objects(file)]
    if wrong := [each.name for each in found if isinstance(each, OnDemandFeatureView | StreamFeatureView)]:
        raise FeaturesError(f"{', '.join(wrong)}: only views of files in the lake are materialised here")
    made = Definitions(
        _once(each for each in found if isinstance(each, Entity)),
        _once(each for each in found if isinstance(each, FeatureView)),
        _once(each for each in found if isinstance(each, FeatureService)),
    )
    if problems := [problem for view in made.views for problem in _wrong_with(view, max_ttl)]:
        raise FeaturesError("; ".join(problems))
    return made


def changed_types(new: Iterable[FeatureView], registered: Iterable[FeatureView]) -> list[str]:
    """Each field of `new` whose type is not that of the view with its name in the registry.

    A reader would take the bytes that Redis holds for the new type, and a model that was trained on the old one would
    get something else.
    """
    before = {view.name: {field.name: field.dtype for field in _fields(view)} for view in registered}
    return [
        f"{view.name}.{field.name}: {was} in the registry, {field.dtype} in the definitions"
        for view in new
        for field in _fields(view)
        if (was := before.get(view.name, {}).get(field.name, field.dtype)) != field.dtype
    ]


def join_keys(view: FeatureView) -> list[str]:
    """The columns that name an entity."""
    return [field.name for field in view.entity_columns]


def ttl_of(view: FeatureView) -> timedelta:
    """For how long a value may be used after its event."""
    return view.ttl or timedelta(0)


def _fields(view: FeatureView) -> list[Any]:
    return [*view.entity_columns, *view.features]


def _objects(file: Path) -> list[Any]:
    spec = importlib.util.spec_from_file_location(f"definitions_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise FeaturesError(f"{file}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise FeaturesError(f"{file}: {type(error).__name__}: {error}") from error
    return [
        value for value in vars(module).values() if isinstance(value, Entity | FeatureView | FeatureService)
    ] + [value for value in vars(module).values() if isinstance(value, OnDemandFeatureView)]


def _once(found: Iterable[Any]) -> list[Any]:
    by_name: dict[str, Any] = {}
    for each in found:
        if by_name.setdefault(each.name, each) is not each and by_name[each.name] != each:
            raise FeaturesError(f"{each.name}: defined twice, and not alike")
    return list(by_name.values())


def _wrong_with(view: FeatureView, max_ttl: timedelta) -> list[str]:
    source, ttl = view.batch_source, ttl_of(view)
    if not isinstance(source, FileSource) or not source.timestamp_field:
        return [f"{view.name}: its source is no FileSource with a timestamp_field"]
    rules = {
        "its source renames columns: name them in the file as in the view": bool(source.field_mapping),
        "its schema lists no features": not view.features,
        "two underscores divide a view from its feature in answers; name it, and its key, otherwise": any(
            "__" in name for name in (view.name, *join_keys(view))
        ),
        "no ttl, so that no value would ever be too old; give it one, or online=False": view.online
        and not ttl,
        f"a ttl of {ttl.days} days; the stack allows {max_ttl.days} (maxTtlDays)": view.online
        and ttl > max_ttl,
    }
    return [f"{view.name}: {rule}" for rule, broken in rules.items() if broken]
