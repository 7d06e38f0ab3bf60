"""The table of the AWS types that the local cloud has: `aws/types.yaml`, read row by row.

What can't be changed in place is not ours to say: `aws/replaced.csv` has it as the real provider does.
"""

from __future__ import annotations

import csv
import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from localcloud.directories import PROJECT
from localcloud.providers.aws.expressions import holds, strings
from localcloud.providers.protocol import UNKNOWN, Values, differs

FILE = Path(__file__).with_name("types.yaml")
REPLACED = Path(__file__).with_name("replaced.csv")
EVERY_OTHER = "*"
_INPUT = re.compile(r"\binputs\.(\w+)")


class TableError(Exception):
    """A row of the table is wrong."""


class UnknownTypeError(Exception):
    """The table has no row for a Pulumi type or function."""


@dataclass(frozen=True)
class Call:
    """One call of the AWS API, and how its parameters and its answer are used."""

    service: str
    operation: str
    params: Mapping[str, Any] = field(default_factory=dict)
    takes: bool = False  # whether it takes, beside `params`, every input that its shape has a member for
    inside: str = ""  # the member that holds the inputs for which the top level has none
    on: tuple[str, ...] = ()  # the inputs whose change calls it
    when: str | None = None
    each: Mapping[str, Any] | None = (
        None  # a call to list with, and `items`: this call is made for each `item`
    )
    where: str = "answer"
    as_name: str = ""
    kept: bool = False  # moto has no such operation: the call is checked, its parameters are kept
    forgives: str = ""  # the code of a refusal that counts as done

    @property
    def expressions(self) -> list[str]:
        """Every JMESPath expression in it."""
        return [*strings(self.params), self.when or "", *strings(self.each or {})]


@dataclass(frozen=True)
class Row:
    """How the local cloud makes, sees, changes and removes resources of one Pulumi type."""

    token: str
    service: str
    id: str
    create: tuple[Call, ...]
    set: tuple[Call, ...]
    read: tuple[Call, ...]
    update: tuple[Call, ...]
    delete: tuple[Call, ...]
    needs: tuple[Call, ...]
    tagging: tuple[Call, ...]
    names: Mapping[str, str]
    outputs: Mapping[str, str | None]
    observe: Mapping[str, str]
    remember: Mapping[str, Any]
    local: frozenset[str]
    replaced: frozenset[
        str
    ]  # what makes a new resource whenever it changes; a path where it is inside a property
    replaced_when: Mapping[str, str]  # what does so when an expression holds
    differs: Mapping[str, str]  # what AWS changes in place and the local cloud replaces, with the reason
    moves: frozenset[str]
    autoname: tuple[str, str]  # the property to fill when the program gives none, and how its value looks
    kept: bool
    regional: bool
    taggable: bool
    delete_first: bool
    side_effects: str | None

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every call of the row, whatever it is for."""
        steps = (self.create, self.set, self.read, self.update, self.delete, self.needs, self.tagging)
        return tuple(call for step in steps for call in step)

    @property
    def mentioned(self) -> frozenset[str]:
        """The inputs that the row's expressions use."""
        acting = (*self.create, *self.set, *self.update, *self.delete)
        texts = [self.id, *(text for call in acting for text in call.expressions)]
        return frozenset(name for text in texts for name in _INPUT.findall(text))

    def triggered(self, changed: set[str]) -> list[Call]:
        """The calls that bring a change about."""
        rest = changed - self._named - self.replaced - self.local - {"tags"}
        calls = (*self.update, *self.set)
        return [call for call in calls if changed & set(call.on) or (EVERY_OTHER in call.on and rest)]

    def replaced_by(self, changed: list[str], old: Values, new: Values) -> list[str]:
        """The changes that make a new resource."""
        return [name for name in changed if self._replaces(name, old, new)]

    def unknown_updates(self, changed: list[str]) -> list[str]:
        """The changes that AWS makes in place by a call that this row does not have."""
        if EVERY_OTHER in self._named:
            return []
        inside = {path.partition(".")[0] for path in self.replaced}
        known = self._named | self.local | inside | self.differs.keys() | self.replaced_when.keys()
        return [name for name in changed if name not in known and not (name == "tags" and self.taggable)]

    @property
    def _named(self) -> set[str]:
        """The inputs that have an update of their own."""
        return {name for call in (*self.set, *self.update) for name in call.on}

    def _replaces(self, name: str, old: Values, new: Values) -> bool:
        if name in self.replaced or name in self.differs:
            return True
        if name in self.replaced_when:
            return holds(self.replaced_when[name], {"inputs": new, "old": old})
        paths = (path for path in self.replaced if path.startswith(f"{name}."))
        return any(differs(_at(old, path), _at(new, path)) for path in paths)


_CALL_KEYS = {
    "service",
    "call",
    "params",
    "takes",
    "inside",
    "for",
    "when",
    "each",
    "where",
    "as",
    "kept",
    "forgives",
}
_STEPS = {"create", "put", "set", "read", "update", "delete", "needs"}
_ROW_KEYS = _STEPS | {
    "service", "id", "names", "outputs", "observe", "remember", "local", "replaced_when", "differs", "moves",
    "autoname", "kept", "tags", "delete_first", "side_effects", "tagging",
}  # fmt: skip


@cache
def _content() -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(FILE.read_text(), loader)


@cache
def _replaced() -> Mapping[str, frozenset[str]]:
    """The properties of each type that always make a new resource; those that do sometimes, the rows have."""
    found: dict[str, set[str]] = {}
    with REPLACED.open(newline="") as file:
        for line in csv.DictReader(file):
            if line["how"] == "always":
                found.setdefault(line["type"], set()).add(line["property"])
    return {token: frozenset(names) for token, names in found.items()}


