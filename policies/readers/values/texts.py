"""What is written inside a text: JSON, YAML, TOML, INI, environment files, shell, base64 and gzip of any of these.

Cloud resources carry documents as one text (container definitions, pipelines, user data, values of charts). `pieces`
opens a text, and what is in it again, into its innermost phrases, each with the keys above it: the region of an
exporter in a ConfigMap is `("exporters", "awsxray", "region")`, the one of `aws s3 sync --region x` is `("region",)`.
Comments are left out where the format has them.

Everything is bounded: a text is opened six times at most (base64 of gzip of YAML that holds JSON), and a `Budget` holds
the characters and pieces of one resource. What is beyond it is not read, and `Budget.spent` says so.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import re
import tomllib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml

MOST_OPENED = 6
# PyYAML reads some megabytes a second, and its composer recurses; larger or deeper texts are read line by line.
_MOST_YAML, _MOST_BRACKETS, _MOST_NODES = 200_000, 2_000, 100_000
_LEAST_BASE64 = 20
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_YAML_LINE = re.compile(r"^[ \t]*(?:- +)?[\"']?[\w./@-]+[\"']?:(?:[ \t]|$)", re.MULTILINE)
_TOML_LINE = re.compile(r"^[ \t]*(?:\[|[\w.\"-]+[ \t]*=)", re.MULTILINE)
# It begins with its mark, so that the search passes all other characters at once.
_COMMENT = re.compile(r"(?:#(?<!\S.)|;(?<!\S.)|//(?<!\S//))(?=\s|[A-Za-z!]).*$")
# The lookbehind and `++` make a run of characters tried once, so that a megabyte of letters takes no longer.
_ASSIGNED = re.compile(r"(?<![\w.-])([\w.-]++)[\"']?[ \t]*[=:](?!//)[ \t]*(\"[^\"]*\"|'[^']*'|[^\s,;\"']+)")
# A line that is one assignment and nothing else, as most lines of a file are.
_SETTING = re.compile(r"(- +)?(?<![\w.-])([\w.-]++)(?:=(?!//)|:[ \t]+)([^\s,;\"']+)")
# It begins with its hyphen, and looks behind that only then, so that the search passes all other characters at once.
_FLAG = re.compile(r"-(?<!\S-)-?([A-Za-z][\w-]*)[ \t]+(\"[^\"]*\"|'[^']*'|[^\s\"'-][^\s\"']*)")
# Nothing is inside a short word, for no text in base64 is shorter than sixteen characters; nor in a host, path or URL
# with a dot, which base64 has not.
_WORD = re.compile(r"[\w.-]{1,15}|(?<![\w/.-])(?:\w++://)?[\w/-]*+\.[\w./-]*+")
# Fluent Bit, nginx, HAProxy: a word, and what it is set to.
_WORD_AND_VALUE = re.compile(r"\s*([A-Za-z][\w.-]*)\s+(\S+)\s*;?\s*")
_CODE_FILES = (
    ".py", ".js", ".mjs", ".cjs", ".ts", ".go", ".java", ".kt", ".scala", ".rb", ".rs", ".cs", ".php",
)  # fmt: skip
_CODE_KEYS = frozenset({"code", "zipFile", "inlineCode", "sourceCode"})
_LITERAL = re.compile(r"(?:(?<![\w.])([\w.]+)[\"']?[ \t]*[=:][ \t]*)?(\"[^\"]*\"|'[^']*')")
# Two words of a statement: by its first alone, `export AWS_REGION=x` and `COPY . /app` would be one.
_SQL = re.compile(
    r"\s*(?:select\s+(?:\*|distinct\b|[\w.\"`()]+\s*(?:,|\bas\b|\bfrom\b|\())|with\s+\w+\s+as\s*\(|insert\s+(?:into|overwrite)\b"
    r"|create\s+(?:or\s+replace\s+)?(?:\w+\s+)?(?:table|view|schema|database|stage|function|procedure)\b|export\s+data\b"
    r"|merge\s+into\b|update\s+[\w.]+\s+set\b|delete\s+from\b|unload\s*\(|copy\s+(?:into\b|[\w.]+\s+(?:from|to)\b))",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[^\s,;\"'`()<>{}|\[\]]+")
_COMMANDS = frozenset(
    {"args", "arguments", "command", "commands", "cmd", "entrypoint", "entrypoints", "containerargs"}
)
_OF_A_CHOICE = re.compile(r"Variable|Next|Comment|(?:String|Numeric|Boolean|Timestamp|Is)\w+")
_NAME_KEYS = ("name", "Name", "key", "Key", "parameterKey", "ParameterKey", "variable")
VALUE_KEYS = ("value", "Value", "parameterValue", "ParameterValue", "values", "stringValue")


class Piece(NamedTuple):
    """A phrase, and the keys above it, the nearest last. A tuple, for one is made for every few characters."""

    keys: tuple[str, ...]
    text: str

    @property
    def key(self) -> str:
        """The nearest key above it; empty at the top."""
        return self.keys[-1] if self.keys else ""


@dataclass
class Budget:
    """What may still be read of one resource."""

    characters: int = 8_000_000
    pieces: int = 200_000

    @property
    def spent(self) -> bool:
        """Whether nothing more may be read."""
        return self.characters < 0 or self.pieces < 0


def pieces(text: str, keys: tuple[str, ...], budget: Budget) -> Iterator[Piece]:
    """Every innermost phrase of a text."""
    todo: list[tuple[tuple[str, ...], str, int]] = [(keys, text, 0)]
    while todo and budget.characters >= 0 and budget.pieces >= 0:
        above, current, depth = todo.pop()
        budget.characters -= len(current)
        inner = _opened(current, above) if depth < MOST_OPENED else None
        if inner is None:
            budget.pieces -= 1
            yield Piece(above, current)
            continue
        budget.pieces -= len(inner)
        depth += 1
        todo.extend([(keys, text, depth) for keys, text in reversed(inner)])


def phrases(tree: Any, keys: tuple[str, ...] = ()) -> Iterator[Piece]:
    """The scalars of a tree of mappings and lists as pieces; what a block itself switches off is left out."""
    todo: list[tuple[tuple[str, ...], Any]] = [(keys, tree)]
    while todo:
        above, value = todo.pop()
        if isinstance(value, dict):
            if not is_quiet(value):
                todo.extend(reversed([(above + key_of(value, key), inner) for key, inner in value.items()]))
        elif isinstance(value, list):
            if above and is_command(above[-1]):
                yield from arguments(value, above)
            todo.extend((above, inner) for inner in reversed(value))
        elif isinstance(value, str) and value:
            yield Piece(above, value)


def is_quiet(block: dict[Any, Any]) -> bool:
    """Whether a block names places without sending anything there: a Deny, a NotIn, a dashboard, what is disabled."""
    if str(block.get("Effect", "")) == "Deny" or block.get("enabled") is False:
        return True
    if str(block.get("operator", "")) in ("NotIn", "DoesNotExist", "NotEquals"):
        return True
    if str(block.get("generatedRulesType", "")) == "DENYLIST":
        return True
    if "Variable" in block and all(map(_OF_A_CHOICE.fullmatch, block)):
        return True  # a rule of a Choice state, which looks at data
    return ("panels" in block or "templating" in block or "widgets" in block) and bool(
        {"title", "schemaVersion", "widgets", "uid"} & block.keys()
    )


def arguments(items: list[Any], keys: tuple[str, ...]) -> Iterator[Piece]:
    """`["--region", "us-east-1"]` as the piece that it is: the flag, and what follows it."""
    for flag, value in itertools.pairwise(items):
        if not (isinstance(flag, str) and isinstance(value, str)) or value.startswith("-"):
            continue
        if re.fullmatch(r"--?[A-Za-z][\w.-]*", flag):
            yield Piece((*keys, flag.lstrip("-")), value)


def is_command(name: object) -> bool:
    """Whether a list of this name is a command and its arguments."""
    return str(name).lower() in _COMMANDS


def key_of(block: dict[Any, Any], key: Any) -> tuple[str, ...]:
    """The key of a value; of a pair of name and value it is the name that says what the value is."""
    if key in VALUE_KEYS:
        name = next((block[one] for one in _NAME_KEYS if isinstance(block.get(one), str)), None)
        if name:
            return (name,)
    # An account is many things; beside `type: snowflake` it is where data are loaded.
    if key == "account" and block.get("type") == "snowflake":
        return ("snowflake.account",)
    return (str(key),)


def is_sql(text: str) -> bool:
    """Whether a text is a statement: values of columns are no places of ours, stores that it writes to are."""
    return bool(_SQL.match(text))


def _opened(text: str, keys: tuple[str, ...]) -> list[Piece] | None:
    """The pieces of a text; None where it is a single phrase."""
    stripped = text.strip()
    if len(stripped) < 2 or _WORD.fullmatch(stripped) or is_sql(stripped):
        return None
    if stripped[0] in "{[" and (tree := _json(stripped)) is not None:
        return list(phrases(tree, keys))
    # The id of a deployment at Elastic is `name:` and its host in base64, in which there is no colon.
    if (plain := decoded(stripped.rpartition(":")[2])) is not None:
        return [Piece(keys, plain)]
    if "\n" in stripped:
        return _lines_or_document(stripped, keys)
    return _one_line(stripped, keys)


def tree(text: str) -> Any:
    """The mappings and lists of a text that is JSON, YAML or TOML; None of any other."""
    stripped = text.strip()
    found = _json(stripped) if stripped[:1] in ("{", "[") else None
    return _document(stripped) if found is None else found


def _document(text: str) -> Any:
    """A text that is YAML or TOML, as a tree; None of any other."""
    if text.startswith("#!"):
        return None
    found = _yaml(text)
    return _toml(text) if found is None else found


def is_code(keys: tuple[str, ...]) -> bool:
    """Whether a text under these keys is a program, whose names stand for values that only its run knows."""
    return bool(keys) and (keys[-1].endswith(_CODE_FILES) or keys[-1] in _CODE_KEYS)


def _literals(line: str, keys: tuple[str, ...]) -> Iterator[Piece]:
    """What a line of a program writes out: its texts in quotes, with the name that each is given."""
    for found in _LITERAL.finditer(_uncommented(line)):
        if literal := found[2][1:-1]:
            yield Piece((*keys, found[1]) if found[1] else keys, literal)


def _lines_or_document(text: str, keys: tuple[str, ...]) -> list[Piece]:
    if is_code(keys):
        return [piece for line in text.splitlines() for piece in _literals(line, keys)]
    document = _document(text)
    if document is not None:
        return list(phrases(document, keys))
    return [piece for line in text.splitlines() for piece in _line(line, keys)]


def _json(text: str) -> Any:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict | list) else None


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # pyright: ignore[reportGeneralTypeIssues]
    """As the safe loader, but that tags of others (`!Ref`, `!Sub`) are read for what they hold."""


def _untagged(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return node.value


_Loader.add_multi_constructor("!", _untagged)


def _yaml(text: str) -> Any:
    if len(text) > _MOST_YAML or text.count("[") + text.count("{") > _MOST_BRACKETS:
        return None
    if not _YAML_LINE.search(text):
        return None
    try:
        documents = list(yaml.load_all(text, _Loader))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, OverflowError):
        return None
    found = [one for one in documents if isinstance(one, dict | list)]
    if not found or not _is_bounded(found):
        return None
    return found[0] if len(found) == 1 else found


def _is_bounded(tree: list[Any]) -> bool:
    """Whether a document stays small when its aliases are written out: ten lines of them can stand for billions."""
    todo, left = list(tree), _MOST_NODES
    while todo and left:
        left -= 1
        value = todo.pop()
        if isinstance(value, dict | list):
            todo.extend(value.values() if isinstance(value, dict) else value)
    return not todo


def _toml(text: str) -> Any:
    if not _TOML_LINE.search(text):
        return None
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return None


def decoded(text: str) -> str | None:
    """The text in base64, of gzip too; None where it is not that, or no text comes of it."""
    packed = "".join(text.split())
    if len(packed) % 4 == 1 or not _BASE64.fullmatch(packed):
        return None
    try:
        raw = base64.b64decode(packed.replace("-", "+").replace("_", "/") + "=" * (-len(packed) % 4))
    except (binascii.Error, ValueError):
        return None
    return readable(raw)


def short(text: str) -> str | None:
    """The text in a few characters that are known to be base64, though they look like a word."""
    try:
        return readable(base64.b64decode(text, validate=True)) if len(text) < _LEAST_BASE64 else None
    except ValueError:
        return None


def readable(raw: bytes) -> str | None:
    """Bytes as the text that they are; None where they are none."""
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = zlib.decompressobj(wbits=31).decompress(raw, 4_000_000)
        except zlib.error:
            return None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return text if text and all(one.isprintable() or one in "\r\n\t" for one in text[:4096]) else None


def _uncommented(line: str) -> str:
    return _COMMENT.sub("", line) if "#" in line or "//" in line or ";" in line else line


def _line(line: str, keys: tuple[str, ...]) -> Iterator[Piece]:
    """The assignments and flags of a line of a file or script, and its other words."""
    line = _uncommented(line).strip()
    if not line:
        return
    opened = _one_line(line, keys)
    if opened is not None:
        yield from opened
    elif whole := _WORD_AND_VALUE.fullmatch(line):
        yield Piece((*keys, whole[1]), whole[2].strip("\"'"))
    else:
        yield Piece(keys, line)


def _one_line(line: str, keys: tuple[str, ...]) -> list[Piece] | None:
    """The pieces of `KEY=value --flag value word`; None where there is neither assignment nor flag."""
    if setting := _SETTING.fullmatch(line):
        made = [Piece((*keys, setting[2]), setting[3])]
        return [*made, Piece(keys, "-")] if setting[1] else made
    found = [*_FLAG.finditer(line)]
    if "=" in line or ":" in line:
        # `host:443` and `arn:aws` are no assignments.
        found += [match for match in _ASSIGNED.finditer(line) if not _is_part_of_a_word(line, match)]
    if not found:
        return None
    made = [Piece((*keys, match[1]), value) for match in found if (value := match[2].strip("\"'"))]
    at = 0
    for start, end in sorted([match.span() for match in found]):
        if start > at:
            made += [Piece(keys, word) for word in _TOKEN.findall(line, at, start)]
        at = max(at, end)
    return made + [Piece(keys, word) for word in _TOKEN.findall(line, at)] if at < len(line) else made


def _is_part_of_a_word(line: str, match: re.Match[str]) -> bool:
    """Whether a colon is inside one word (`host:443`, `image:tag`, `arn:aws:s3`), with no space on either side."""
    between = line[match.end(1) : match.start(2)]
    return ":" in between and "=" not in between and between.strip("\"'") == ":"


def tokens(text: str) -> list[str]:
    """The words of a phrase."""
    return _TOKEN.findall(text)
