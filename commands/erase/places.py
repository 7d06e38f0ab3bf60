"""Where a stack keeps data: buckets that `make erase` opens, and what else its state has."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

from commands.erase.keeping import the_year
from commands.erase.plan import Rules
from commands.page.state import State
from infra.contracts.governance import ACCESS_LOGS, AUDIT, UNDELETE_DAYS
from infra.pricing.node_counts import number
from infra.pricing.resources import plain
from infra.settings.stack import Settings
from workloads.registry import WORKLOADS

STORES = Path(__file__).parent / "data" / "stores.csv"
ON_PREMISES = "india-ai-infra:onprem:Lake$"
Where = Literal["aws", "gcp", "onPremises"]


class NoLakeError(Exception):
    """A stack has no bucket that this command can open; the message says what there is."""


@dataclass(frozen=True)
class Kind:
    """How a state has a bucket: the store, by the scheme of its addresses, and the properties with its name, its place,
    its tags, and the tags' own names."""

    store: str
    name: str
    region: str
    tags: str
    data_class: str
    retention: str


BUCKETS = {
    "aws:s3/bucket:Bucket": Kind("s3", "bucket", "region", "tags", "dpdp:data-class", "dpdp:retention-days"),
    "gcp:storage/bucket:Bucket": Kind(
        "gs", "name", "location", "labels", "dpdp-data-class", "dpdp-retention-days"
    ),
}


@dataclass(frozen=True)
class Place:
    """A bucket of the store `s3` or `gs`; `endpoint` is the address of the store on premises."""

    name: str
    region: str
    data_class: str
    endpoint: str | None = None
    store: str = "s3"

    @property
    def uri(self) -> str:
        """Its address."""
        return f"{self.store}://{self.name}"


@dataclass(frozen=True)
class Lake:
    """The buckets that are opened, and where proof is kept: the audit bucket, whose objects can't be altered."""

    data: Sequence[Place]
    audit: Place


@dataclass(frozen=True)
class Elsewhere:
    """Something that this command does not open. `left` is whether somebody has to do it, `cache` whether
    `CACHE=` does."""

    what: str
    done: str
    until: date | None = None
    why: str = ""
    left: bool = False
    cache: bool = False


def lake(state: State, settings: Settings, where: Where) -> Lake:
    """The buckets of a stack in one place, replicas among them.

    Raises:
        NoLakeError: it has none there.
    """
    here = [one for one in state.of(*BUCKETS) if _where(one) == where]
    store = settings.on_premises.store if settings.on_premises and where == "onPremises" else None
    endpoint = store.endpoint if store else None
    data = [_place(one, settings, endpoint) for one in here if _role(one) not in (AUDIT, ACCESS_LOGS)]
    audit = [_place(one, settings, endpoint) for one in here if _role(one) == AUDIT]
    if data and audit:
        return Lake(data, audit[0])
    there = sorted({_where(one) for one in state.of(*BUCKETS)} - {where})
    raise NoLakeError(
        f"{state.stack} has no lake with an audit bucket at PLACE={where}: nothing was done"
        + (f"; it has buckets at PLACE={' and PLACE='.join(there)}" if there else "")
    )


def _where(bucket: Mapping[str, Any]) -> Where:
    if BUCKETS[bucket["type"]].store == "gs":
        return "gcp"
    return "onPremises" if ON_PREMISES in bucket["urn"] else "aws"


def elsewhere(state: State, settings: Settings, where: Where, today: date) -> Iterator[Elsewhere]:
    """What a stack has beside the buckets that are opened: logs, databases, backups, and what its workloads keep."""
    for one in state.of(*BUCKETS):
        kind, name = BUCKETS[one["type"]], _name(one)
        if _role(one) in (AUDIT, ACCESS_LOGS):
            days = _days(plain(one["inputs"], kind.tags, kind.retention))
            # What has expired can be restored for a while.
            yield _log(f"bucket {name}", days + UNDELETE_DAYS if days else None, today)
        elif (other := _where(one)) != where:
            yield Elsewhere(f"bucket {name}", f"run again with PLACE={other}", left=True)
    with STORES.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for one in state.of(row["type"]):
            yield _store(row, one, today)
    yield from _kept(settings)


def deleted_before(where: Lake, rules: Mapping[str, Rules], today: date) -> Iterator[Elsewhere]:
    """What was deleted in buckets with soft delete: nobody can read it or end it, and for its days it can be
    restored."""
    for one in where.data:
        if days := rules[one.name].restorable_days:
            yield Elsewhere(
                f"what was deleted in {one.uri} before",
                "it can't be read, and can be restored: after a restore erase again",
                today + timedelta(days=days),
            )


def _store(row: Mapping[str, str], resource: Mapping[str, Any], today: date) -> Elsewhere:
    what = f"{row['what']} {resource['urn'].rpartition('::')[2]}"
    days = _days(plain(resource["inputs"], *row["days"].split("."))) if row["days"] else None
    if row["kind"] == "log":
        return _log(what, days, today)
    until = today + timedelta(days=days) if days else None
    return Elsewhere(what, row["erased"], until, left=row["kind"] == "database")


def _log(what: str, days: int | None, today: date) -> Elsewhere:
    until = today + timedelta(days=days) if days else None
    done = "kept; the newest entries go by themselves" if until else "kept, and never goes by itself"
    return Elsewhere(what, done, until, the_year(), left=until is None)


def _kept(settings: Settings) -> Iterator[Elsewhere]:
    chosen = settings.workloads.chosen
    for each in WORKLOADS:
        asked = chosen.get(each.needs.name)
        for kept in each.keeps(asked) if asked and each.keeps else ():
            yield Elsewhere(kept.what, kept.erased, left=kept.cache, cache=kept.cache)


def _place(resource: Mapping[str, Any], settings: Settings, endpoint: str | None) -> Place:
    kind = BUCKETS[resource["type"]]
    of = str(plain(resource["inputs"], kind.tags, kind.data_class) or settings.data_class)
    return Place(_name(resource), _output(resource, kind.region), of, endpoint, kind.store)


def _name(bucket: Mapping[str, Any]) -> str:
    return _output(bucket, BUCKETS[bucket["type"]].name) or bucket["id"]


def _output(resource: Mapping[str, Any], name: str) -> str:
    return str((resource.get("outputs") or {}).get(name) or "")


def _role(resource: Mapping[str, Any]) -> str:
    name = resource["urn"].rpartition("::")[2]
    return next((role for role in (AUDIT, ACCESS_LOGS) if name.endswith(f"-{role}")), "data")


def _days(value: Any) -> int | None:
    return int(number(value) or 0) or None
