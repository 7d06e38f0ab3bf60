"""Hosts: of a cloud in a region, of a service outside the clouds, of nobody that is known."""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from policies.readers.tables import several, table
from policies.readers.values.places import INDIA, Place, code_of_google, may_say_a_place, places_in

# The lookbehind makes a run of letters tried once; labels are short by RFC 1035.
_HOST = re.compile(
    r"(?<![\w.-])(?:[a-z0-9](?:[a-z0-9_-]{0,62}+)\.)+[a-z][a-z0-9-]{1,62}(?![\w-])", re.IGNORECASE
)
_URL = re.compile(
    r"(?<![a-z0-9+.-])([a-z][a-z0-9+.-]{1,20})://(?:[^\s/@\"']{1,200}+@)?([\w.-]{1,253}|\[[0-9a-f:.]+\])",
    re.IGNORECASE,
)
# Documentation, which links lead to; `docs.google.com` is where people keep theirs.
_FOR_PEOPLE = re.compile(r"(?:docs?|documentation|blog|learn|community|wiki|status)\.(?!google\.com$)")
_RUN_CODE = re.compile(r"-([a-z]{2})\.a\.run\.app$")
_LONGEST_HOST = 253
_SITE = re.compile(r"((?:us|eu|uk|apac|emea|na|latam)\d{0,2})(?:-|$)")
# Endings of countries that are not sold to the whole world as words (`.io`, `.ai`, `.co`, `.me`, `.tv`, `.be` are); ISO
# 3166-1 is the same but for the United Kingdom.
_ENDINGS = (
    "ae", "ar", "at", "au", "bd", "br", "ca", "ch", "cl", "cn", "cz", "de", "dk", "es", "fi", "fr", "hk",
    "hu", "id", "ie", "il", "it", "jp", "ke", "kr", "lk", "mx", "my", "ng", "nl", "no", "np", "nz", "pe",
    "ph", "pk", "pl", "pt", "ro", "ru", "sa", "se", "sg", "th", "tr", "tw", "ua", "us", "vn", "za",
)  # fmt: skip
_COUNTRIES = {code: code.upper() for code in _ENDINGS} | {"uk": "GB", "eu": "MULTI"}
_INSIDE = (".internal", ".svc", ".svc.cluster.local", ".local", ".localdomain", ".cluster.local")


@dataclass(frozen=True)
class Service:
    """A service outside the clouds that may keep what it is sent. `country` is where it does so."""

    name: str
    category: str
    country: str


@dataclass(frozen=True)
class Host:
    """A host, with the place that its name says and the service that it is of, where there are any.

    `silent`: it only hands things out, and is sent nothing.
    """

    name: str
    place: Place | None = None
    service: Service | None = None
    silent: bool = False


def hosts_in(text: str, urls: Sequence[str]) -> Iterator[Host]:
    """Every host in a text: of its URLs, as `addressed` finds them, and words with dots that may be hosts."""
    words = (found[0].lower().rstrip(".") for found in _HOST.finditer(text)) if "." in text else ()
    for name in dict.fromkeys((*urls, *words)):
        if not is_inside(name):
            yield host(name)


def addressed(text: str) -> list[str]:
    """Hosts that are certainly hosts: those of URLs."""
    return [found[2].lower().rstrip(".") for found in _URL.finditer(text)] if "://" in text else []


def country_of(name: str) -> Place | None:
    """The country that a host's ending says, where that is one that its people use for themselves."""
    ending = name.rpartition(".")[2]
    return Place(f".{ending}", _COUNTRIES[ending]) if ending in _COUNTRIES else None


@functools.lru_cache(maxsize=20_000)
def is_inside(name: str) -> bool:
    """A private address leads into a network of yours; where that goes on to is a matter of peering (RES-16)."""
    if not name[-1:].isdigit() and ":" not in name:  # an address ends in a digit, or has a colon
        return name.endswith(_INSIDE) or "." not in name
    try:
        return ipaddress.ip_address(name.strip("[]")).is_private
    except ValueError:
        return name.endswith(_INSIDE) or "." not in name


@functools.lru_cache(maxsize=20_000)
def host(name: str) -> Host:
    """A host by its name."""
    known = _domain(name.partition(".")[2] if _is_any_of_a_domain(name) else name)
    handed_out = name if name in _no_destinations("exact") else known.handed_out
    silent = len(handed_out) > len(known.suffix) or bool(_FOR_PEOPLE.match(name))
    place = None if handed_out in _mirrors() else known.place
    return Host(name, place, None if silent else known.service, silent)


