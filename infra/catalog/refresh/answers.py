"""What a cloud answered about one of its regions, or why it did not."""

from __future__ import annotations

from dataclasses import dataclass

from infra.catalog.tables import MachineRow, OfferingRow, PriceRow


class NoCredentialsError(Exception):
    """There is no login for a cloud. The message says which variable or profile gives one."""


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
