"""Logging query language: whether a filter of Cloud Logging matches a log entry.

What sinks and alert policies are written in, as far as they use it: comparisons, AND, OR, NOT, parentheses and LOG_ID.
What is not understood is an error, never a mismatch. Source: Google's guide "Logging query language", read 2026-11-26:
OR binds closer than AND; comparisons next to each other are joined by AND; strings are compared without regard to case,
regular expressions with it; a comparison with a field that an entry lacks is false; of a list any member will do.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

Entry = Mapping[str, Any]
Test = Callable[[Entry], bool]

SEVERITIES = (
    "DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY",
)  # fmt: skip
# The fields of a LogEntry; a filter that names another is refused (logging.v2, LogEntry).
FIELDS = (
    "insertId", "jsonPayload", "httpRequest", "labels", "logName", "operation", "protoPayload", "receiveTimestamp",
    "resource", "severity", "sourceLocation", "spanId", "split", "textPayload", "timestamp", "trace", "traceSampled",
)  # fmt: skip
_TOKEN = re.compile(
    r"""\s+|--[^\n]*|(?P<text>"(?:[^"\\]|\\.)*")|(?P<sign><=|>=|!=|=~|!~|[=:<>()])|(?P<word>[^\s"()=<>!:~]+)"""
)
_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_COMPARISONS = (*_ORDERS, "=", "!=", ":", "=~", "!~")
# Google's regular expressions are RE2's, which have neither of these.
_NOT_RE2 = re.compile(r"\(\?[=!<]|\\[1-9]")


class FilterError(ValueError):
    """Cloud Logging would not take the filter, or this module does not know that part of the language."""


def matches(filter: str, entry: Entry) -> bool:
    """Whether an entry, as the API's JSON has it, matches. An empty filter matches every entry.

    Raises:
        FilterError: the filter is malformed, names no field of a log entry, or uses more of the language than is here.
    """
    return _compiled(filter)(entry)


@cache
def _compiled(filter: str) -> Test:
    parser = _Parser(list(_tokens(filter)))
    if parser.peek() is None:
        return lambda entry: True
    test = parser.conjunction()
    if (left := parser.peek()) is not None:
        raise FilterError(f"{left.text} comes where nothing can in {filter}")
    return test


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str

    def __str__(self) -> str:
        return self.text


def _tokens(filter: str) -> Iterator[_Token]:
    at = 0
    while at < len(filter):
        found = _TOKEN.match(filter, at)
        if found is None:
            raise FilterError(f"{filter[at:]} can't be read")
        at = found.end()
        if found.lastgroup:
            yield _Token(found.lastgroup, found[found.lastgroup])


class _Parser:
    """Recursive descent: each method reads one rule of the grammar and returns its test."""

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens, self._at = tokens, 0

    def peek(self, ahead: int = 0) -> _Token | None:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else None

    def conjunction(self) -> Test:
        tests = [self._disjunction()]
        while (token := self.peek()) is not None and token.text != ")":
            self._take("AND")
            tests.append(self._disjunction())
        return lambda entry: all(test(entry) for test in tests)

    def _disjunction(self) -> Test:
        tests = [self._negation()]
        while self._take("OR"):
            tests.append(self._negation())
        return lambda entry: any(test(entry) for test in tests)

    def _negation(self) -> Test:
        if self._take("NOT"):
            test = self._negation()
            return lambda entry: not test(entry)
        if not self._take("("):
            return self._comparison()
        test = self.conjunction()
        self._expect(")")
        return test

    def _comparison(self) -> Test:
        name = self._next()
        if name.text == "LOG_ID":
            return self._log_id()
        path = self._path(name)
        sign = self._next()
        if sign.kind != "sign" or sign.text not in _COMPARISONS:
            raise FilterError(f"after {name}: one of {' '.join(_COMPARISONS)}, not {sign}")
        return self._value(path, sign.text)

    def _path(self, name: _Token) -> Sequence[str]:
        """A field's parts; one that holds dots is in quotes: labels."k8s-pod/app.kubernetes.io"."""
        if name.kind == "text":
            raise FilterError(f"{name} is a search of every field: name the field")
        text = name.text
        while text.endswith(".") and (quoted := self.peek()) is not None and quoted.kind == "text":
            text += self._next().text
        parts = [_unquoted(part) for part in re.findall(r'"(?:[^"\\]|\\.)*"|[^."]+', text)]
        if not parts or parts[0] not in FIELDS:
            raise FilterError(f"{name}: log entries have the fields {', '.join(FIELDS)}")
        return parts

    def _value(self, path: Sequence[str], sign: str) -> Test:
        if not self._take("("):
            return _compare(path, sign, self._next())
        tests, joined = [self._value(path, sign)], None
        while not self._take(")"):
            word = self._next().text
            if word not in ("AND", "OR") or joined not in (None, word):
                raise FilterError(f"values of {'.'.join(path)} are joined by AND or by OR, not by {word}")
            joined = word
            tests.append(self._value(path, sign))
        every = all if joined == "AND" else any
        return lambda entry: every(test(entry) for test in tests)

    def _log_id(self) -> Test:
        self._expect("(")
        wanted = _unquoted(self._next().text).replace("/", "%2F").casefold()
        self._expect(")")
        return lambda entry: str(entry.get("logName", "")).rpartition("/logs/")[2].casefold() == wanted

    def _next(self) -> _Token:
        token = self.peek()
        if token is None:
            raise FilterError("the filter ends too early")
        self._at += 1
        return token

    def _take(self, text: str) -> bool:
        token = self.peek()
        taken = token is not None and token.kind != "text" and token.text == text
        self._at += taken
        return taken

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise FilterError(f"{text} is missing before {self.peek() or 'the end'}")


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text


