"""Reads stack files (`Pulumi.<stack>.yaml`): the settings of a stack, or one sentence with the file and the line.

Scalars are read as Pulumi reads them, by YAML 1.2: `no` and `1:30` are texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from infra.spelling import nearest

ROOT, PROJECT = Path(__file__).resolve().parents[1], "india-ai-infra"
# Aliases may repeat what they name: a few lines of them stand for more than any memory holds.
_MOST_NODES, _DEEPEST = 100_000, 100
_BOOL, _INT = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:int"
# What a scalar's constructor raises for a text that its tag does not fit: `!!int x`, `2026-13-45`.
_MISFITS = (ValueError, KeyError, AttributeError, TypeError, OverflowError, IndexError)


class StackFileError(ValueError):
    """A stack file is missing or is no stack file; the message says which line, and what is needed there."""

    def __init__(self, file: Path, wrong: str, line: int | None = None) -> None:
        super().__init__(f"{file.name}{f':{line}' if line else ''}: {wrong}")


class _Misread(yaml.MarkedYAMLError):
    """A node of YAML that says nothing a stack could mean; `problem` is the whole sentence."""

    def __init__(self, problem: str, node: yaml.Node) -> None:
        super().__init__(problem=problem, problem_mark=node.start_mark)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, with the booleans and integers of YAML 1.2, and no key twice."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except _MISFITS as error:
            kind = node.tag.rpartition(":")[2]
            raise _Misread(f"this can't be read as {kind} ({error})", node) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        keys = [key for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
        for key in keys:
            if not isinstance(key, yaml.ScalarNode):
                raise _Misread("a key that is no text", key)
            if (key.tag, key.value) in seen:
                raise _Misread(f"the key {key.value} is there twice", key)
            seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in (_BOOL, _INT)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver(_INT, re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))


def file_of(stack: str, folder: Path = ROOT) -> Path:
    """The file of a stack.

    Raises:
        StackFileError: there is none; it names those that there are, and the nearest.
    """
    file = folder / f"Pulumi.{stack}.yaml"
    known = sorted(found.name.split(".")[1] for found in folder.glob("Pulumi.*.yaml"))
    if stack not in known:
        near = nearest(stack, known)
        hint = f"; the nearest is {near}" if near else ""
        raise StackFileError(
            file, f"there is no such file, so no stack {stack}; stacks are {', '.join(known)}{hint}"
        )
    return file


def settings_in(file: Path, project: str = PROJECT) -> dict[str, Any]:
    """What a stack file says of a project, by the names of its settings.

    Raises:
        StackFileError: it can't be read, or has no settings of the project.
    """
    config = read(file).get("config")
    needed = f"`config:` and, indented below it, settings such as `{project}:owner: ml-platform`"
    if not config:
        raise StackFileError(file, f"there are no settings in it; needed are {needed}")
    keys = {key: key if ":" in key else f"{project}:{key}" for key in config}
    ours = {
        whole.removeprefix(f"{project}:"): config[key]
        for key, whole in keys.items()
        if whole.startswith(f"{project}:")
    }
    if not ours:
        others = ", ".join(sorted({key.partition(":")[0] for key in keys.values()}))
        raise StackFileError(file, f"its settings are of {others}; needed are {needed}")
    return ours


def read(file: Path) -> dict[str, Any]:
    """All of a stack file: `config` is a mapping or nothing, and its keys are texts.

    Raises:
        StackFileError: it can't be read, or is no stack file.
    """
    node, values = _read(file)
    if node is None or values is None:
        raise StackFileError(file, "the file is empty; a stack file begins with `config:`")
    if not isinstance(node, yaml.MappingNode):
        raise StackFileError(file, f"{_kind(node)} where `config:` is needed", _line(node))
    _only_texts(file, node)
    config = next((value for key, value in node.value if key.value == "config"), None)
    if config is None or values["config"] is None:
        return values
    if not isinstance(config, yaml.MappingNode):
        raise StackFileError(file, f"`config` is {_kind(config)}, and settings are needed", _line(config))
    _only_texts(file, config)
    return values


def read_yaml(file: Path) -> Any:
    """What a YAML file says, for a file that is no stack's.

    Raises:
        StackFileError: it can't be read, or is not YAML.
    """
    return _read(file)[1]


def _read(file: Path) -> tuple[yaml.Node | None, Any]:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise StackFileError(file, f"it can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise StackFileError(file, "this is not UTF-8, the only encoding of stack files", line) from None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None, None
        _bounded(file, node)
        return node, loader.construct_document(node)
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise StackFileError(file, f"the character U+{error.character:04X} is not YAML", line) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise StackFileError(file, _problem(error), mark.line + 1 if mark else None) from None
    except RecursionError:
        raise StackFileError(file, f"it is nested deeper than {_DEEPEST} levels") from None
    except _MISFITS as error:
        raise StackFileError(file, f"it can't be read as YAML ({error})") from None


def _problem(error: yaml.MarkedYAMLError) -> str:
    """PyYAML's words, in a sentence that says what to look at."""
    if isinstance(error, _Misread):
        return str(error.problem)
    reason = " ".join(" ".join(filter(None, (error.context, error.problem))).split())
    if r"'\t'" in reason:
        return "a tab: YAML is indented with spaces"
    return f"this is not YAML ({reason})"


def _bounded(file: Path, top: yaml.Node) -> None:
    """Refuse what aliases make endless, or larger than any stack."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node, above: tuple[int, ...]) -> int:
        if id(node) in above:
            raise StackFileError(file, "an alias (*) that is inside what it names has no end", _line(node))
        if len(above) > _DEEPEST:
            raise StackFileError(file, f"it is nested deeper than {_DEEPEST} levels", _line(node))
        if id(node) not in sizes:
            sizes[id(node)] = 1 + sum(size(inner, (*above, id(node))) for inner in _inside(node))
        return sizes[id(node)]

    if size(top, ()) > _MOST_NODES:
        raise StackFileError(file, f"with its aliases (*) it holds more than {_MOST_NODES:,} values")


def _inside(node: yaml.Node) -> Iterable[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return (part for pair in node.value for part in pair)
    return node.value if isinstance(node, yaml.SequenceNode) else ()


def _only_texts(file: Path, node: yaml.MappingNode) -> None:
    for key in _not_texts(node):
        raise StackFileError(
            file, "a key that is no text; put it in quotes if it is meant as one", _line(key)
        )


def _not_texts(node: yaml.MappingNode) -> Iterator[yaml.Node]:
    texts = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")
    return (key for key, _ in node.value if not isinstance(key, yaml.ScalarNode) or key.tag not in texts)


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return "settings" if isinstance(node, yaml.MappingNode) else f"the text {node.value[:40]!r}"


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1
