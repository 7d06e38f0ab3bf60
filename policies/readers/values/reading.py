"""The one reader of values: what each text in a resource says, wherever it stands.

A control asks `read(resource)` for the words that say a place, for hosts, for references (ARNs, Google paths, ids with
a place in them), for stores and for models that answer elsewhere, each with where it is; none walks properties by
itself. One that judges a property by its name asks for `every_leaf`. Texts are opened (`texts`), and the context takes
out what names no destination: a description, a comment, a Deny, a dashboard
(data/no_destination_properties.csv has the properties, each with its reason).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from policies.framework.resources import Resource
from policies.framework.unknowns import Leaf, Path, Unknown, dotted, leaves
from policies.readers.place_names import place_word
from policies.readers.tables import table
from policies.readers.values.copies import only_read
from policies.readers.values.hosts import Host, Service
from policies.readers.values.places import INDIA, Place, is_place_key
from policies.readers.values.sinks import is_sink
from policies.readers.values.stores import (
    Store,
    holds,
)
from policies.readers.values.texts import (
    VALUE_KEYS,
    Budget,
    Piece,
    arguments,
    decoded,
    is_command,
    is_quiet,
    key_of,
    pieces,
    short,
)
from policies.readers.values.words import Kind, said_in, says_nothing

SECRET = "kubernetes:core/v1:Secret"
_SOCKET = re.compile(r"unix:", re.IGNORECASE)
# No base64 and nothing else is inside a text as short as this one.
_SHORT = 15


@dataclass(frozen=True)
class Value:
    """A word that says where something is, or leads there.

    `path` is the property; `where` also names the keys inside an opened text. `key` is the nearest key. `place` is the
    place that it says; None where none can be told. `in_text`: it is part of a longer text, not alone in the property.
    `is_sink`: it is the address that records or logs are delivered to.
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
    is_sink: bool = False

    @property
    def is_abroad(self) -> bool:
        """Whether it says a place, and one outside India."""
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
        """The values of some kinds."""
        return (value for value in self.values if value.kind in kinds)


def read(resource: Resource) -> Reading:
    """What a resource says, read once for all controls."""
    return resource.once(_read)


@dataclass(frozen=True)
class _Text:
    """`command` is the whole command that a text is a word of."""

    path: Path
    keys: tuple[str, ...]
    text: str
    command: str = ""


def _read(resource: Resource) -> Reading:
    budget, values, unknowns, unread = Budget(), list[Value](), list[Unknown](), list[Path]()
    for found in _texts(resource):
        if isinstance(found, Unknown):
            unknowns.append(found)
            continue
        packed = resource.type == SECRET and found.path[:1] == ("data",)
        if len(found.text) <= _SHORT and not packed and says_nothing(found.text, found.keys):
            budget.characters -= len(found.text)
        elif not budget.spent:
            values += _values(resource.type, found, secret_text(found.text) if packed else found.text, budget)
        # Also of the text that the budget ended in, which is read in part.
        if budget.spent:
            unread.append(found.path)
    return Reading(tuple(dict.fromkeys(values)), tuple(unknowns), tuple(dict.fromkeys(unread)))


def every_leaf(resource: Resource) -> tuple[Leaf, ...]:
    """Every scalar, `Unknown` and empty block of a resource, walked once for all controls; texts are not opened."""
    return resource.once(_leaves)


def _leaves(resource: Resource) -> tuple[Leaf, ...]:
    return tuple(leaves(resource.props))


def destination_leaves(resource: Resource) -> Iterator[Leaf]:
    """The scalars and `Unknown`s of a resource, but for properties that name no destination."""
    return (leaf for leaf in every_leaf(resource) if not _is_excluded(resource.type, leaf.path))


def _is_excluded(type_: str, path: Path) -> bool:
    return any(
        names_no_destination(type_, path[: end + 1]) for end, part in enumerate(path) if isinstance(part, str)
    )


def secret_text(text: str) -> str:
    """What an entry of a Secret holds: always base64, however short."""
    return decoded(text) or short(text) or text


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
                yield from _of_command(path, keys, value)
                value = [None if isinstance(item, str) else item for item in value]
            todo.extend(((*path, index), keys, inner) for index, inner in enumerate(value))
        elif isinstance(value, Unknown):
            yield value
        elif isinstance(value, str) and value:
            yield _Text(path, keys, value)


def _of_command(path: Path, keys: tuple[str, ...], items: list[Any]) -> Iterator[_Text]:
    """The words of a list that is a command, and the flags with what follows them."""
    command = " ".join(item for item in items if isinstance(item, str))
    yield from (_Text(path, piece.keys, piece.text, command) for piece in arguments(items, keys))
    for index, item in enumerate(items):
        if isinstance(item, str) and item:
            yield _Text((*path, index), keys, item, command)


def _values(type_: str, found: _Text, text: str, budget: Budget) -> Iterator[Value]:
    sends_nothing: bool | None = None
    copied: frozenset[str] | None = None
    at = dotted(found.path)
    for piece in pieces(text, found.keys, budget):
        inner = piece.keys[len(found.keys) :]
        if inner and names_no_destination("", inner):
            continue
        in_text = piece.text != found.text
        for said in said_in(type_, piece, _about_stores(found, piece)):
            store = said.store
            if copied is None and (store or said.fetched):
                copied = only_read(found.command or decoded(text) or text)
            if said.fetched and said.fetched in (copied or ()):
                continue
            # `--account-name` is a flag of `az storage`, and of other programs that have accounts.
            if store and piece.key == "account-name" and "storage" not in (found.command or text):
                continue
            if store and sends_nothing is None:
                sends_nothing = holds(type_, found.keys).use == "none"
            if store and (said.word in (copied or ()) or sends_nothing):
                store = replace(store, use="read")
            is_delivered = said.kind == "host" and is_sink(piece.keys) and not _SOCKET.match(piece.text)
            below = dotted(inner) if inner else ""
            where = f"{at}.{below}" if at and below else at or below
            yield Value(
                said.kind,
                found.path,
                where,
                piece.key,
                said.word,
                said.place,
                said.host,
                in_text,
                store,
                is_delivered,
            )


def _about_stores(found: _Text, piece: Piece) -> tuple[str, ...]:
    """The names that say what is done with a store: a script that is loaded may write to the stores that it names."""
    if piece.text != found.text or " " in piece.text.strip():
        return piece.keys[len(found.keys) :]
    is_pair = (
        bool(found.path) and bool(piece.keys) and found.path[-1] in VALUE_KEYS and piece.key != found.path[-1]
    )
    return piece.keys[-1:] if is_pair else piece.keys


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


__all__ = [
    "Reading",
    "Value",
    "destination_leaves",
    "every_leaf",
    "is_place_key",
    "names_no_destination",
    "read",
    "secret_text",
]