def _compare(path: Sequence[str], sign: str, value: _Token) -> Test:
    if value.kind == "sign":
        raise FilterError(f"{'.'.join(path)}{sign} has no value")
    # In an expression a backslash is the expression's own.
    as_written = sign in ("=~", "!~") and value.kind == "text"
    wanted = value.text[1:-1].replace('\\"', '"') if as_written else _unquoted(value.text)
    if path == ["severity"]:
        return _severity(sign, wanted)
    if sign == ":" and value.kind == "word" and wanted == "*":
        return lambda entry: next(_found(entry, path), None) is not None
    test = _one(sign, wanted)
    return lambda entry: any(test(value) for value in _found(entry, path))


def _severity(sign: str, wanted: str) -> Test:
    """Severities have an order, and an entry without one has the lowest."""
    if wanted.upper() not in SEVERITIES or sign in ("=~", "!~"):
        raise FilterError(f"severity{sign}{wanted}: severities are {', '.join(SEVERITIES)}")
    rank, sign = SEVERITIES.index(wanted.upper()), "=" if sign == ":" else sign
    orders = {**_ORDERS, "=": operator.eq, "!=": operator.ne}
    return lambda entry: orders[sign](SEVERITIES.index(str(entry.get("severity", "DEFAULT")).upper()), rank)


def _found(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """Every value at a path; each member of a list on the way is followed."""
    if isinstance(value, list):
        for member in value:
            yield from _found(member, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _found(value[path[0]], path[1:])


def _one(sign: str, wanted: str) -> Callable[[Any], bool]:
    if sign in ("=~", "!~"):
        return _expression(sign, wanted)
    folded = wanted.casefold()
    if sign == ":":
        return lambda value: folded in _text(value)
    if sign in ("=", "!="):
        return lambda value: (_text(value) == folded) is (sign == "=")
    return lambda value: _ORDERS[sign](*_alike(value, folded))


def _expression(sign: str, wanted: str) -> Callable[[Any], bool]:
    try:
        expression = re.compile(wanted)
    except re.error as wrong:
        raise FilterError(f"{wanted}: {wrong}") from wrong
    if _NOT_RE2.search(wanted):
        raise FilterError(f"{wanted}: RE2 has no lookaround and no back-references")
    return lambda value: bool(expression.search(str(value))) is (sign == "=~")


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        raise FilterError("a field that holds other fields is compared with a value: name one of them")
    return str(value).casefold()


def _alike(value: Any, wanted: str) -> tuple[Any, Any]:
    """Both as numbers where the entry has one, else both as texts, as which times sort too."""
    if not isinstance(value, int | float):
        return _text(value), wanted
    try:
        return float(value), float(wanted)
    except ValueError:
        raise FilterError(f"{wanted} is compared with a number") from None
