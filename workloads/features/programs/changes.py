"""What Redis has to be told: which entities' last row is another one than when the lake was last read.

Feast's own materialisation takes what happened since the last one ended. It never sees a row that came late, that was
corrected under the moment that it had, or that was erased. So the rows of each partition are kept as digests, and
partitions that were written again are compared with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import pandas as pd
from feast import FeatureView

from .definitions import join_keys, ttl_of
from .errors import FeaturesError
from .lake import DIGEST, MOMENT, Partition, latest_rows, missing_days, partitions
from .state import Known


@dataclass(frozen=True)
class Changes:
    """Of one view: the rows to write, the entities to delete, and what to remember.

    read: the partitions that were read anew. first: the earliest day whose rows may still be served.
    """

    view: FeatureView
    rows: pd.DataFrame
    gone: pd.DataFrame
    read: Mapping[date, Known]
    first: date


def changes(view: FeatureView, end: datetime, known: Mapping[date, Known]) -> Changes:
    """The changes of a view up to `end`, inclusive. Nothing is known of a Redis that is empty, or half written.

    Raises FeaturesError for a day without a partition, and for a file that is not what the view says.
    """
    first = (end - ttl_of(view)).date()
    present = partitions(view.batch_source.path)
    if missing := missing_days(present, first, end.date()):
        raise FeaturesError(
            f"{view.name}: no partition day={missing[0]} in {view.batch_source.path}"
            f"{f', nor {len(missing) - 1} more' if missing[1:] else ''}: write it (empty, if nothing happened), or "
            "materialise up to an earlier end"
        )
    days = [day for day in sorted(present) if first <= day <= end.date()]
    fresh = {day: latest_rows(view, present[day], end) for day in days if _stale(present[day], end, known)}
    keys = join_keys(view)
    digests = {
        day: (fresh[day] if day in fresh else known[day].read())[[*keys, MOMENT, DIGEST]] for day in days
    }
    touched = _touched(keys, digests, {day: known[day] for day in fresh if day in known}, set(fresh))
    last = _last(keys, digests, touched)
    rows = [
        _chosen(keys, fresh[day] if day in fresh else latest_rows(view, present[day], end), wanted)
        for day, wanted in last.groupby("day", sort=True)
    ]
    gone = touched.merge(last[keys], how="left", on=keys, indicator=True)
    read = {
        day: Known.of(present[day].fingerprint, min(end, present[day].end), digests[day]) for day in fresh
    }
    empty = pd.DataFrame(columns=keys)
    return Changes(
        view,
        pd.concat(rows, ignore_index=True).drop(columns=[MOMENT, DIGEST]) if rows else empty,
        gone.loc[gone["_merge"] == "left_only", keys],
        read,
        first,
    )


def _stale(partition: Partition, end: datetime, known: Mapping[date, Known]) -> bool:
    before = known.get(partition.day)
    until = min(end, partition.end)
    return before is None or (before.fingerprint, before.through) != (partition.fingerprint, until)


def _touched(
    keys: list[str], digests: Mapping[date, pd.DataFrame], known: Mapping[date, Known], fresh: set[date]
) -> pd.DataFrame:
    """The entities of which a row came, went or changed."""
    columns = [*keys, MOMENT, DIGEST]
    found = [pd.DataFrame(columns=keys)]
    for day in sorted(fresh):
        if day not in known:
            found.append(digests[day][keys])
            continue
        both = digests[day].merge(known[day].read(), how="outer", on=columns, indicator=True)
        found.append(both.loc[both["_merge"] != "both", keys])
    found = [each for each in found if len(each)] or found[:1]
    return pd.concat(found, ignore_index=True).drop_duplicates(ignore_index=True)


def _last(keys: list[str], digests: Mapping[date, pd.DataFrame], touched: pd.DataFrame) -> pd.DataFrame:
    """Of each of them the day with its last row."""
    if touched.empty:
        return pd.DataFrame(columns=[*keys, MOMENT, "day"])
    of_days = [rows.merge(touched, on=keys).assign(day=day) for day, rows in digests.items()]
    every = pd.concat([each for each in of_days if len(each)] or of_days[:1], ignore_index=True)
    return every.sort_values(MOMENT, kind="stable").drop_duplicates(keys, keep="last")[[*keys, MOMENT, "day"]]


def _chosen(keys: list[str], rows: pd.DataFrame, wanted: pd.DataFrame) -> pd.DataFrame:
    return rows.merge(wanted[keys], on=keys)
