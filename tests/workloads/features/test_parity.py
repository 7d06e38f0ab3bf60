"""Online equals offline, point in time: for rows and moments that hypothesis draws, and through the command."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.workloads.features.conftest import Store
from tests.workloads.features.test_materialise import rewrite

pytestmark = pytest.mark.slow

FIRST = datetime(2026, 10, 1, tzinfo=UTC)
DAYS = 6
DEFINITIONS = """
import os
from datetime import timedelta
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Array, Float64, Int64, String

one = Entity(name="one", join_keys=["id"], value_type=ValueType.INT64)


def view(name, ttl):
    return FeatureView(
        name=name, entities=[one], ttl=ttl,
        schema=[Field(name="id", dtype=Int64), Field(name="number", dtype=Float64), Field(name="word", dtype=String),
                Field(name="numbers", dtype=Array(Int64))],
        source=FileSource(name=name, path=os.environ["FEATURES_LAKE"] + "/" + name, timestamp_field="at",
                          created_timestamp_column="written"))


short, long = view("short", timedelta(hours=30)), view("long", timedelta(days=3))
"""
# Each with nulls of its own, and with moments that meet: what has one moment is settled by when it was written.
ROW = st.tuples(
    st.integers(1, 4),
    st.integers(0, DAYS * 24 - 1),
    st.none() | st.floats(-1e9, 1e9),
    st.none() | st.sampled_from(["किराना", "fuel", ""]),
    st.none() | st.lists(st.integers(-5, 5), min_size=1, max_size=2),
)
ROWS = st.lists(ROW, max_size=12)
VIEWS = st.fixed_dictionaries({"short": ROWS, "long": ROWS})
HOURS = st.sets(st.integers(0, DAYS * 24), min_size=2, max_size=2)
# Two rounds: lays the rows of each view as a partition a day, days without rows too, materialises, and compares.
PARITY = """
import json, os, sys
from datetime import datetime, timedelta
import pandas as pd, pyarrow as pa, pyarrow.parquet as parquet
from programs.materialise import defined, materialise
from programs.options import Options
from programs.parity import compare, remove
from programs.store import open_store
rounds, first, days = json.loads(sys.argv[1])
utc = pa.timestamp("us", "UTC")
schema = pa.schema([("id", pa.int64()), ("at", utc), ("number", pa.float64()), ("word", pa.string()),
                    ("numbers", pa.list_(pa.int64())), ("written", utc)])
first, options = datetime.fromisoformat(first), Options.read()
entities = pd.DataFrame({"id": [1, 2, 3, 4, 5]})


def lay(view, rows):
    for day in range(days):
        begin = first + timedelta(days=day)
        there = [
            {"id": id, "at": at, "number": number, "word": word, "numbers": numbers,
             "written": first + timedelta(days=30, seconds=order)}
            for order, (id, hour, number, word, numbers) in enumerate(rows)
            if begin <= (at := first + timedelta(hours=hour)) < begin + timedelta(days=1)
        ]
        folder = f"{options.lake}/{view}/day={begin.date()}"
        os.makedirs(folder, exist_ok=True)
        parquet.write_table(pa.Table.from_pylist(there, schema), f"{folder}/part-0.parquet")


remove(options, defined(options))
compared = []
for views, hour in rounds:
    for view, rows in views.items():
        lay(view, rows)
    moment = first + timedelta(hours=hour)
    materialise(options, moment)
    compared += compare(open_store(options), defined(options), entities, moment)
print(json.dumps([len(compared), [vars(each) for each in compared if each]]))
"""


def two_views(store: Store) -> None:
    """Definitions whose entities are whole numbers, as most keys are."""
    for file in store.definitions.glob("*.py"):
        file.unlink()
    (store.definitions / "two_views.py").write_text(DEFINITIONS)


@settings(
    max_examples=examples(5),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(before=VIEWS, after=VIEWS, hours=HOURS)
def test_online_is_offline_whatever_the_rows_and_however_they_are_corrected(
    store: Store, before: dict[str, Any], after: dict[str, Any], hours: set[int]
):
    two_views(store)
    rounds = list(zip((before, after), sorted(hours), strict=True))
    compared, different = store.script(PARITY, json.dumps([rounds, FIRST.isoformat(), DAYS + 1]))
    assert compared == 2 * 2 * 3 * 5
    assert not different


# An entity has as many rows of one moment as it was corrected. Feast's file store takes any of them: it sorts by
# algorithms that keep no order of what is alike (feast-dev/feast#3360).
CORRECTED = """
import json
import os
import pandas as pd
from programs.errors import FeaturesError
from programs.history import historical
from programs.materialise import register
from programs.options import Options
from programs.store import open_store
options, order = Options.read(), pd.Series(range(96))
at = pd.Timestamp("2026-10-01T06:00:00Z")
rows = pd.DataFrame({"id": order % 4, "at": at + pd.to_timedelta(order % 3, "h"), "number": order.astype(float),
                     "word": pd.Series([None] * 96, dtype="string"), "numbers": [[each, 2**53 + 1] for each in order],
                     "written": at + pd.to_timedelta(order * 37 % 96, "s")})
for view in ("short", "long"):
    folder = f"{options.lake}/{view}/day=2026-10-01"
    os.makedirs(folder)
    rows.to_parquet(f"{folder}/part-0.parquet", index=False)
