"""What was materialised, beside the registry in its database, and the locks that let one program at a time write."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime

import feast
import pandas as pd
import sqlalchemy as sql
from packaging.version import Version

from .errors import BusyError, FeaturesError

LAYOUT = 1
_METADATA = sql.MetaData()
_RUNS = sql.Table(
    "features_runs",
    _METADATA,
    sql.Column("project", sql.String(255), primary_key=True),
    sql.Column("layout", sql.Integer, nullable=False),
    sql.Column("feast", sql.String(64), nullable=False),
    sql.Column("mark", sql.String(64), nullable=False),
    sql.Column("through", sql.DateTime(timezone=True), nullable=False),
)
_PARTITIONS = sql.Table(
    "features_partitions",
    _METADATA,
    sql.Column("project", sql.String(255), primary_key=True),
    sql.Column("view", sql.String(255), primary_key=True),
    sql.Column("day", sql.Date, primary_key=True),
    sql.Column("fingerprint", sql.Text, nullable=False),
    sql.Column("through", sql.DateTime(timezone=True), nullable=False),
    sql.Column("rows", sql.LargeBinary, nullable=False),
)


@dataclass(frozen=True)
class Run:
    """The last materialisation that ended. `mark` is what it left in Redis too."""

    through: datetime
    mark: str


@dataclass(frozen=True)
class Known:
    """A partition as it was materialised: of each entity its last row's moment and digest, of rows until `through`."""

    fingerprint: str
    through: datetime
    rows: bytes

    @classmethod
    def of(cls, fingerprint: str, through: datetime, rows: pd.DataFrame) -> Known:
        """What is kept of `rows`."""
        kept = io.BytesIO()
        rows.to_parquet(kept, index=False)
        return cls(fingerprint, through, kept.getvalue())

    def read(self) -> pd.DataFrame:
        """The rows again."""
        return pd.read_parquet(io.BytesIO(self.rows))


class State:
    """The tables of one project. Every method is one transaction."""

    def __init__(self, address: str, project: str) -> None:
        """Raises FeaturesError if the database does not answer, or a newer version wrote to it."""
        self._engine = sql.create_engine(address)
        self.project = project
        try:
            with self._engine.begin() as connection:
                _lock(connection, "tables")
                if sql.inspect(connection).has_table(_RUNS.name):
                    _refuse_newer(connection)
                _METADATA.create_all(connection)
        except sql.exc.OperationalError as error:
            raise FeaturesError(f"the registry's database does not answer: {error.orig}") from error

    @contextmanager
    def registering(self) -> Iterator[None]:
        """While Feast makes its tables and applies definitions: others wait, of whichever project."""
        with self._engine.begin() as connection:
            _lock(connection, "registry")
            yield

    @contextmanager
    def only_one(self) -> Iterator[None]:
        """While a project is materialised. Raises FeaturesError if another program does it."""
        with self._engine.connect() as connection:
            asked = sql.select(sql.func.pg_try_advisory_lock(_number(f"project {self.project}")))
            if not connection.execute(asked).scalar_one():
                raise BusyError(f"{self.project} is being materialised by another program: wait for its end")
            # The lock is the session's: it is gone with the connection, however this program ends.
            connection.commit()
            try:
                yield
            finally:
                connection.execute(
                    sql.select(sql.func.pg_advisory_unlock(_number(f"project {self.project}")))
                )
                connection.commit()

    def last(self) -> Run | None:
        """The last run, None before the first."""
        with self._engine.begin() as connection:
            row = connection.execute(sql.select(_RUNS).where(_RUNS.c.project == self.project)).first()
        return Run(row.through, row.mark) if row else None

    def known(self, view: str) -> dict[date, Known]:
        """The partitions of a view, by day."""
        chosen = sql.select(_PARTITIONS).where(
            _PARTITIONS.c.project == self.project, _PARTITIONS.c.view == view
        )
        with self._engine.begin() as connection:
            return {
                row.day: Known(row.fingerprint, row.through, row.rows) for row in connection.execute(chosen)
            }

    def save(self, run: Run, changed: Mapping[str, Mapping[date, Known]], first: Mapping[str, date]) -> None:
        """A run that ended: the partitions that it read, and none before `first` of a view."""
        with self._engine.begin() as connection:
            for view, day in first.items():
                old = (_PARTITIONS.c.project == self.project) & (_PARTITIONS.c.view == view)
                replaced = _PARTITIONS.c.day.in_(list(changed.get(view, {})))
                connection.execute(
                    sql.delete(_PARTITIONS).where(old & ((_PARTITIONS.c.day < day) | replaced))
                )
            if rows := [
                {"project": self.project, "view": view, "day": day, **vars(known)}
                for view, days in changed.items()
                for day, known in days.items()
            ]:
                connection.execute(sql.insert(_PARTITIONS), rows)
            connection.execute(sql.delete(_RUNS).where(_RUNS.c.project == self.project))
            versions = {"layout": LAYOUT, "feast": feast.__version__}
            connection.execute(sql.insert(_RUNS).values(project=self.project, **versions, **vars(run)))

    def forget(self) -> None:
        """Remove all that is kept of the project."""
        with self._engine.begin() as connection:
            for table in (_PARTITIONS, _RUNS):
                connection.execute(sql.delete(table).where(table.c.project == self.project))


def _refuse_newer(connection: sql.Connection) -> None:
    for row in connection.execute(sql.select(_RUNS.c.project, _RUNS.c.layout, _RUNS.c.feast)):
        if row.layout > LAYOUT or Version(row.feast) > Version(feast.__version__):
            raise FeaturesError(
                f"the registry was written by Feast {row.feast}, layout {row.layout} (project {row.project}); this is "
                f"Feast {feast.__version__}, layout {LAYOUT}: run the newer image"
            )


def _lock(connection: sql.Connection, name: str) -> None:
    connection.execute(sql.select(sql.func.pg_advisory_xact_lock(_number(name))))


def _number(name: str) -> sql.ColumnElement[int]:
    return sql.func.hashtextextended(f"india-ai-infra features {name}", 0)
