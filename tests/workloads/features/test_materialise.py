"""What reaches Redis, on a real Redis and PostgreSQL: the traps of Feast, each shut, and every bad input refused."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.workloads.features.conftest import Store

pytestmark = pytest.mark.slow

END = "2026-10-05T19:00:00+00:00"
READ = """
import json, sys
from datetime import datetime
from programs.online import OnlineReader
from programs.options import Options
from programs.store import open_store
store = open_store(Options.read())
answers = []
for reference, account, at in json.loads(sys.argv[1]):
    moment = datetime.fromisoformat(at) if at else None
    answer = OnlineReader(store).read([reference], {"account_id": [account]}, moment).proto.results[1]
    (value,), (status,) = answer.values, answer.statuses
    kind = value.WhichOneof("val")
    answers.append([getattr(value, kind) if kind else None, int(status)])
print(json.dumps(answers))
"""
PRESENT, NULL, NOT_FOUND, TOO_OLD = 1, 2, 3, 4


def generate(store: Store, days: int = 5, accounts: int = 12) -> None:
    store.done("generate", "--first", "2026-10-01", "--days", str(days), "--accounts", str(accounts))


def read(store: Store, *asked: tuple[str, str] | tuple[str, str, str]) -> list[tuple[Any, int]]:
    """The value and the status of each feature of an account, at END unless another moment is said."""
    questions = [(*each, END)[:3] for each in asked]
    return [(value, status) for value, status in store.script(READ, json.dumps(questions))]


def file_of(store: Store, view: str, day: str) -> Path:
    return store.lake / view / f"day={day}" / "part-0.parquet"


def rewrite(store: Store, view: str, day: str, change: str) -> None:
    """A partition written again, after a statement on its `rows`."""
    path = str(file_of(store, view, day))
    store.script(
        f"import pandas as pd\nrows = pd.read_parquet({path!r})\n{change}\nrows.to_parquet({path!r}, index=False)\n"
        "print(1)"
    )


def test_a_value_that_is_corrected_comes_late_or_is_erased_reaches_redis(store: Store):
    generate(store)
    first = store.done("materialise", "--end", END)
    assert first["whole"] and first["written"]["transactions_7d"] == 12
    count = "transactions_7d:count_7d"
    ((before, _),) = read(store, (count, "acc-0000003"))
    # The same moment as before: Feast's own materialisation would keep the old value for ever.
    corrected = "rows.loc[rows.account_id == 'acc-0000003', 'count_7d'] += 1000\n"
    erased = "rows = rows[rows.account_id != 'acc-0000004']"
    rewrite(store, "transactions_7d", "2026-10-05", corrected + erased)
    second = store.done("materialise", "--end", END)
    assert not second["whole"]
    assert second["written"]["transactions_7d"] == 2 and sum(second["written"].values()) == 2
    corrected_now, erased_now = read(store, (count, "acc-0000003"), (count, "acc-0000004"))
    assert corrected_now == (before + 1000, PRESENT)
    # Erased of the last day, it has the day before's; of every day, it has none, and the other views' stay.
    assert erased_now[1] == PRESENT
    for day in ("2026-10-04", "2026-10-03"):
        rewrite(store, "transactions_7d", day, erased)
    third = store.done("materialise", "--end", END)
    assert third["deleted"]["transactions_7d"] == 1
    gone, stays = read(store, (count, "acc-0000004"), ("transactions_30d:count_30d", "acc-0000004"))
    assert gone == (None, NOT_FOUND)
    assert stays[1] == PRESENT
    # A row of a day that was materialised, and that came when the day was over.
    late = (
        "rows = rows.iloc[:1].assign(account_id='late', last_amount=7.5, "
        "event_timestamp=pd.Timestamp('2026-10-02T05:00:00Z'))"
    )
    there = file_of(store, "last_transaction", "2026-10-02")
    shutil.copy(there, there.with_name("part-1.parquet"))
    store.script(
        f"import pandas as pd\npath = {str(there.with_name('part-1.parquet'))!r}\nrows = pd.read_parquet(path)\n"
        f"{late}\nrows.to_parquet(path, index=False)\nprint(1)"
    )
    assert store.done("materialise", "--end", END)["written"]["last_transaction"] == 1
    assert read(store, ("last_transaction:last_amount", "late")) == [(7.5, PRESENT)]
    # A Redis that lost all is filled again, though nothing changed.
    store.script(
        "import json\nfrom programs.options import Options\nfrom programs.store import open_store\n"
        "from programs.materialise import redis_of\nredis_of(open_store(Options.read())).flushall()\nprint(1)"
    )
    assert store.done("materialise", "--end", END)["whole"]
    assert read(store, (count, "acc-0000003")) == [(before + 1000, PRESENT)]


def test_a_value_is_null_when_it_is_too_old_or_was_null_or_is_of_nobody(store: Store):
    generate(store)
    rewrite(store, "merchant_categories", "2026-10-05", "rows.loc[0, 'top_category'] = None")
    store.done("materialise", "--end", END)
    snapshot = datetime(2026, 10, 5, 18, 30, tzinfo=UTC)
    oldest = snapshot + timedelta(days=2)
    count = "transactions_7d:count_7d"
    too_old = (oldest + timedelta(microseconds=1)).isoformat()
    # The last is of now, long after.
    still, no_more, nobody, null, now = read(
        store,
        (count, "acc-0000001", oldest.isoformat()),
        (count, "acc-0000001", too_old),
        (count, "nobody"),
        ("merchant_categories:top_category", "acc-0000000"),
        (count, "acc-0000001", ""),
    )
    assert still[1] == PRESENT
    assert no_more == now == (None, TOO_OLD)
    assert nobody == (None, NOT_FOUND)
    assert null == (None, NULL)


def _naive(store: Store) -> None:
    naive = "rows['event_timestamp'] = rows.event_timestamp.dt.tz_localize(None)"
    rewrite(store, "transactions_7d", "2026-10-05", naive)


def _other_type(store: Store) -> None:
    rewrite(store, "transactions_7d", "2026-10-05", "rows['count_7d'] = rows.count_7d.astype('float64')")


def _other_day(store: Store) -> None:
    rewrite(store, "last_transaction", "2026-10-04", "rows['event_timestamp'] += pd.Timedelta(days=1)")


def _no_key(store: Store) -> None:
    rewrite(store, "transactions_7d", "2026-10-05", "rows.loc[0, 'account_id'] = None")


def _gone(store: Store) -> None:
    shutil.rmtree(file_of(store, "last_transaction", "2026-10-03").parent)


def _defined_otherwise(store: Store, old: str, new: str) -> None:
    (file,) = store.definitions.glob("*.py")
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def _broken(store: Store) -> None:
    _defined_otherwise(store, "import os", "import os, nothing_of_this_name")


def _without_ttl(store: Store) -> None:
    _defined_otherwise(store, "ttl=timedelta(days=30),", "")


def _new_type(store: Store) -> None:
    _defined_otherwise(store, '"last_amount", dtype=Float64', '"last_amount", dtype=Int64')


WRONG = (
    (_gone, END, "last_transaction: no partition day=2026-10-03"),
    (_naive, END, "event_timestamp is timestamp[us]: a moment without a time zone; write it as UTC"),
    (_other_type, END, "count_7d is double, the view says INT64"),
    (_other_day, END, "partitions are days of UTC"),
    (_no_key, END, "transactions_7d, 2026-10-05: a row without account_id"),
    (_broken, END, "No module named 'nothing_of_this_name'"),
    (_without_ttl, END, "last_transaction: no ttl"),
    (_new_type, END, "last_transaction.last_amount: Float64 in the registry, Int64 in the definitions"),
    (None, "2999-01-01T00:00:00+00:00", "is in the future"),
    (None, "2026-10-05T19:00:00", "has no time zone"),
    (None, "2026-10-04T00:00:00+00:00", "it does not go back"),
    (None, "2026-10-06T01:00:00+00:00", "no partition day=2026-10-06"),
)


def test_what_is_wrong_is_named_and_refused_and_redis_stays_as_it_was(store: Store):
    generate(store)
    store.done("materialise", "--end", "2026-10-04T19:00:00+00:00")
    (file,) = store.definitions.glob("*.py")
    definitions = file.read_text()
    before = read(store, ("last_transaction:last_amount", "acc-0000001"))
    for spoil, end, said in WRONG:
        if spoil:
            spoil(store)
        refused = store.run("materialise", "--end", end)
        assert (refused.code, refused.errors.count("\n")) == (64, 1), refused.errors
        assert said in refused.errors
        if spoil:
            file.write_text(definitions)
            generate(store)
    assert read(store, ("last_transaction:last_amount", "acc-0000001")) == before
    assert not store.done("materialise", "--end", END)["whole"]


OLDER = """
import sqlalchemy as sql
from programs.options import Options
from programs.state import _RUNS
engine = sql.create_engine(Options.read().registry)
with engine.begin() as connection:
    connection.execute(sql.update(_RUNS).where(_RUNS.c.project == Options.read().project).values({values}))