register(options)
asked = pd.DataFrame({"id": [0, 1, 2, 3, 3, 3, 9], "label": range(7),
                      "event_timestamp": [at + pd.Timedelta(f"{hours}h") for hours in (2, 1, 0, 2, 2, -1, 2)]})
store, features = open_store(options), ["long:number", "short:numbers"]
refused = []
texts, gap = asked["id"].astype(str), asked.event_timestamp.where(asked["id"] != 1)
for wrong in (asked.assign(id=texts), asked.assign(event_timestamp=gap)):
    try:
        historical(store, features, wrong)
    except FeaturesError as error:
        refused.append(str(error))
found = historical(store, features, asked).to_json(orient="records")
none = historical(store, features, asked.head(0))
print(json.dumps([json.loads(found), refused, list(none.columns), len(none)]))
"""


def test_training_rows_have_the_last_correction_and_each_keeps_its_label(store: Store):
    two_views(store)
    found, refused, columns, none = store.script(CORRECTED)
    last = [
        max(
            (order for order in range(96) if order % 4 == id and order % 3 == hour),
            key=lambda order: order * 37 % 96,
        )
        for id, hour in ((0, 2), (1, 1), (2, 0), (3, 2), (3, 2))
    ]
    assert [row["label"] for row in found] == list(range(7))
    assert [row["long__number"] for row in found] == [*last, None, None]
    assert [row["short__numbers"] for row in found] == [*([each, 2**53 + 1] for each in last), None, None]
    text, missing = refused
    assert text.startswith("long: its keys id are not what the lake has:")
    assert missing == "event_timestamp: row 1 has no moment; say which, or leave it out"
    assert (columns, none) == (["id", "label", "event_timestamp", "long__number", "short__numbers"], 0)


def test_a_difference_of_an_entity_that_is_a_whole_number_is_said(store: Store):
    two_views(store)
    rounds = [[{"short": [(1, 0, 1.5, None, None)], "long": []}, 1]]
    unserved = PARITY.replace("    materialise(options, moment)\n", "    register(options)\n")
    assert unserved != PARITY
    compared, different = store.script(
        unserved.replace("import defined", "import register, defined"),
        json.dumps([rounds, FIRST.isoformat(), 2]),
    )
    (only,) = different
    assert compared == 2 * 3 * 5
    assert (only["feature"], only["entity"], only["offline"], only["online"]) == (
        "short__number", {"id": 1}, 1.5, None)  # fmt: skip


def test_the_command_compares_a_grid_and_names_what_differs(store: Store):
    store.done("generate", "--first", "2026-10-01", "--days", "4", "--accounts", "8")
    end = "2026-10-04T19:00:00+00:00"
    accounts = [
        word
        for number in (0, 3, 99)
        for word in ("--entity", json.dumps({"account_id": f"acc-{number:07d}"}))
    ]
    grid = store.done(
        "parity", *accounts, "--moment", "2026-10-02T18:30:00+00:00", "--moment", "2026-10-04T00:00:00+05:30"
    )
    assert grid["equal"] and grid["compared"] == 2 * 3 * 11
    assert store.run("parity", *accounts).errors.endswith("nothing is materialised; do that first\n")
    store.done("materialise", "--end", end)
    assert store.done("parity", *accounts)["compared"] == 3 * 11
    # The lake is corrected, and nobody materialised since: the model was trained on what it does not get.
    rewrite(
        store,
        "transactions_7d",
        "2026-10-04",
        "rows.loc[rows.account_id == 'acc-0000003', 'count_7d'] += 1",
    )
    differs = store.run("parity", *accounts)
    assert differs.code == 1
    report = json.loads(differs.output.splitlines()[-1])
    (first,) = report["first"]
    assert (first["feature"], first["entity"]) == ("transactions_7d__count_7d", {"account_id": "acc-0000003"})
    assert first["offline"] == first["online"] + 1
    assert "transactions_7d__count_7d of {'account_id': 'acc-0000003'}" in differs.errors


def test_training_rows_of_one_old_view_keep_the_values_of_the_others(store: Store):
    store.done("generate", "--first", "2026-10-01", "--days", "4", "--accounts", "8")
    store.done("materialise", "--end", "2026-10-04T19:00:00+00:00")
    # Three days after the last snapshot: the aggregates are too old, the last transaction is not.
    found = store.script(
        """
import json
import pandas as pd
from programs.errors import FeaturesError
from programs.history import historical
from programs.options import Options
from programs.store import open_store
store = open_store(Options.read())
asked = pd.DataFrame({"account_id": ["acc-0000001", "acc-0000002"], "event_timestamp":
                      pd.to_datetime(["2026-10-07T19:00:00Z", "2026-10-04T19:00:00Z"])})
features = ["transactions_7d:count_7d", "merchant_categories:groceries_share"]
whole = historical(store, features, asked)
try:
    historical(store, features, asked.assign(event_timestamp=asked.event_timestamp.dt.tz_localize(None)))
except FeaturesError as error:
    naive = str(error)
print(json.dumps({"rows": whole.notna().iloc[:, 2:].values.tolist(), "naive": naive}))
"""
    )
    assert found["rows"] == [[False, True], [True, True]]
    assert "without a time zone" in found["naive"]
