"""Where a stack keeps data: buckets that `make erase` opens, and what else its state has."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

from commands.erase.keeping import the_year
from commands.page.state import State
from infra.contracts.governance import ACCESS_LOGS, AUDIT, UNDELETE_DAYS
from infra.pricing.node_counts import number
from infra.pricing.resources import plain
from infra.settings.stack import Settings
from workloads.registry import WORKLOADS

STORES = Path(__file__).parent / "data" / "stores.csv"
BUCKET = "aws:s3/bucket:Bucket"
ON_PREMISES = "india-ai-infra:onprem:Lake$"
Where = Literal["aws", "onPremises"]


class NoLakeError(Exception):
    """A stack has no bucket that this command can open; the message says what there is."""


@dataclass(frozen=True)
class Place:
    """A bucket of S3; `endpoint` is the address of the store on premises."""

    name: str
    region: str
    data_class: str
    endpoint: str | None = None


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
    here = [one for one in state.of(BUCKET) if (ON_PREMISES in one["urn"]) == (where == "onPremises")]
    store = settings.on_premises.store if settings.on_premises and where == "onPremises" else None
    endpoint = store.endpoint if store else None
    data = [_place(one, settings, endpoint) for one in here if _role(one) not in (AUDIT, ACCESS_LOGS)]
    audit = [_place(one, settings, endpoint) for one in here if _role(one) == AUDIT]
    if data and audit:
        return Lake(data, audit[0])
    raise NoLakeError(
        f"{state.stack} has no lake with an audit bucket in S3 at PLACE={where}: nothing was done. "
        "This command opens S3, on AWS or on premises, and not Cloud Storage"
    )


def elsewhere(state: State, settings: Settings, where: Where, today: date) -> Iterator[Elsewhere]:
    """What a stack has beside the buckets that are opened: logs, databases, backups, and what its workloads keep."""
    for one in state.of(BUCKET):
        name = _text(one, "bucket")
        if _role(one) in (AUDIT, ACCESS_LOGS):
            days = _days(plain(one["inputs"], "tags", "dpdp:retention-days"))
            # What has expired can be restored for a while.
            yield _log(f"bucket {name}", days + UNDELETE_DAYS if days else None, today)
        elif (ON_PREMISES in one["urn"]) != (where == "onPremises"):
            other = "onPremises" if where == "aws" else "aws"
            yield Elsewhere(f"bucket {name}", f"run again with PLACE={other}", left=True)
    with STORES.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for one in state.of(row["type"]):
            yield _store(row, one, today)
    yield from _kept(settings)


def _store(row: Mapping[str, str], resource: Mapping[str, Any], today: date) -> Elsewhere:
    what = f"{row['what']} {resource['urn'].rpartition('::')[2]}"
    days = _days(plain(resource["inputs"], *row["days"].split("."))) if row["days"] else None
    if row["kind"] == "log":
        return _log(what, days, today)
    until = today + timedelta(days=days) if days else None
    return Elsewhere(what, row["erased"], until, left=row["kind"] in ("database", "bucket"))


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
    of = str(plain(resource["inputs"], "tags", "dpdp:data-class") or settings.data_class)
    return Place(_text(resource, "bucket"), _text(resource, "region"), of, endpoint)


def _text(resource: Mapping[str, Any], name: str) -> str:
    return str((resource.get("outputs") or {}).get(name) or (resource["id"] if name == "bucket" else ""))


def _role(resource: Mapping[str, Any]) -> str:
    name = resource["urn"].rpartition("::")[2]
    return next((role for role in (AUDIT, ACCESS_LOGS) if name.endswith(f"-{role}")), "data")


def _days(value: Any) -> int | None:
    return int(number(value) or 0) or None
