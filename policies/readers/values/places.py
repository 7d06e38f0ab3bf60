"""Places: regions, zones and multi-regions of every cloud and service, alone or inside a host, an id, a name or a path.

Two ways to know one. The shape that AWS and Google Cloud give to their regions (`us-east-1`, `europe-west4`) is a place
whether or not anybody has listed it, so that a region that opens tomorrow is found. What has no such shape (`eastus`,
`nyc3`, `US_EAST_1`, `eur4`) is in data/places.csv. A word that is also an ordinary one (`us`, `oregon`, `global`) is a
place only where the key above it says that it holds one.
"""

from __future__ import annotations

import functools
import re
import string
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from policies.readers import locations
from policies.readers.place_names import place_word
from policies.readers.tables import table

INDIA = "IN"
_DIRECTION = "(?:north|south|east|west|central|northeast|northwest|southeast|southwest)"
# A word of this shape is a region, or a zone of one. `us-central-0`, as Grafana Cloud writes it, has it too.
_REGION = re.compile(
    rf"(?<![a-z0-9])(?:(?:af|ap|ca|cn|eu|eusc|il|me|mx|sa|us)(?:-(?:gov|de|iso[a-z]?))?-{_DIRECTION}-\d{{1,2}}"
    rf"|(?:africa|asia|australia|europe|me|northamerica|southamerica|us)-{_DIRECTION}\d{{1,2}})"
    r"(?:-?[a-z](?![a-z0-9])|(?![a-z0-9]))"
)
# Zone IDs and the short codes in hosts: `use1-az2`, `use1.cache.amazonaws.com`.
_ZONE_ID = re.compile(r"(?<![a-z0-9])([a-z]{3,5}\d)(?:-[a-z]{3}\d)?-az\d{1,2}(?![a-z0-9])")
# Every region has the beginning of a direction after a hyphen, so that most words need no further look.
_MAY_BE_REGION = re.compile(r"-[nsewc]")
# A longer run of characters is no name of anything: only what has the shape of a region is looked for in it.
_LONGEST_NAME = 2048
# Small letters and one hyphen, of ASCII alone: the translation of bytes is the quickest that there is.
_PLAIN = bytes.maketrans(
    f"_ \t\n\r\f\v\x1c\x1d\x1e\x1f{string.ascii_uppercase}".encode(),
    f"{'-' * 11}{string.ascii_lowercase}".encode(),
)
_CHUNK = re.compile(r"[a-z0-9]+")
# A key of one of these words, or of a region, zone or location, holds a place.
_PLACE_KEY = re.compile(
    r"region|zone|location|(?<![a-z])(?:geo|metro|site|jurisdiction|residency|datacenter|realm|place)(?![a-z])",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Place:
    """A place as written, and its country: an ISO code, MULTI for several, GLOBAL for anywhere."""

    word: str
    country: str

    @property
    def is_india(self) -> bool:
        """Whether it is in India."""
        return self.country == INDIA


def normal(text: str) -> str:
    """As data/places.csv writes a word: small letters, and one hyphen whatever the dash, underscore or space was."""
    if text.isascii():
        return text.strip().encode().translate(_PLAIN).decode()
    text = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[_\s\u2010-\u2015\u2212]", "-", text.strip())


@functools.lru_cache(maxsize=20_000)
def place(word: str, key: str = "") -> Place | None:
    """The place that a whole word is, under a key."""
    normalized = normal(word)
    if "-" in normalized and (_REGION.fullmatch(normalized) or _ZONE_ID.fullmatch(normalized)):
        return Place(word, INDIA if _is_indian(normalized) else _country(normalized))
    row = _words().get(normalized)
    if row is None or (row.ambiguous and not is_place_key(key)):
        return None
    return Place(word, row.country)


def is_place_key(key: str) -> bool:
    """Whether a value under this key says a place: `DD_SITE`, `vertex_location`, `forProvider.region`."""
    return bool(_PLACE_KEY.search(key)) or bool(place_word(key))


def places_in(text: str) -> list[Place]:
    """Places that are part of a longer word: `users.svc.gcp-us-central1-4a9f.pinecone.io`, `p:us-central1:orders`."""
    normalized = normal(text)
    regions = _REGION.findall(normalized) if _MAY_BE_REGION.search(normalized) else []
    zones = [found[0] for found in _ZONE_ID.finditer(normalized)] if "-az" in normalized else []
    shaped = [_shaped(word) for word in (*regions, *zones)]
    if len(normalized) > _LONGEST_NAME:
        return shaped
    chunks = _CHUNK.findall(_REGION.sub(" ", normalized) if regions else normalized)
    return shaped if _beginnings().isdisjoint(chunks) else [*shaped, *_listed(chunks)]


def _listed(chunks: list[str]) -> Iterator[Place]:
    """The places of data/places.csv that some of these parts of a word are."""
    beginnings = _beginnings()
    for at, chunk in enumerate(chunks):
        if chunk in beginnings:
            for width in range(1, 4):
                word = "-".join(chunks[at : at + width])
                if (row := _words().get(word)) and not row.ambiguous and len(word) > 3:
                    yield Place(word, row.country)


def says_no_place(word: str) -> bool:
    """Whether neither a word nor any part of it is a place, whatever the key: one look instead of two."""
    if not word.isascii():
        return False
    said = normal(word)
    if "-" not in said:
        return said not in _words()
    if "-az" in said or said in _words() or _MAY_BE_REGION.search(said):
        return False
    return _beginnings().isdisjoint(_CHUNK.findall(said))


def may_say_a_place(label: str) -> bool:
    """Whether a label of a host may say a place, or begin one that the next labels end; of one beyond ASCII always."""
    if not label.isascii():
        return True
    normalized = normal(label)
    return (
        "-az" in normalized
        or bool(_MAY_BE_REGION.search(normalized))
        or not _beginnings().isdisjoint(_CHUNK.findall(normalized))
    )


@functools.lru_cache(maxsize=2_000)
def _shaped(word: str) -> Place:
    """The place that a word of the shape of a region is."""
    return Place(word, INDIA if _is_indian(word) else _country(word))


def _is_indian(word: str) -> bool:
    """Whether a word of the shape of a region is one of India's, of whichever cloud."""
    row = _words().get(word)
    return locations.place(word) is not None or (row is not None and row.country == INDIA)


def _country(word: str) -> str:
    row = _words().get(word)
    return row.country if row else "GLOBAL"


@dataclass(frozen=True)
class _Word:
    country: str
    ambiguous: bool


def code_of_google(code: str) -> Place:
    """The place of one of the two-letter codes in Google's hosts."""
    return Place(code, _codes().get(code, "GLOBAL"))


@functools.cache
def _codes() -> dict[str, str]:
    return {row["word"]: row["country"] for row in table("places.csv") if row["kind"] == "host code"}


@functools.cache
def _beginnings() -> frozenset[str]:
    """What the words that may be part of a longer one begin with."""
    return frozenset(word.partition("-")[0] for word, row in _words().items() if not row.ambiguous)


@functools.cache
def _words() -> dict[str, _Word]:
    """Words of data/places.csv. One that stands for places in several countries is in India only if all of them are."""
    known: dict[str, _Word] = {}
    for row in table("places.csv"):
        if "." in row["word"]:
            continue  # the host of a site, which hosts.py reads
        ambiguous = row["ambiguous"] == "true"
        old = known.get(row["word"])
        country = row["country"]
        if old and old.country != country:
            country = "MULTI"
        known[row["word"]] = _Word(country, ambiguous or bool(old and old.ambiguous))
    return known
