"""The one reader of values: what each text in a resource says, wherever it stands.

A control asks `read(resource)` for the words that say a place, for hosts, for references (ARNs, Google paths, ids with
a place in them) and for object stores, each with where it is; none walks properties by itself. Texts are
opened (`texts`), and the context takes out what names no destination: a description, a comment, a Deny, a dashboard
(data/no_destination_properties.csv has the properties, each with its reason).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from policies.framework.resources import Resource
from policies.framework.unknowns import Leaf, Path, Unknown, dotted, leaves
from policies.readers import locations
from policies.readers.place_names import place_word
from policies.readers.tables import table
from policies.readers.values.hosts import Host, Service, addressed, country_of, hosts_in
from policies.readers.values.places import INDIA, Place, is_place_key, place, places_in
from policies.readers.values.stores import Store, holds, only_read, place_of, store_in
from policies.readers.values.texts import (
    VALUE_KEYS,
    Budget,
    Piece,
    arguments,
    decoded,
    is_command,
    is_quiet,
    is_sql,
    key_of,
    pieces,
    tokens,
)

Kind = Literal["place", "reference", "host", "store"]
SECRET = "kubernetes:core/v1:Secret"
# What begins so is a command, however plain its words are: `aws configure set region us-west-2`.
_TOOLS = frozenset(
    {"aws", "az", "bq", "doctl", "export", "gcloud", "gsutil", "helm", "kubectl", "oci", "set", "sudo"}
)
# Remotes of rclone and restic, by the name of a store that has no Indian region.
_REMOTE = re.compile(r"(?:b2|backblaze|wasabi|dropbox|gdrive|onedrive|storj|pcloud|mega|box):[\w./-]")
_ADDRESS_KEY = re.compile(
    r"ur[il]s?$|hosts?$|endpoints?$|address(?:es)?$|servers?$|brokers?$|dsn$|bootstrap|mirror|sink|webhook",
    re.IGNORECASE,
)
_PROSE = re.compile(r"[A-Za-z][a-z']*[.,:;!?]?")


@dataclass(frozen=True)
class Value:
    """A word that says where something is, or leads there.

    `path` is the property; `where` also names the keys inside an opened text. `key` is the nearest key. `place` is the
    place that it says; None where none can be told. `in_text`: it is part of a longer text, not alone in the property.
    """

    kind: Kind
    path: Path
    where: str
    key: str
    word: str
    place: Place | None
    host: Host | None = field(default=None, compare=False)  # of the word, which is compared
    in_text: bool = False
    store: Store | None = None

    @property
    def is_abroad(self) -> bool:
        return self.place is not None and not self.place.is_india

    @property
    def service(self) -> Service | None:
        """The service outside the clouds that a host is of, where its data do not stay in India."""
        if self.host is None or self.host.service is None or self.host.service.country == INDIA:
            return None
        return None if self.place is not None and self.place.is_india else self.host.service


@dataclass(frozen=True)
class Reading:
    """What the texts of one resource say. `unknowns` can't be known yet; `unread` are texts beyond the bounds."""

    values: tuple[Value, ...]
    unknowns: tuple[Unknown, ...]
    unread: tuple[Path, ...]

    def of(self, *kinds: Kind) -> Iterator[Value]:
        return (value for value in self.values if value.kind in kinds)


def read(resource: Resource) -> Reading:
    """What a resource says, read once for all controls."""
    return resource.once(_read)


@dataclass(frozen=True)
class _Text:
    path: Path
    keys: tuple[str, ...]
    text: str


def _read(resource: Resource) -> Reading:
    budget, values, unknowns, unread = Budget(), list[Value](), list[Unknown](), list[Path]()
    for found in _texts(resource):
        if isinstance(found, Unknown):
            unknowns.append(found)
            continue
        if not budget.spent:
            packed = resource.type == SECRET and found.path[:1] == ("data",)
            values += _values(resource.type, found, _secret(found.text) if packed else found.text, budget)
        # Also of the text that the budget ended in, which is read in part.
        if budget.spent:
            unread.append(found.path)
    return Reading(tuple(dict.fromkeys(values)), tuple(unknowns), tuple(dict.fromkeys(unread)))


def destination_leaves(resource: Resource) -> Iterator[Leaf]:
    """The scalars and `Unknown`s of a resource, but for properties that name no destination."""
    return (leaf for leaf in leaves(resource.props) if not _is_excluded(resource.type, leaf.path))


def _is_excluded(type_: str, path: Path) -> bool:
    return any(
        names_no_destination(type_, path[: end + 1]) for end, part in enumerate(path) if isinstance(part, str)
    )


def _secret(text: str) -> str:
    return decoded(text) or text


def _texts(resource: Resource) -> Iterator[_Text | Unknown]:
    """Every text of the properties that may name a destination, without recursion: depth is no way to break it."""
    todo: list[tuple[Path, tuple[str, ...], Any]] = [((), (), resource.props)]
    while todo:
        path, keys, value = todo.pop()
        if isinstance(value, dict):
            if path and is_quiet(value):
                continue
            for key, inner in value.items():
                if not names_no_destination(resource.type, (*path, key)):
                    todo.append(((*path, key), (*keys, *key_of(value, key)), inner))
        elif isinstance(value, list):
            if path and is_command(path[-1]):
                yield from (_Text(path, piece.keys, piece.text) for piece in arguments(value, keys))
            todo.extend(((*path, index), keys, inner) for index, inner in enumerate(value))
        elif isinstance(value, Unknown):
            yield value
        elif isinstance(value, str) and value:
            yield _Text(path, keys, value)