print(1)
"""


def test_a_registry_of_a_newer_version_is_refused(store: Store):
    generate(store)
    store.done("materialise", "--end", END)
    for values, said in (({"layout": 2}, "layout 2"), ({"layout": 1, "feast": "99.1.0"}, "Feast 99.1.0")):
        store.script(OLDER.format(values=values))
        refused = store.run("materialise", "--end", END)
        assert refused.code == 64 and said in refused.errors and "run the newer image" in refused.errors
    # The database is that of the other tests too.
    store.script(OLDER.format(values={"feast": "0.67.0"}))


HELD = """
from programs.__main__ import main
from programs.options import Options
from programs.state import State
options = Options.read()
with State(options.registry, options.project).only_one():
    print(main(["materialise", "--end", "{end}"]))
"""


def test_one_materialisation_of_a_project_at_a_time(store: Store):
    generate(store)
    assert store.script(HELD.format(end=END)) == 64
    assert store.done("materialise", "--end", END)["whole"]


# Four writers at once, each a process with connections of its own: three projects, and a second writer of the first.
WRITERS = """
import json, os, sys
from dataclasses import replace
import sqlalchemy as sql
from programs.__main__ import main
from programs.options import Options
from programs.store import open_store
engine = sql.create_engine(Options.read().registry, isolation_level="AUTOCOMMIT")
with engine.connect() as connection:
    connection.execute(sql.text("CREATE DATABASE writers"))
