"""What the providers keep for a cloud that nobody runs: one SQLite file, safe between their processes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any


class Store:
    """Records by kind and key, each a JSON object."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        with self._open() as db:
            db.execute(
                "create table if not exists record"
                " (kind text, key text, value text not null, primary key (kind, key)) without rowid"
            )

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        # A connection a call: provider calls come from many threads and processes.
        with closing(sqlite3.connect(self._path, timeout=30)) as db, db:
            yield db

    def put(self, kind: str, key: str, value: dict[str, Any]) -> None:
        """Write a record over the one that was there."""
        with self._open() as db:
            db.execute("insert or replace into record values (?, ?, ?)", (kind, key, json.dumps(value)))

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """The record with a key; None where there is none."""
        with self._open() as db:
            row = db.execute("select value from record where kind = ? and key = ?", (kind, key)).fetchone()
        return json.loads(row[0]) if row else None

    def delete(self, kind: str, key: str) -> None:
        """Delete a record, if it is there."""
        with self._open() as db:
            db.execute("delete from record where kind = ? and key = ?", (kind, key))

    def items(self, kind: str) -> dict[str, dict[str, Any]]:
        """The records of a kind, by key."""
        with self._open() as db:
            rows = db.execute("select key, value from record where kind = ?", (kind,)).fetchall()
        return {key: json.loads(value) for key, value in rows}