def tokens() -> list[str]:
    """The Pulumi types of the table."""
    return list(_content()["types"])


@cache
def row(token: str) -> Row:
    """The row of a Pulumi type. Raises UnknownTypeError when there is none."""
    content = _content()
    if token not in content["types"]:
        raise UnknownTypeError(
            f"{token} is not in the local cloud: add a row for it to {FILE.relative_to(PROJECT)}"
        )
    written = content["types"][token]
    if unknown := set(written) - _ROW_KEYS:
        raise TableError(f"{FILE.name}: {token}: no such key: {', '.join(sorted(unknown))}")
    return _row(token, written, content["services"].get(written["service"]) or {})


@cache
def invoke(token: str) -> Mapping[str, Any]:
    """The row of a function: `service`, `call` and `params` when it calls AWS, `args` it takes, `outputs`."""
    functions = _content()["functions"]
    if token not in functions:
        raise UnknownTypeError(
            f"{token} is not in the local cloud: add a row for it to {FILE.relative_to(PROJECT)}"
        )
    return functions[token]


def kept_types() -> dict[str, list[str]]:
    """The types of which an operation is checked and kept instead of carried out, with those operations."""
    kept = {token: sorted({call.operation for call in row(token).calls if call.kept}) for token in tokens()}
    return {token: operations for token, operations in kept.items() if operations}


def _row(token: str, written: dict[str, Any], service: dict[str, Any]) -> Row:
    kept = bool(written.get("kept"))
    steps = {name: _calls(token, written, name, kept) for name in _STEPS}
    tags = written.get("tags")
    create = (*steps["create"], *steps["put"])
    update = (*steps["update"], *(dataclasses.replace(call, on=(EVERY_OTHER,)) for call in steps["put"]))
    name, pattern = next(iter(written.get("autoname", {}).items()), ("", ""))
    return Row(
        token=token,
        service=written["service"],
        id=written["id"],
        create=_with_tags(create, tags),
        set=steps["set"],
        read=steps["read"],
        update=update,
        delete=steps["delete"],
        needs=tuple(_call(token, c, written["service"], False) for c in _list(written.get("needs"))),
        tagging=_tagging(token, written, service, kept) if tags else (),
        names=written.get("names", {}),
        outputs=written.get("outputs", {}),
        observe=written.get("observe", {}),
        remember=written.get("remember", {}),
        local=frozenset(written.get("local", ())),
        replaced=_replaced().get(token, frozenset()),
        replaced_when=written.get("replaced_when", {}),
        differs=written.get("differs", {}),
        moves=frozenset(written.get("moves", ())),
        autoname=(name, pattern),
        kept=kept,
        regional=service.get("regional", True),
        taggable=bool(tags),
        delete_first=bool(written.get("delete_first")),
        side_effects=written.get("side_effects"),
    )


def _tagging(token: str, written: dict[str, Any], service: dict[str, Any], kept: bool) -> tuple[Call, ...]:
    calls = written.get("tagging") or service.get("tagging")
    if not calls:
        raise TableError(f"{FILE.name}: {token}: has tags, but neither it nor its service says how to tag")
    return tuple(_call(token, call, written["service"], kept) for call in calls)


def _with_tags(create: tuple[Call, ...], tags: Any) -> tuple[Call, ...]:
    """EC2 takes the tags of a new resource under its own name for the kind of resource: `tags: vpc`."""
    if not isinstance(tags, str):
        return create
    specified = f"inputs.tags && [{{ResourceType: '{tags}', Tags: inputs.tags}}]"
    first, *rest = create
    params = {**first.params, "TagSpecifications": specified}
    return (dataclasses.replace(first, params=params), *rest)


def _calls(token: str, written: dict[str, Any], step: str, kept: bool) -> tuple[Call, ...]:
    calls = [_call(token, call, written["service"], kept) for call in _list(written.get(step))]
    if step in ("create", "put") and calls and "takes" not in _first(written[step]):
        calls[0] = dataclasses.replace(calls[0], takes=True)
    return tuple(calls)


def _first(step: Any) -> Any:
    return step[0] if isinstance(step, list) else step


def _list(step: Any) -> list[Any]:
    if step is None:
        return []
    return step if isinstance(step, list) else [step]


def _call(token: str, written: Any, service: str, kept: bool) -> Call:
    if isinstance(written, str):
        return Call(service, written, kept=kept)
    if unknown := set(written) - _CALL_KEYS:
        raise TableError(f"{FILE.name}: {token}: {written.get('call')}: no such key: {', '.join(unknown)}")
    on = written.get("for", ())
    return Call(
        service=written.get("service", service),
        operation=written["call"],
        params=written.get("params", {}),
        takes=written.get("takes", False),
        inside=written.get("inside", ""),
        on=(on,) if isinstance(on, str) else tuple(on),
        when=written.get("when"),
        each=written.get("each"),
        where=written.get("where", "answer"),
        as_name=written.get("as", ""),
        kept=written.get("kept", kept),
        forgives=written.get("forgives", ""),
    )


def _at(value: Any, path: str) -> Any:
    """The value at a dotted path, of each element where there is a list; unknown when something on the way is."""
    if value is UNKNOWN or not path:
        return value
    if isinstance(value, list):
        return [_at(element, path) for element in value]
    name, _, rest = path.partition(".")
    return _at(value.get(name), rest) if isinstance(value, Mapping) else None