engine.dispose()
os.environ["FEATURES_REGISTRY"] = "postgresql+psycopg2:///writers"
folder, second = os.environ["FEATURES_DEFINITIONS"], sys.argv[1]
writers = []
for project, definitions in (("one", folder), ("two", folder), ("three", folder), ("one", second)):
    if (pid := os.fork()) == 0:
        os.environ |= {"FEATURES_PROJECT": project, "FEATURES_DEFINITIONS": definitions}
        os._exit(main(["register"]))
    writers.append(pid)
codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in writers]
stores = [open_store(replace(Options.read(), project=project)) for project in ("one", "two", "three")]
counts = [
    [len(each.list_feature_views()), len(each.list_entities()), len(each.list_feature_services())] for each in stores
]
print(json.dumps([codes, counts]))
"""
SECOND = """
import os
from datetime import timedelta
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Int64, String
shop = Entity(name="shop", join_keys=["shop_id"], value_type=ValueType.STRING)
visits = FeatureView(name="visits", entities=[shop], ttl=timedelta(days=1),
    schema=[Field(name="shop_id", dtype=String), Field(name="visits", dtype=Int64)],
    source=FileSource(name="visits", path=os.environ["FEATURES_LAKE"] + "/visits", timestamp_field="at"))
"""


def test_writers_of_one_registry_lose_nothing(store: Store, tmp_path: Path):
    second = tmp_path / "second"
    second.mkdir()
    (second / "visits.py").write_text(SECOND)
    codes, counts = store.script(WRITERS, str(second))
    assert codes == [0, 0, 0, 0]
    assert counts == [[6, 2, 1], [5, 1, 1], [5, 1, 1]]
