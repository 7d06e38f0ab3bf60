"""India's cloud regions and zones: the only place that lists them.

Facts: AWS global infrastructure and Google Cloud locations, 2026-11. Hyderabad (ap-south-2) is opt-in: an account must
enable it before first use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Literal

Cloud = Literal["aws", "gcp"]


class UnknownRegionError(LookupError):
    """A name that is no region in India."""

    def __init__(self, name: str) -> None:
        close = get_close_matches(name, REGIONS, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        super().__init__(f"{name} is not a region in India ({', '.join(REGIONS)}){hint}")


@dataclass(frozen=True)
class Region:
    """A cloud region in India.

    `zones` are zone IDs on AWS (`aps1-az1`), because the letters of zone names (`ap-south-1a`) stand for different
    places in different accounts; they are zone names on Google Cloud.
    """

    cloud: Cloud
    name: str
    city: str
    zones: tuple[str, ...]
    opt_in: bool = False


REGIONS: Mapping[str, Region] = MappingProxyType(
    {
        place.name: place
        for place in (
            Region("aws", "ap-south-1", "Mumbai", ("aps1-az1", "aps1-az2", "aps1-az3")),
            Region("aws", "ap-south-2", "Hyderabad", ("aps2-az1", "aps2-az2", "aps2-az3"), opt_in=True),
            Region("gcp", "asia-south1", "Mumbai", ("asia-south1-a", "asia-south1-b", "asia-south1-c")),
            Region("gcp", "asia-south2", "Delhi", ("asia-south2-a", "asia-south2-b", "asia-south2-c")),
        )
    }
)


def region(name: str) -> Region:
    """The region called `name`.

    Raises:
        UnknownRegionError: there is no such region in India.
    """
    try:
        return REGIONS[name]
    except KeyError:
        raise UnknownRegionError(name) from None


def region_of_zone(zone: str) -> Region | None:
    """The region of a zone, by its ID on AWS (`aps1-az1`) or its name on Google (`asia-south1-a`); None abroad."""
    return next((place for place in REGIONS.values() if zone in place.zones), None)


def regions_of(cloud: Cloud) -> tuple[str, ...]:
    """Names of one cloud's regions in India."""
    return tuple(place.name for place in REGIONS.values() if place.cloud == cloud)