@dataclass(frozen=True)
class _Domain:
    """What a name says for itself and all below it. `suffix` tells the service, `handed_out` no destination."""

    place: Place | None
    suffix: str
    service: Service | None
    handed_out: str


@functools.lru_cache(maxsize=20_000)
def _domain(name: str) -> _Domain:
    places = [*places_in(name), *_sites(name), *_of_cloud_run(name)]
    place = next((one for one in places if not one.is_india), next(iter(places), None))
    return _Domain(place, *_service(name), _longest(name, _no_destinations("suffix")))


def _is_any_of_a_domain(name: str) -> bool:
    """Whether the first label of a host says nothing, so that what the domain above it says is read once for all."""
    label, _, domain = name.partition(".")
    return not (
        "." not in domain
        or len(name) > _LONGEST_HOST
        or name in _suffixes()
        or name in _no_destinations("suffix")
        or name.endswith(_tails())
        or _SITE.match(label)
        or may_say_a_place(label)
    )


def _sites(name: str) -> list[Place]:
    """Labels that a service gives to its sites: `us.example.com`, `eu1.example.com`, `eu-api.example.com`.

    Under `.in` they are words: `us.shop.example.in` is somebody's page about themselves.
    """
    if name.endswith(".in"):
        return []
    found = map(_SITE.match, name.split(".")[:-2])
    return [Place(match[1], "GLOBAL") for match in found if match]


def _of_cloud_run(name: str) -> list[Place]:
    """The place that Cloud Run's own hosts say in two letters: `orders-abcdefghij-el.a.run.app` is in Mumbai."""
    code = _RUN_CODE.search(name) if name.endswith("run.app") else None
    return [code_of_google(code[1])] if code else []


def _service(name: str) -> tuple[str, Service | None]:
    """The service that a host is of, and the suffix that tells it."""
    if suffix := _longest(name, _suffixes()):
        return suffix, _suffixes()[suffix]
    if not name.endswith(_tails()):
        return "", None
    return next(
        ((text, service) for text, pattern, service in _patterns() if pattern.fullmatch(name)), ("", None)
    )


def _longest(name: str, among: Collection[str]) -> str:
    """The longest suffix of a host that is listed; empty without one. No name of DNS is longer than 253 characters."""
    labels = name[-253:].split(".")
    return next((suffix for at in range(len(labels)) if (suffix := ".".join(labels[at:])) in among), "")


@functools.cache
def _rows() -> tuple[tuple[str, Service], ...]:
    made = []
    for row in table("services.csv"):
        country = INDIA if row["indian"] == "yes" else row["country"] or "GLOBAL"
        made += [(one, Service(row["name"], row["category"], country)) for one in several(row["hosts"])]
        made += [(one, Service(row["name"], row["category"], INDIA)) for one in several(row["indian_hosts"])]
    return tuple(made)


@functools.cache
def _suffixes() -> dict[str, Service]:
    return {name: service for name, service in _rows() if "*" not in name}


@functools.cache
def _patterns() -> tuple[tuple[str, re.Pattern[str], Service], ...]:
    """Hosts with a part that anybody may choose; those that keep data in India are looked at first."""
    starred = sorted((row for row in _rows() if "*" in row[0]), key=lambda row: row[1].country != INDIA)
    return tuple(
        (name, re.compile(r"(?:[\w-]+\.)*" + re.escape(name).replace(r"\*", r"[\w-]*")), service)
        for name, service in starred
    )


@functools.cache
def _tails() -> tuple[str, ...]:
    """What follows the last star of each pattern, and the one domain in which a label and its domain are one word."""
    return (*{name.rpartition("*")[2] for name, _, _ in _patterns()}, "run.app")


@functools.cache
def _mirrors() -> frozenset[str]:
    """Of those, the ones that are in many places for who is near: packages and time are the same in each."""
    kinds = ("packages", "time")
    return frozenset(row["host"] for row in table("no_destination_hosts.csv") if row["kind"] in kinds)


@functools.cache
def _no_destinations(match: str) -> frozenset[str]:
    """Hosts that only hand things out: package indexes, documentation, schemas."""
    return frozenset(row["host"] for row in table("no_destination_hosts.csv") if row["match"] == match)
