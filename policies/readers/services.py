"""Services outside the clouds, as data/services.csv lists them: by what they are called, and where data go unless told.

`values.hosts` knows them by their hosts. Here they are known by what names no host: the variable of a key, a chart, an
image, a layer of a function, an exporter of telemetry.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from policies.readers.tables import several, table
from policies.readers.values.hosts import host
from policies.readers.values.places import place

# Variables and settings that hold a word for a place instead of a host.
_CHOICE = re.compile(
    r"(?:^|[_.-])(?:region|realm|zone|location|data_?center|datacenter|dc|cluster|cloud|pod|site)$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class OutsideService:
    """A service that gets data abroad when nothing is said. `default_host` is empty where clients have none."""

    name: str
    keys: tuple[str, ...]
    addresses: tuple[str, ...]
    settings: tuple[str, ...]
    charts: tuple[str, ...]
    images: tuple[str, ...]
    exporters: tuple[str, ...]
    layers: tuple[str, ...]
    default_host: str

    @property
    def goes_to(self) -> str:
        """Where data go unless a setting says otherwise."""
        return self.default_host or "a place abroad"

    @property
    def indian_words(self) -> frozenset[str]:
        """What stands for India in the settings of this service: `in1`, `DC_3`."""
        return frozenset(setting.partition("=")[2].lower() for setting in self.settings)


@functools.cache
def outside_services() -> tuple[OutsideService, ...]:
    """Services whose data leave India unless a setting says otherwise: all others need none."""
    layers: dict[str, tuple[str, ...]] = {}
    for row in table("lambda_layers.csv"):
        layers[row["service"]] = (*layers.get(row["service"], ()), row["layer"])
    return tuple(
        OutsideService(
            row["name"],
            several(row["keys"]) if row["default_host"] else (),
            several(row["addresses"]),
            (*several(row["offline"]), *several(row["indian_values"])),
            several(row["charts"]),
            several(row["images"]),
            several(row["exporters"]),
            layers.get(row["name"], ()),
            row["default_host"],
        )
        for row in table("services.csv")
        if _defaults_abroad(row)
    )


def _defaults_abroad(row: dict[str, str]) -> bool:
    if row["indian"] == "none":
        return True
    if row["indian"] == "yes" or not row["default_host"] or row["country"] in ("", "IN"):
        return False
    if row["indian"] == "by-setting" and row["country"] == "MULTI":
        return False  # chosen in the account, which no host and no variable tells
    known = host(row["default_host"])
    return not (known.service and known.service.country == "IN")


def is_choice(name: str) -> bool:
    """Whether a setting holds a word for a place (`NEW_RELIC_REGION`, `splunkObservability.realm`), and no host."""
    return bool(_CHOICE.search(name))


def chooses_india(service: OutsideService, name: str, value: str) -> bool:
    """Whether a word for a place is one of India; a host is judged where hosts are."""
    if "." in value or "/" in value or ":" in value or "$" in value:
        return True
    if value.lower() in service.indian_words:
        return True
    found = place(value, name)
    return found is not None and found.is_india


@functools.cache
def by_key() -> dict[str, tuple[OutsideService, ...]]:
    """Services by the variables that hold their keys."""
    found: dict[str, tuple[OutsideService, ...]] = {}
    for service in outside_services():
        for key in service.keys:
            found[key] = (*found.get(key, ()), service)
    return found


@functools.lru_cache(maxsize=10_000)
def by_image(image: str) -> OutsideService | None:
    """The service that an image is an agent of, also where a registry of one's own mirrors it."""
    name = re.sub(r"^(?:docker\.io|index\.docker\.io|registry-1\.docker\.io)/", "", image).partition("@")[0]
    name = re.sub(r":[\w.-]+$", "", name)
    for service in outside_services():
        for known in service.images:
            known = known.removeprefix("docker.io/")
            if name.startswith(known) if known.endswith("/") else name == known or name.endswith(f"/{known}"):
                return service
    return None


def by_layer(arn: str) -> OutsideService | None:
    """The service whose extension or agent a layer of a function is."""
    parts = arn.split(":")
    if len(parts) < 7 or parts[2] != "lambda" or parts[5] != "layer":
        return None
    return next(
        (service for service in outside_services() if parts[6].startswith(service.layers or ("\0",))), None
    )


def by_chart(chart: str, repository: str) -> OutsideService | None:
    """The service whose agents a Helm chart installs. `datadog/datadog` is of a repository that is called so."""
    *before, name = chart.removesuffix("/").split("/")
    origin = f"{'/'.join(before)} {repository}".lower()
    for service in outside_services():
        for known in service.charts:
            alias, _, short = known.rpartition("/")
            if short == name and alias.lower() in origin:
                return service
    return None


@functools.cache
def by_exporter() -> dict[str, OutsideService]:
    """Services by the name of their exporter, with the program's: `otel:datadog`."""
    return {name: service for service in outside_services() for name in service.exporters}
