"""The offline store as it lies: a folder a view, in it a folder a day (UTC) of the events, in it Parquet.

transactions_7d/day=2026-11-01/part-0.parquet
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
from feast import FeatureView
from feast.type_map import pa_to_feast_value_type

from .definitions import join_keys
from .errors import FeaturesError

_PATH = re.compile(r"/day=(\d{4}-\d{2}-\d{2})/[^/]+\.parquet$")
MOMENT, DIGEST = "__moment", "__digest"


@dataclass(frozen=True)
class Partition:
    """The files of one day. `fingerprint` differs when a file was written again, whatever is in it."""

    day: date
    paths: tuple[str, ...]
    fingerprint: str

    @property
    def end(self) -> datetime:
        """The first moment that is no more of it."""
        return start_of(self.day + timedelta(days=1))


def start_of(day: date) -> datetime:
    """Midnight UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def partitions(uri: str) -> dict[date, Partition]:
    """The partitions of a view's folder, by day."""
    filesystem, root = fsspec.url_to_fs(uri)
    # A listing that an earlier run of the process remembers would hide what was written since.
    filesystem.invalidate_cache()
    by_day: dict[date, list[tuple[str, str]]] = {}
    for path, info in sorted(filesystem.find(root, detail=True).items()):
        if found := _PATH.search(path):
            version = info.get("ETag") or info.get("etag") or info.get("md5Hash") or info.get("mtime")
            by_day.setdefault(date.fromisoformat(found[1]), []).append((path, f"{info['size']}-{version}"))
    return {
        day: Partition(
            day, tuple(path for path, _ in files), " ".join(f"{path} {mark}" for path, mark in files)
        )
        for day, files in by_day.items()
    }


def missing_days(present: Iterable[date], begin: date, end: date) -> list[date]:
    """The days without a partition between the first that there is, not before `begin`, and that of `end`."""
    days = set(present)
    first = min(end, max(begin, min(days, default=end)))
    every = (first + timedelta(days=after) for after in range((end - first).days + 1))
    return [day for day in every if day not in days]


def rows_of(view: FeatureView, partition: Partition) -> pd.DataFrame:
    """The rows of a partition: keys, features, when (`MOMENT`). Of two of one moment the one that is right is below.

    Raises FeaturesError where a file is not what the view says.
    """
    source = view.batch_source
    created = source.created_timestamp_column
    keys, features = join_keys(view), [field.name for field in view.features]
    columns = list(dict.fromkeys([*keys, *features, source.timestamp_field, *([created] if created else [])]))
    filesystem, _ = fsspec.url_to_fs(source.path)
    tables = [_read(view, path, columns, filesystem) for path in partition.paths]
    # Whole numbers stay whole beside nulls.
    rows = pa.concat_tables(tables, promote_options="permissive").to_pandas(integer_object_nulls=True)
    rows[MOMENT] = rows[source.timestamp_field].astype("datetime64[us, UTC]")
    if (empty := rows[[*keys, MOMENT]].isna().any()).any():
        names = ", ".join(source.timestamp_field if name == MOMENT else name for name in empty[empty].index)
        raise FeaturesError(f"{view.name}, {partition.day}: a row without {names}")
    outside = rows[(rows[MOMENT] < start_of(partition.day)) | (rows[MOMENT] >= partition.end)]
    if len(outside):
        raise FeaturesError(
            f"{view.name}, {partition.day}: a row of {outside[MOMENT].iloc[0].isoformat()}; partitions are days of UTC"
        )
    return rows.sort_values([MOMENT, created] if created else [MOMENT], kind="stable", ignore_index=True)


def latest_rows(view: FeatureView, partition: Partition, end: datetime) -> pd.DataFrame:
    """The last row of each entity in a partition that is not after `end`, and a digest of what a reader would get
    (`DIGEST`)."""
    rows = rows_of(view, partition)
    rows = rows[rows[MOMENT] <= end].drop_duplicates(join_keys(view), keep="last", ignore_index=True)
    rows[DIGEST] = _digests(view, rows)
    return rows


def _read(view: FeatureView, path: str, columns: Sequence[str], filesystem: Any) -> pa.Table:
    with filesystem.open(path, "rb") as file:
        opened = parquet.ParquetFile(file)
        schema = opened.schema_arrow
        if problems := _schema_problems(view, schema, columns):
            raise FeaturesError(f"{view.name}: {path}: {'; '.join(problems)}")
        return opened.read(columns=list(columns)).select(list(columns))


def _schema_problems(view: FeatureView, schema: pa.Schema, columns: Sequence[str]) -> list[str]:
    if missing := [name for name in columns if name not in schema.names]:
        return [f"no column {', '.join(missing)}"]
    wanted = {field.name: field.dtype.to_value_type() for field in [*view.entity_columns, *view.features]}
    wrong = [
        f"{name} is {schema.field(name).type}, the view says {wanted[name].name}"
        for name in columns
        if name in wanted and _value_type(schema.field(name).type) not in (wanted[name].name, "NULL")
    ]
    times = [view.batch_source.timestamp_field, view.batch_source.created_timestamp_column]
    naive = [
        f"{name} is {kind}: a moment without a time zone; write it as UTC"
        for name in times
        if name and not (pa.types.is_timestamp(kind := schema.field(name).type) and kind.tz)
    ]
    return [*wrong, *naive]


def _value_type(kind: pa.DataType) -> str:
    try:
        return pa_to_feast_value_type("string" if pa.types.is_large_string(kind) else str(kind)).name
    except KeyError:
        return str(kind)


def _digests(view: FeatureView, rows: pd.DataFrame) -> pd.Series:
    """64 bits of each row, the same on every machine. Lists are taken as they print: pandas hashes none."""
    lists = [field.name for field in view.features if field.dtype.to_value_type().name.endswith("_LIST")]
    printed = {
        name: rows[name].map(lambda value: None if value is None else repr(list(value))) for name in lists
    }
    columns = [*(field.name for field in view.features), MOMENT]
    return pd.util.hash_pandas_object(rows[columns].assign(**printed), index=False)
