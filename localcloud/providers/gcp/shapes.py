"""Checks inputs against the two models that Google's types have.

Pulumi's SDK says which fields there are, which must be given, and their types; the API's discovery document, which
ships inside google-api-python-client, says which values Google takes. The two name most fields alike; `gcp/types.yaml`
has the rest.
"""

from __future__ import annotations

import collections.abc
import importlib
import inspect
import json
import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import googleapiclient
from pulumi._types import input_type_py_to_pulumi_names, input_type_types

from localcloud.providers.gcp.table import Row, differences
from localcloud.providers.protocol import UNKNOWN, Values

Misfits = list[tuple[str, str]]
_loading = Lock()
DOCUMENTS = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
_LEAVES = {
    str: "a string", bool: "true or false", int: "a whole number", float: "a number", list: "a list", dict: "an object",
}  # fmt: skip


@cache
def document(api: str) -> dict[str, Any]:
    """The discovery document of an API, `compute.v1`."""
    return json.loads((DOCUMENTS / f"{api}.json").read_text())


@dataclass(frozen=True)
class Place:
    """Where a value goes in the API. What Pulumi has on its own has a place without a name."""

    api: str = ""
    name: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)

    @property
    def described(self) -> str:
        """The API and the schema's name, as messages show them."""
        return f"{self.api}/{self.name}"

    def find(self, name: str) -> Place | None:
        """The place of a field by Pulumi's name, or None where neither the API nor the table has it."""
        if not self.name:
            return Place()
        differing = differences(self.described)
        if name in differing:
            return self._written(differing[name])
        member = _alike(self.schema.get("properties", {}), name)
        return self.member(member) if member else None

    def member(self, name: str) -> Place:
        """The place of a member by the API's own name; `*` is any member of a map."""
        schema = self.schema["additionalProperties"] if name == "*" else self.schema["properties"][name]
        return _resolved(self.api, f"{self.name}.{name}", schema)

    def _written(self, said: Any) -> Place:
        """The place that the table gives: a path in the API, values or a pattern, or none at all."""
        if isinstance(said, str):
            place = self
            for part in said.split("."):
                place = place.member(part)
            return place
        return Place(schema={"enum": said} if isinstance(said, list) else said or {})


def top(row: Row) -> Place:
    """The place of a row's own inputs: a schema, or a part of one (`Policy.bindings`)."""
    if not row.schema:
        return Place()
    name, *parts = row.schema.split(".")
    place = _resolved(row.api, "", {"$ref": name})
    for part in parts:
        place = place.member(part)
    return place


def misfits(row: Row, inputs: Values) -> Misfits:
    """All that the two models have against these inputs, as (property path, reason)."""
    found: Misfits = []
    _check_block(args_class(row.token), top(row), inputs, "", found)
    return found


@cache
def args_class(token: str) -> type:
    """The SDK's class of a type's inputs: `gcp:compute/network:Network` is pulumi_gcp.compute.NetworkArgs."""
    module, name = token.split("/")[0].split(":")[1], token.split(":")[-1]
    # The SDK loads its modules when first used, and importlib's LazyLoader does so for one thread only (before 3.12).
    with _loading:
        return getattr(importlib.import_module(f"pulumi_gcp.{module}"), f"{name}Args")


@cache
def fields(block: type) -> dict[str, tuple[Any, bool]]:
    """The fields of a block of inputs: their types, and whether they must be given."""
    parameters = inspect.signature(block.__init__).parameters.values()
    must = {p.name for p in parameters if p.default is inspect.Parameter.empty}
    types = input_type_types(block)
    return {
        name: (types[name], python in must) for python, name in input_type_py_to_pulumi_names(block).items()
    }


def inner(kind: Any) -> tuple[str, Any]:
    """A type of the SDK as (list, map or nothing; what is in it): it allows an awaitable of everything."""
    origin = typing.get_origin(kind)
    if origin in (collections.abc.Sequence, list):
        return "list", typing.get_args(kind)[0]
    if origin in (collections.abc.Mapping, dict):
        return "map", typing.get_args(kind)[1]
    if origin is not None:  # Union[T, Awaitable[T], Output[T]]
        return inner(typing.get_args(kind)[0])
    return "", kind


def is_block(kind: Any) -> bool:
    """Whether a type of the SDK is a block with fields of its own."""
    return inspect.isclass(kind) and kind.__name__.endswith("Args")


def _check_block(block: type, place: Place, given: Values, path: str, found: Misfits) -> None:
    known = fields(block)
    for name, value in given.items():
        if name.startswith("__") or value is None:
            continue
        at = f"{path}.{name}" if path else name
        if name in known:
            _check(known[name][0], place.find(name) or Place(), value, at, found)
            continue
        near = get_close_matches(name, known, n=1)
        found.append((at, f"there is no such field{f'; did you mean {near[0]}?' if near else ''}"))
    missing = (name for name, (_, must) in known.items() if must and given.get(name) is None)
    found.extend((f"{path}.{name}" if path else name, "must be given") for name in missing)


def _check(kind: Any, place: Place, value: Any, path: str, found: Misfits) -> None:
    if value is UNKNOWN:
        return
    container, element = inner(kind)
    wanted = list if container == "list" else dict if container == "map" or is_block(element) else element
    if not _is(value, wanted):
        found.append((path, f"is {json.dumps(value)}; it must be {_LEAVES[wanted]}"))
    elif container == "list":
        for index, part in enumerate(value):
            _check(element, place, part, f"{path}[{index}]", found)
    elif container == "map":
        for key, part in value.items():
            _check(element, Place(), part, f"{path}.{key}", found)
    elif is_block(element):
        _check_block(element, place, value, path, found)
    else:
        _check_leaf(place.schema, value, path, found)


def _check_leaf(schema: Mapping[str, Any], value: Any, path: str, found: Misfits) -> None:
    allowed = schema.get("enum")
    if allowed and value not in allowed:
        told = [str(each) for each in allowed if not str(each).endswith("_UNSPECIFIED")]
        found.append((path, f"is {json.dumps(value)}; it can be {', '.join(told)}"))
    pattern = schema.get("pattern")
    if pattern and isinstance(value, str) and not re.fullmatch(pattern, value):
        found.append((path, f"is {json.dumps(value)}; Google takes {schema.get('says') or pattern}"))


def _is(value: Any, wanted: Any) -> bool:
    if wanted not in _LEAVES:  # an asset, or whatever the SDK leaves open
        return True
    if wanted is float:
        wanted = (int, float)
    return isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))


def _resolved(api: str, name: str, schema: Mapping[str, Any]) -> Place:
    """What a schema is in the end: itself, what it refers to, or what is in its list."""
    while True:
        if "$ref" in schema:
            name = schema["$ref"]
            schema = document(api)["schemas"][name]
        elif schema.get("type") == "array":
            schema = schema["items"]
        else:
            return Place(api, name, schema)


def _alike(members: Mapping[str, Any], name: str) -> str | None:
    """The member of that name, whatever its case: Pulumi also calls lists in the plural, the API seldom does."""
    if name in members:
        return name
    lower = name.lower()
    singular = lower.removesuffix("ies") + "y" if lower.endswith("ies") else lower.removesuffix("s")
    wanted = {lower, singular, lower.removesuffix("es")}
    return next((member for member in members if member.lower() in wanted), None)
