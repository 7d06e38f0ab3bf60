"""Policy documents with principals, wherever they are: in any property of any type, as a tree or as a text.

A resource policy is known by its own shape (a `Statement` that has a `Principal`), and not by the name of the property
that holds it: a provider adds such properties each month. The rules of OpenSearch Serverless have another shape (a list
of `Rules` with one `Principal`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from policies.framework.resources import Resource
from policies.framework.unknowns import Path, Unknown, dotted, first_unknown
from policies.readers.iam_documents import Statement, named_by_conditions, shuts_out
from policies.readers.values.texts import decoded, opened_tree

_PRINCIPALS = ("Principal", "NotPrincipal")
# A text is opened this often: a template in a text, with a policy in a text in it, in base64.
_MOST_OPENED = 6
_MOST_CHARACTERS = 8_000_000
_LEAST_CHARACTERS = 16
_MARKS = ("Principal", "AllowFromPublic")


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
    path: Path
    where: str
    opened: int
    value: Any


def documents(props: Any) -> Iterator[Document]:
    """Every policy document with a principal in a tree; texts are opened, and nothing recurses."""
    todo, characters = [_Node((), "", 0, props)], _MOST_CHARACTERS
    while todo:
        node = todo.pop()
        value = node.value
        if isinstance(value, dict):
            if _is_document(value):
                yield Document(node.path, node.where, value)
            todo.extend(_inside(node, key, inner) for key, inner in reversed(list(value.items())))
        elif isinstance(value, list):
            todo.extend(_inside(node, index, inner) for index, inner in reversed(list(enumerate(value))))
        elif isinstance(value, str) and node.opened < _MOST_OPENED and len(value) <= characters:
            characters -= len(value)
            inner = _opened(value)
            if inner is not None:
                todo.append(_Node(node.path, node.where, node.opened + 1, inner))


def _inside(node: _Node, key: str | int, value: Any) -> _Node:
    path = node.path if node.opened else (*node.path, key)
    step = dotted((key,))
    joined = f"{node.where}{step}" if step.startswith("[") or not node.where else f"{node.where}.{step}"
    return _Node(path, joined, node.opened, value)


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
    if len(text) < _LEAST_CHARACTERS:
        return None
    if text[0] in "{[":
        found = opened_tree(text)
    elif text[0] == '"':
        found = _unquoted(text)
    elif (plain := decoded(text)) is not None:
        found = plain
    else:
        found = opened_tree(text) if any(name in text for name in _MARKS) else None
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
