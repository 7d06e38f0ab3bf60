"""Transactions like UPI's of accounts that nobody has, from a seed, as the views of definitions/loan_risk.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet

from .lake import start_of

CATEGORIES = np.array(["groceries", "fuel", "utilities", "travel", "gaming", "transfer"])
WEIGHTS = np.array([0.32, 0.14, 0.16, 0.08, 0.06, 0.24])
HISTORY_DAYS = 30
# Midnight in India is 18:30 UTC.
SNAPSHOT = timedelta(hours=18, minutes=30)


@dataclass(frozen=True)
class Plan:
    """What is generated: as many days from `first`, of as many accounts."""

    first: date
    days: int
    accounts: int
    seed: int


def generate(lake: str, plan: Plan) -> int:
    """Write every view's partitions below `lake`; the same plan writes the same rows. Returns how many."""
    random = np.random.default_rng(plan.seed)
    shape = (plan.accounts, plan.days + HISTORY_DAYS)
    names = np.array([f"acc-{number:07d}" for number in range(plan.accounts)])
    habits = random.gamma(2.0, 0.9, plan.accounts)[:, None]
    counts = random.poisson(habits, shape)
    # Of each account and day: its mean in rupees, its largest, the share of each category, and when the last was.
    means = random.lognormal(5.6, 0.9, shape)
    amounts = np.round(counts * means, 2)
    largest = np.where(counts, np.round(means * random.uniform(1, 4, shape), 2), 0.0)
    spent = amounts[..., None] * random.dirichlet(WEIGHTS * 8, shape)
    seconds = random.integers(0, 86_400, shape)
    last = random.choice(len(CATEGORIES), shape, p=WEIGHTS)
    rows = 0
    for after in range(plan.days):
        at, day = after + HISTORY_DAYS, plan.first + timedelta(days=after)
        snapshot = start_of(day) + SNAPSHOT
        frames = {
            f"transactions_{days}d": pd.DataFrame(
                {
                    f"count_{days}d": counts[:, at - days + 1 : at + 1].sum(1),
                    f"amount_{days}d": amounts[:, at - days + 1 : at + 1].sum(1).round(2),
                    f"largest_{days}d": largest[:, at - days + 1 : at + 1].max(1),
                }
            )
            for days in (7, 30)
        }
        month = spent[:, at - HISTORY_DAYS + 1 : at + 1].sum(1)
        total = np.maximum(month.sum(1), 1e-9)
        quiet = month.sum(1) == 0
        frames["merchant_categories"] = pd.DataFrame(
            {
                # Who spent nothing has no category: null, and not an empty word.
                "top_category": np.where(quiet, None, CATEGORIES[month.argmax(1)]),
                "groceries_share": np.where(quiet, np.nan, (month[:, 0] / total).round(4)),
                "gaming_share": np.where(quiet, np.nan, (month[:, 4] / total).round(4)),
            }
        )
        risk = -3.2 + 4 * (month[:, 4] / total) - 0.15 * counts[:, at - 29 : at + 1].sum(1) / 10
        defaulted = random.random(plan.accounts) < 1 / (1 + np.exp(-risk))
        frames["loan_outcome"] = pd.DataFrame({"defaulted": defaulted.astype("int64")})
        for view, frame in frames.items():
            moments = pd.Series([snapshot] * plan.accounts)
            rows += _write(lake, view, day, frame.assign(account_id=names, event_timestamp=moments))
        active = counts[:, at] > 0
        latest = pd.DataFrame(
            {
                "last_amount": means[:, at].round(2)[active],
                "last_category": CATEGORIES[last[:, at]][active],
                "account_id": names[active],
                "event_timestamp": pd.to_datetime(start_of(day)) + pd.to_timedelta(seconds[active, at], "s"),
            }
        )
        rows += _write(lake, "last_transaction", day, latest)
    return rows


def _write(lake: str, view: str, day: date, rows: pd.DataFrame) -> int:
    created = datetime.combine(day, datetime.min.time(), UTC) + timedelta(days=1)
    moments = {
        "event_timestamp": pd.to_datetime(rows["event_timestamp"], utc=True),
        "created_timestamp": pd.Series(created, index=rows.index, dtype="datetime64[us, UTC]"),
    }
    rows = rows.assign(**moments)
    filesystem, path = fsspec.url_to_fs(f"{lake}/{view}/day={day.isoformat()}/part-0.parquet")
    filesystem.makedirs(filesystem._parent(path), exist_ok=True)
    # Named, for a column of nothing but nulls would have no type.
    kinds = {"O": pa.string(), "M": pa.timestamp("us", "UTC"), "i": pa.int64(), "f": pa.float64()}
    schema = pa.schema([(name, kinds[kind.kind]) for name, kind in rows.dtypes.items()])
    with filesystem.open(path, "wb") as file:
        parquet.write_table(pa.Table.from_pandas(rows, schema, preserve_index=False), file)
    return len(rows)
