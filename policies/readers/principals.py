"""Policy documents with principals, wherever they are: in any property of any type, as a tree or as a text.

A resource policy is known by its own shape (a `Statement` that has a `Principal`), and not by the name of the property
that holds it: a provider adds such properties each month. The rules of OpenSearch Serverless have another shape (a list
of `Rules` with one `Principal`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from policies.framework.resources import Resource
from policies.framework.unknowns import Path, Unknown, dotted, first_unknown
from policies.readers.iam_documents import Statement, named_by_conditions, shuts_out
from policies.readers.values.texts import decoded, tree

_PRINCIPALS = ("Principal", "NotPrincipal")
# A text is opened this often: a template in a text, with a policy in a text in it, in base64.
_MOST_OPENED = 6
_MOST_CHARACTERS = 8_000_000
_LEAST_CHARACTERS = 16
_MARKS = ("Principal", "AllowFromPublic")
# No policy is shorter in base64; the lookbehind makes each run tried once.
_ENCODED = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{64}")


@dataclass(frozen=True)
class Grant:
    """What one statement or rule allows: to whom, and where that is written. `is_open`: to everybody."""

    path: Path
    where: str
    principals: tuple[str, ...]
    is_open: bool
    written: Any


def grants(resource: Resource) -> tuple[Grant | Unknown, ...]:
    """What every policy document in a resource allows, read once for all controls."""
    return resource.once(_read)


def _read(resource: Resource) -> tuple[Grant | Unknown, ...]:
    return tuple(grant for holder in documents(resource.props) for grant in _allowed(holder))


@dataclass(frozen=True)
class Document:
    """A document, or one list of rules: its body, the property that holds it, and where in that it is."""

    path: Path
    where: str
    body: dict[str, Any]


@dataclass(frozen=True)
class _Node:
    """A value on the way, with the key that leads to it. `opened`: how many texts were opened to get there."""

    value: Any
    parent: _Node | None = None
    key: str | int | None = None
    opened: int = 0

    def paths(self) -> tuple[Path, Path]:
        """The path of the property, and the one that goes on inside opened texts."""
        outer: list[str | int] = []
        whole: list[str | int] = []
        node: _Node | None = self
        while node is not None:
            if node.key is not None:
                whole.append(node.key)
                if not node.opened:
                    outer.append(node.key)
            node = node.parent
        return tuple(reversed(outer)), tuple(reversed(whole))


def documents(props: Any) -> Iterator[Document]:
    """Every policy document with a principal in a tree; texts are opened, and nothing recurses."""
    todo, characters = [_Node(props)], _MOST_CHARACTERS
    while todo:
        node = todo.pop()
        value = node.value
        if isinstance(value, dict):
            if _is_document(value):
                path, whole = node.paths()
                yield Document(path, dotted(whole), value)
            todo.extend(
                _Node(inner, node, str(key), node.opened)
                for key, inner in reversed(value.items())
                if _may_hold_one(inner)
            )
        elif isinstance(value, list):
            inside = reversed([pair for pair in enumerate(value) if _may_hold_one(pair[1])])
            todo.extend(_Node(inner, node, index, node.opened) for index, inner in inside)
        elif isinstance(value, str) and node.opened < _MOST_OPENED and len(value) <= characters:
            characters -= len(value)
            inner = _opened(value)
            if inner is not None:
                todo.append(_Node(inner, node, None, node.opened + 1))


def _may_hold_one(value: Any) -> bool:
    """Whether a document may be in a value: numbers and short texts are most of what there is."""
    return len(value) >= _LEAST_CHARACTERS if isinstance(value, str) else isinstance(value, dict | list)


def _is_document(body: dict[str, Any]) -> bool:
    if "Rules" in body:
        return "Principal" in body or "AllowFromPublic" in body
    held = body.get("Statement")
    return any(
        isinstance(one, dict) and any(name in one for name in _PRINCIPALS)
        for one in (held if isinstance(held, list) else [held])
    )


def _opened(text: str) -> Any:
    """What a text is made of, where there may be a policy in it: a tree, or the text that it encodes.

    YAML is read only where the words of a policy are in it: it is slow, and most texts are no policies.
    """
    text = text.strip()
    if len(text) < _LEAST_CHARACTERS or not (any(name in text for name in _MARKS) or _ENCODED.search(text)):
        return None
    if text[0] in "{[":
        found = tree(text)
    elif text[0] == '"':
        found = _unquoted(text)
    elif (plain := decoded(text)) is not None:
        found = plain
    else:
        found = tree(text) if any(name in text for name in _MARKS) else None
    return found


def _unquoted(text: str) -> str | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, str) else None


def _allowed(document: Document) -> Iterator[Grant | Unknown]:
    if "Rules" in document.body:
        yield from _rules(document)
        return
    held = document.body.get("Statement")
    bodies = held if isinstance(held, list) else [held]
    read = [
        Statement(f"{document.where}.Statement{f'[{index}]' if bodies is held else ''}".lstrip("."), body)
        for index, body in enumerate(bodies)
        if isinstance(body, dict)
    ]
    denials = [one for one in read if one.body.get("Effect") == "Deny"]
    for statement in read:
        yield from _granted(document, statement, denials)


def _granted(document: Document, statement: Statement, denials: list[Statement]) -> Iterator[Grant | Unknown]:
    name = "NotPrincipal" if "NotPrincipal" in statement.body else "Principal"
    written = statement.body.get(name)
    if unknown := first_unknown([statement.body.get("Effect"), written]):
        yield unknown
        return
    if not statement.allows or written is None:
        return
    named, is_open = tuple(statement.principals()), statement.is_for_everybody
    if is_open and (statement.is_narrowed or any(shuts_out(one, statement) for one in denials)):
        named, is_open = tuple(named_by_conditions(statement)), False
    elif is_open and (unknown := first_unknown([one.body for one in (statement, *denials)])):
        yield unknown
        return
    yield Grant(document.path, f"{statement.at}.{name}", named, is_open, written)


def _rules(document: Document) -> Iterator[Grant]:
    """The rules of OpenSearch Serverless: data access names principals, a network policy may let in everybody."""
    principal = document.body.get("Principal")
    named = tuple(
        one for one in (principal if isinstance(principal, list) else [principal]) if isinstance(one, str)
    )
    where = f"{document.where}.Principal"
    if named:
        yield Grant(document.path, where, named, "*" in named, principal)
    if document.body.get("AllowFromPublic") is True:
        yield Grant(document.path, f"{document.where}.AllowFromPublic", (), True, True)
