"""The expressions of the table: JMESPath, in which what is not known yet stays unknown.

Beside JMESPath's own functions: `format('{region}/{id}', @)`, `split(':', x)`, `digest(x)` (17 hex digits),
`only(list, {Name: x})` (the elements with these members), `without(list, other)` (what other lacks),
`spread(list, {Name: x})` (the elements with these members added) and `tags(list)` (a list of Key and Value as a
mapping).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from string import Formatter
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathTypeError
from jmespath.functions import Functions, signature
from jmespath.visitor import Options, TreeInterpreter

from localcloud.providers.protocol import UNKNOWN

Scope = Mapping[str, Any]


class _Functions(Functions):
    @signature({"types": ["string"]}, {"types": ["object"]})
    def _func_format(self, template, values):
        fields = [name for _, name, _, _ in Formatter().parse(template) if name]
        if any(values.get(name) is UNKNOWN for name in fields):
            return UNKNOWN
        return template.format_map({name: values[name] for name in fields})

    @signature({"types": ["string"]}, {"types": ["string"]})
    def _func_split(self, separator, text):
        return text.split(separator)

    @signature({"types": ["string"]})
    def _func_digest(self, text):
        return hashlib.sha256(text.encode()).hexdigest()[:17]

    @signature({"types": ["array", "null"]}, {"types": ["object"]})
    def _func_only(self, elements, wanted):
        members = {k: v for k, v in wanted.items() if v is not None}
        return [e for e in elements or [] if all(e.get(k) == v for k, v in members.items())]

    @signature({"types": ["array", "null"]}, {"types": ["array", "null"]})
    def _func_without(self, elements, others):
        return [e for e in elements or [] if e not in (others or [])]

    @signature({"types": ["array", "null"]}, {"types": ["object"]})
    def _func_spread(self, elements, members):
        return [e if e is UNKNOWN else {**e, **members} for e in elements or []] or None

    @signature({"types": ["array", "null"]})
    def _func_tags(self, listed):
        return {tag["Key"]: tag["Value"] for tag in listed or []}


class _Interpreter(TreeInterpreter):
    """Whatever is taken from an unknown value is unknown, and so is a comparison with one."""

    def visit(self, node, *args, **kwargs):
        if args and args[0] is UNKNOWN and node["type"] != "literal":
            return UNKNOWN
        return super().visit(node, *args, **kwargs)

    def visit_comparator(self, node, value):
        sides = [self.visit(child, value) for child in node["children"]]
        return UNKNOWN if any(side is UNKNOWN for side in sides) else super().visit_comparator(node, value)


@cache
def _parsed(expression: str) -> Any:
    return jmespath.compile(expression).parsed


def evaluate(expression: Any, scope: Scope) -> Any:
    """The value of an expression; a mapping or a list is evaluated member by member, and members without value go."""
    if isinstance(expression, Mapping):
        values = {key: evaluate(part, scope) for key, part in expression.items()}
        return {key: value for key, value in values.items() if value is not None}
    if isinstance(expression, list):
        return [evaluate(part, scope) for part in expression]
    if not isinstance(expression, str):
        return expression
    try:
        return _Interpreter(Options(custom_functions=_Functions())).visit(_parsed(expression), scope)
    except JMESPathTypeError:
        if scope.get("id") is UNKNOWN:  # a preview: a function was given what only `up` will know
            return UNKNOWN
        raise


def holds(expression: str | None, scope: Scope) -> bool:
    """Whether a condition holds; one that can't be decided yet counts as true, so that its call is checked."""
    if expression is None:
        return True
    value = evaluate(expression, scope)
    return value is UNKNOWN or value not in (None, False, "", [], {})


def strings(expression: Any) -> list[str]:
    """Every expression inside a mapping or list of them."""
    if isinstance(expression, str):
        return [expression]
    parts = expression.values() if isinstance(expression, Mapping) else expression
    if not isinstance(parts, list | tuple) and not isinstance(expression, Mapping):
        return []
    return [text for part in parts for text in strings(part)]
