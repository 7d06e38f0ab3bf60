"""Brings Redis to what the lake says at a moment: all that can be wrong is looked for before anything is written."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from feast import FeatureStore
from redis.exceptions import RedisError

from .changes import Changes, changes
from .definitions import Definitions, changed_types, join_keys, load, ttl_of
from .errors import FeaturesError
from .keys import all_keys, fields_of, keys_of, mark_key
from .options import Options
from .state import Run, State
from .store import open_store

CHUNK = 10_000
WRITING = "writing"


@dataclass(frozen=True)
class Report:
    """What a run did, for a page: rows written and entities deleted, by view; whole: Redis was filled anew."""

    project: str
    through: datetime
    whole: bool
    written: dict[str, int]
    deleted: dict[str, int]

    @property
    def json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**vars(self), "through": self.through.isoformat()}


def register(options: Options) -> Definitions:
    """Apply the definitions to the registry. Raises FeaturesError, with nothing written, if one changed its type."""
    state = State(options.registry, options.project)
    with state.registering():
        return _register(options, open_store(options), defined(options))


def materialise(options: Options, end: datetime, now: datetime | None = None) -> Report:
    """Write to Redis what changed in the lake up to `end`, inclusive, and nothing after it.

    Raises FeaturesError, with nothing written, for an end in the future or before the last one, a day without a
    partition, a definition or a file of another type, a registry of a newer version, and beside another run.
    """
    _check_end(end, now or datetime.now(UTC))
    definitions = defined(options)
    state = State(options.registry, options.project)
    with state.only_one():
        before = state.last()
        if before and end < before.through:
            raise FeaturesError(
                f"end {end.isoformat()} is before {before.through.isoformat()}, to which {options.project} is "
                "materialised already: Redis has one moment, and it does not go back"
            )
        longest = max((ttl_of(view) for view in definitions.online), default=timedelta())
        store = open_store(options, key_seconds=int((longest + timedelta(days=1)).total_seconds()))
        client = redis_of(store)
        try:
            whole = before is None or client.hget(mark_key(options.project), "mark") != before.mark.encode()
            # Views that cannot be made are found before any is applied or written.
            with state.registering():
                _refuse_changed(store, definitions)
            planned = [
                changes(view, end, {} if whole else state.known(view.name)) for view in definitions.online
            ]
            with state.registering():
                _register(options, store, definitions)
            return _write(options, store, state, planned, Run(end, secrets.token_hex(16)), whole)
        except RedisError as error:
            raise FeaturesError(f"Redis at {options.redis.partition(',')[0]}: {error}") from error


def defined(options: Options) -> Definitions:
    """What the stack defines."""
    return load(options.definitions, timedelta(days=options.max_ttl_days))


def redis_of(store: FeatureStore) -> Any:
    """Feast's own client of Redis, so that there is one place that says where it is."""
    return store.provider.online_store._get_client(store.config.online_store)


def note_failure(options: Options, problem: str) -> None:
    """Leave in Redis, for the server's metrics, that a run failed. What Redis serves is as it was."""
    noted = json.dumps({"at": datetime.now(UTC).isoformat(), "problem": problem[:500]})
    redis_of(open_store(options)).hset(mark_key(options.project), "failed", noted)


def _check_end(end: datetime, now: datetime) -> None:
    if end.tzinfo is None:
        raise FeaturesError(f"end {end.isoformat()} has no time zone: say 2026-11-01T18:30:00Z, or +05:30")
    if end > now:
        raise FeaturesError(
            f"end {end.isoformat()} is in the future: it is {now.isoformat()} here. Is a clock wrong? A run that "
            "ends there would make every later one find nothing"
        )


def _register(options: Options, store: FeatureStore, definitions: Definitions) -> Definitions:
    _refuse_changed(store, definitions)
    store.apply(definitions.all)
    return definitions


def _refuse_changed(store: FeatureStore, definitions: Definitions) -> None:
    if changed := changed_types(definitions.views, store.list_feature_views()):
        raise FeaturesError(
            f"{'; '.join(changed)}: a field keeps its type. Give the new one another name, or the view (…_v2), and "
            "take the old one away when no model reads it"
        )


def _write(
    options: Options, store: FeatureStore, state: State, planned: Sequence[Changes], run: Run, whole: bool
) -> Report:
    client, mark = redis_of(store), mark_key(options.project)
    # A run that is killed from here on leaves no mark that the state knows: the next one writes all.
    client.hset(mark, "mark", WRITING)
    deleted = {}
    for each in planned:
        for at in range(0, len(each.rows), CHUNK):
            store.provider.ingest_df(each.view, each.rows.iloc[at : at + CHUNK])
        deleted[each.view.name] = _delete(client, options.project, each, whole)
    state.save(
        run,
        {each.view.name: each.read for each in planned},
        {each.view.name: each.first for each in planned},
    )
    for each in planned:
        begin = run.through - ttl_of(each.view)
        store.registry.apply_materialization(each.view, options.project, begin, run.through)
    client.hset(mark, mapping={"mark": run.mark, "through": run.through.isoformat()})
    client.hdel(mark, "failed")
    written = {each.view.name: len(each.rows) for each in planned}
    return Report(options.project, run.through, whole, written, deleted)


def _delete(client: Any, project: str, each: Changes, whole: bool) -> int:
    """Delete a view's fields of the entities that have no row any more. Their hash has the other views' fields too."""
    names = join_keys(each.view)
    gone = list(keys_of(each.view, project, each.gone[names].itertuples(index=False, name=None)))
    if whole:
        there = set(keys_of(each.view, project, each.rows[names].itertuples(index=False, name=None)))
        gone = [key for key in all_keys(client, each.view, project) if key not in there]
    with client.pipeline(transaction=False) as pipe:
        for key in gone:
            pipe.hdel(key, *fields_of(each.view))
        return sum(1 for count in pipe.execute() if count)
