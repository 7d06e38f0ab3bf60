"""What each provider has, as a table: regions with their countries, and names of GPUs. The SDKs check neither."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from infra.spelling import nearest
from infra.stacks import read_yaml

INDIA = "IN"
DATA = Path(__file__).with_name("data") / "providers.yaml"


class BurstError(ValueError):
    """A workload can't run there; the message says what is wrong and what to do."""


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Regions(_Row):
    """The country of each region, by ISO 3166-1, or MULTI for one of several countries."""

    source: str = Field(min_length=1)
    countries: Mapping[str, str]


class Gpus(_Row):
    """The provider's name of each GPU of the catalogue, and the most of them in one machine."""

    source: str = Field(min_length=1)
    names: Mapping[str, tuple[str, int]]


class Provider(_Row):
    """A provider, as its own pages said it on the day `read`."""

    read: date
    regions: Regions
    gpus: Gpus

    def gpu(self, name: str, count: int) -> str:
        """Its name of a GPU of the catalogue.

        Raises:
            BurstError: it has none, or no machine with so many.
        """
        if name not in self.gpus.names:
            raise BurstError(f"there is no {name} there; its GPUs are {_or(name, self.gpus.names)}")
        theirs, most = self.gpus.names[name]
        if not 0 < count <= most:
            raise BurstError(f"{count} {name} are not in one machine there; at most {most} are")
        return theirs

    def region(self, name: str) -> str:
        """The country of a region.

        Raises:
            BurstError: there is no such region.
        """
        if name not in self.regions.countries:
            raise BurstError(
                f"there is no region {name} there; regions are {_or(name, self.regions.countries)}"
            )
        return self.regions.countries[name]

    @property
    def indian(self) -> list[str]:
        """The regions in India."""
        return [name for name, country in self.regions.countries.items() if country == INDIA]


@cache
def providers() -> Mapping[str, Provider]:
    """Every provider by its name."""
    return {name: Provider.model_validate(row) for name, row in read_yaml(DATA).items()}


def _or(given: str, names: Mapping[str, object]) -> str:
    near = nearest(given, names)
    return ", ".join(names) + (f"; the nearest is {near}" if near else "")