def _values(type_: str, found: _Text, text: str, budget: Budget) -> Iterator[Value]:
    sends_nothing: bool | None = None
    copied, at = frozenset[str](), dotted(found.path)
    for piece in pieces(text, found.keys, budget):
        inner = piece.keys[len(found.keys) :]
        if inner and names_no_destination("", inner):
            continue
        in_text = piece.text != found.text
        for said in _said(type_, piece, _about_stores(found, piece)):
            store = said.store
            if store and sends_nothing is None:
                sends_nothing = holds(type_, found.keys).use == "none"
                copied = only_read(decoded(text) or text)
            if store and (said.word in copied or sends_nothing):
                store = replace(store, use="read")
            where = ".".join(filter(None, [at, dotted(inner)]))
            yield Value(
                said.kind, found.path, where, piece.key, said.word, said.place, said.host, in_text, store
            )


def _about_stores(found: _Text, piece: Piece) -> tuple[str, ...]:
    """The names that say what is done with a store: a script that is loaded may write to what stands in it."""
    if piece.text != found.text or " " in piece.text.strip():
        return piece.keys[len(found.keys) :]
    is_pair = (
        bool(found.path) and bool(piece.keys) and found.path[-1] in VALUE_KEYS and piece.key != found.path[-1]
    )
    return piece.keys[-1:] if is_pair else piece.keys


@dataclass(frozen=True)
class _Said:
    kind: Kind
    word: str
    place: Place | None
    host: Host | None = None
    store: Store | None = None


def _said(type_: str, piece: Piece, about: tuple[str, ...]) -> Iterator[_Said]:
    """What a phrase says. A word that is a place or a store by itself says nothing else."""
    whole = piece.text.strip()
    if len(whole) < 2:
        return
    if found := place(whole, piece.key):
        yield _Said("place", piece.text, found)
        return
    prose, words = _is_prose(whole) or is_sql(whole), tokens(whole)
    for word in words:
        if not prose and (found := place(word, piece.key)):
            yield _Said("place", word, found)
        elif store := store_in(word, type_, about, alone=len(words) == 1):
            yield _Said("store", word, place_of(store, word), store=store)
        else:
            yield from _of_word(word, prose, piece.key)


def _of_word(word: str, prose: bool, key: str) -> Iterator[_Said]:
    if len(word) < 4:
        return
    if (reference := locations.arn(word)) and reference.region not in ("", "*"):
        yield _Said("reference", word, place(reference.region) or Place(reference.region, "GLOBAL"))
        return
    # No path of a resource is longer.
    named = locations.gcp_path_place(word) if "projects/" in word and len(word) < 2048 else None
    if named not in (None, "-"):
        yield _Said("reference", word, place(named, "location") or Place(named, "GLOBAL"))
        return
    if remote := _REMOTE.match(word):
        yield _Said("reference", word, Place(remote[0], "GLOBAL"))
        return
    urls = addressed(word)
    hosts = list(hosts_in(word, urls))
    for host in hosts:
        at = host.place
        # A word with dots may be anything; of an address the ending says its country.
        if at is None and not host.silent and (host.name in urls or _may_be_address(word, key)):
            at = country_of(host.name)
        if not host.silent or at:
            yield _Said("host", host.name, at, host)
    # A link to a page of documentation names a region in its path, and leads nowhere.
    if not prose and not any(host.silent for host in hosts):
        rest = functools.reduce(lambda text, host: text.replace(host.name, " "), hosts, word.lower())
        for found in places_in(rest):
            yield _Said("reference", word, found)


def _may_be_address(word: str, key: str) -> bool:
    """Whether a word with dots is an address by its key. Mail goes to people, wherever they are."""
    return "@" not in word and bool(_ADDRESS_KEY.search(key))


def _is_prose(text: str) -> bool:
    """Four words and more, most of them plain: a sentence, in which a place is no setting."""
    words = text.split()
    if words and words[0] in _TOOLS:
        return False
    return len(words) > 3 and sum(bool(_PROSE.fullmatch(word)) for word in words) > 0.6 * len(words)


def names_no_destination(type_: str, path: tuple[Any, ...]) -> bool:
    """Whether nothing under a property says where data go; the reasons are in data/no_destination_properties.csv."""
    name = path[-1] if path else ""
    if not isinstance(name, str):
        name = next((part for part in reversed(path) if isinstance(part, str)), "")
    # `prompt.txt` is named as `prompt` is.
    prefixes = _no_destination().get((name.partition(".")[0] or name).lower(), ())
    if not type_.startswith(prefixes):
        return False
    # `regions[0].name` is a region.
    names = [part for part in path if isinstance(part, str)]
    return not (name == "name" and len(names) > 1 and place_word(names[-2]))


@functools.cache
def _no_destination() -> dict[str, tuple[str, ...]]:
    rows: dict[str, tuple[str, ...]] = {}
    for row in table("no_destination_properties.csv"):
        rows[row["property"].lower()] = (*rows.get(row["property"].lower(), ()), row["types"])
    return rows


__all__ = ["Reading", "Value", "destination_leaves", "is_place_key", "names_no_destination", "read"]
