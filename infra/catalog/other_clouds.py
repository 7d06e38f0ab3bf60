"""GPUs that other providers in India rent out: what a team may burst to, and what no stack here makes a pool of.

Nothing that chooses a machine reads this: the program builds on AWS and Google Cloud alone.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Literal

from pydantic import Field

from infra.catalog.tables import DATA, STALE_DAYS, Basis, CatalogError, Row, read

FILE = "other_clouds.csv"


class OtherCloudRow(Row):
    """What an hour of one GPU costs at a provider, without tax, in the provider's own `currency`.

    `gpu_memory_gb` is the nominal size, `form` the shape of the card where it is named. The price holds from `gpus` in
    a machine on. `months` is the shortest commitment for it: 0 is by the hour. `subsidy` says of the IndiaAI Mission's
    portal whether the price is before or after what the government adds for those whom it admits.
    """

    provider: str = Field(min_length=1)
    gpu: str = Field(min_length=1)
    gpu_memory_gb: int = Field(gt=0)
    form: Literal["", "SXM", "PCIe", "NVL"]
    gpus: int = Field(ge=1)
    currency: Literal["INR", "USD"]
    gpu_hour: float = Field(gt=0)
    months: int = Field(ge=0)
    subsidy: Literal["none", "before", "after"]
    place: str = Field(min_length=1)
    basis: Basis

    def inr(self, usd_inr: float) -> float:
        """Rupees for an hour of one GPU, at so many rupees a dollar."""
        return self.gpu_hour * (usd_inr if self.currency == "USD" else 1)

    @property
    def card(self) -> str:
        """The GPU in words: `H100 80 GB SXM`."""
        return " ".join([self.gpu, f"{self.gpu_memory_gb} GB", *([self.form] if self.form else [])])

    @property
    def terms(self) -> str:
        """The commitment and the subsidy in words."""
        held = "by the hour" if not self.months else f"{self.months} month{'s' if self.months > 1 else ''}"
        return held if self.subsidy == "none" else f"{held}, {self.subsidy} subsidy"


def other_clouds(gpu: str | None = None, memory_gb: float = 0) -> tuple[OtherCloudRow, ...]:
    """Rows of one kind of GPU, or of all with so much memory, in the order of the table.

    Raises:
        CatalogError: a row is wrong, or is there twice; names the line.
    """
    return tuple(row for row in _rows() if gpu in (None, row.gpu) and row.gpu_memory_gb >= memory_gb)


def stale_elsewhere(today: date) -> str | None:
    """A sentence about prices of other providers that are older than 90 days, or None."""
    days = [row.as_of for row in _rows()]
    old = sum((today - day).days > STALE_DAYS for day in days)
    if not old:
        return None
    return (
        f"{old} of {len(days)} prices of other providers are older than {STALE_DAYS} days (the oldest of "
        f"{min(days)}): read them again on the providers' pages, infra/catalog/data/{FILE}"
    )


@cache
def _rows() -> tuple[OtherCloudRow, ...]:
    rows = tuple(read(DATA / FILE, OtherCloudRow))
    first: dict[tuple[object, ...], int] = {}
    for line, row in enumerate(rows, 2):
        key = (row.provider, row.gpu, row.gpu_memory_gb, row.form, row.months, row.subsidy)
        if (before := first.setdefault(key, line)) != line:
            raise CatalogError(
                f"{FILE}:{line}: {row.provider} {row.card} {row.terms} is in line {before} too"
            )
    return rows
