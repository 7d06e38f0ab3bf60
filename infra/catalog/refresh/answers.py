"""What a cloud or a public feed answered, or why it did not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from pydantic import Field

from infra.catalog.tables import (
    CatalogError,
    InterruptionRow,
    MachineRow,
    OfferingRow,
    PlacementRow,
    PriceRow,
    Row,
)


class NoCredentialsError(Exception):
    """There is no login for a cloud. The message says which variable or profile gives one."""


class FeedError(CatalogError):
    """A public address could not be read, or what it sent has another form. The message is one line."""


@dataclass(frozen=True)
class Answer:
    """The rows of one region as its cloud gives them today; `notes` say what it would not tell."""

    region: str
    machines: tuple[MachineRow, ...]
    offerings: tuple[OfferingRow, ...]
    prices: tuple[PriceRow, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unread:
    """A region that could not be read: its rows stay as they are."""

    region: str
    why: str


@dataclass(frozen=True)
class Known:
    """What a feed's rows are picked by: zones by region and machine type, and on-demand prices in USD an hour."""

    zones: Mapping[tuple[str, str], tuple[str, ...]]
    on_demand: Mapping[tuple[str, str], float]


@dataclass(frozen=True)
class FeedRows:
    """What a feed says of machines in the catalogue; `dropped` has a line for each row that no table can hold.

    `as_of` is the feed's own time where it names one, else the day on which this content was first read.
    """

    as_of: date
    prices: tuple[PriceRow, ...] = ()
    scores: tuple[PlacementRow, ...] = ()
    bands: tuple[InterruptionRow, ...] = ()
    dropped: tuple[str, ...] = ()


class FeedRow(Row):
    """The last content of a feed that was read: its digest, and as `as_of` the day on which it was first seen.

    It is how a feed that froze is noticed: one that names no time looks the same on the day it stops.
    """

    feed: str = Field(min_length=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
