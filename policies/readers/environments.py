"""The settings of programs, in a resource of any type: variables of containers, functions, jobs, scripts, files.

Nothing here looks for a type. An `Environment` is one program's: the variables that one block has (`environment` and
`secrets` of a container definition, `envs` of Cloud Run, `environment.variables` of Lambda), or that one script or
file sets. Texts are opened, so that a container inside the JSON of a task definition is a container too. Two blocks
are never mixed: the address that one container has says nothing of the key that another has.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policies.framework.unknowns import Path, Unknown, dotted, each
from policies.readers.scripts import commands
from policies.readers.values.reading import names_no_destination
from policies.readers.values.texts import MOST_OPENED, Budget, decoded, is_quiet, tree

# Names of properties that hold variables, without capitals and underscores.
_NAMES = frozenset(
    {
        "env", "envs", "environment", "environments", "environmentvariables", "environmentvars", "envvariables",
        "envvars", "extraenv", "extraenvs", "extraenvvars", "runtimeenvironmentvariables", "runtimeenvironmentsecrets",
        "secretenv", "secretenvs", "secretenvironmentvariables", "secrets", "variables", "secretvariables",
        "encryptedvariables", "parameterstore", "secretsmanager", "containerenv", "containerenvvars",
        "exportedvariables", "buildenvironmentvariables", "dockerenv", "sparkenvvars", "userenvvars",
    }
)  # fmt: skip
_ELSEWHERE = ("envFrom", "extraEnvFrom", "environmentFiles", "envFile", "env_file")
_IMAGE = ("image", "imageUri", "imageIdentifier", "containerImage", "imageName")
_LISTS_OF_COMMANDS = frozenset({"args", "command", "commands", "cmd", "entryPoint", "entrypoint", "runcmd"})
_VARIABLE = re.compile(r"[A-Za-z_][\w.-]{0,200}")
# A key of this shape is a variable wherever it is: charts and operators have names of their own for the block.
_CAPITALS = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_NAME_KEYS = ("name", "Name", "key", "Key", "variable", "envName")
_ENTRIES = ("data", "stringData", "binaryData")
_CONFIG = ("kubernetes:core/v1:ConfigMap", "kubernetes:core/v1:Secret")
_NOT_TOLD = frozenset({"metadata", "status", "apiVersion", "kind"})
# Stores of keys, which are no programs; a schema's texts are its documentation.
_NO_PROGRAMS = (
    *("kubernetes:core/v1:Secret", "kubernetes:apiextensions.k8s.io/", "kubernetes:external-secrets.io/"),
    *("aws:secretsmanager/", "aws:ssm/parameter:", "gcp:secretmanager/", "gcp:parametermanager/"),
)


@dataclass(frozen=True)
class Variable:
    """`value` is what is written; None where it is kept elsewhere (`valueFrom`, a secret's name).

    `path` is the property, `where` also names the keys inside an opened text.
    """

    path: Path
    where: str
    name: str
    value: Any
    is_set: bool = True


@dataclass(frozen=True)
class Environment:
    """The variables of one program. `outer` are those of all programs of the same job, `elsewhere` files and maps that
    are not shown here."""

    path: Path
    where: str
    block: Mapping[str, Any]
    variables: tuple[Variable, ...]
    outer: tuple[Variable, ...] = ()
    elsewhere: tuple[Path, Any] | None = None

    def get(self, name: str) -> Variable | None:
        """A variable that is set, by its name; empty is not set."""
        return self._set.get(name)

    @functools.cached_property
    def _set(self) -> dict[str, Variable]:
        return {one.name: one for one in (*reversed(self.outer), *reversed(self.variables)) if one.is_set}

    def says(self, setting: str) -> bool:
        """Whether `NAME=value` is set here, in whatever case the value is written."""
        name, _, value = setting.partition("=")
        found = self.get(name)
        return found is not None and str(found.value).lower() == value.lower()

    @property
    def image(self) -> tuple[str, str] | None:
        """The image of the container, and where it is named; charts split it in two."""
        for name in _IMAGE:
            image = self.block.get(name)
            if isinstance(image, dict):
                image = image.get("repository")
            if isinstance(image, str) and image:
                return image, join(self.where, name)
        return None


@dataclass(frozen=True)
class Block:
    """A mapping of a resource, or of a text inside it, with the keys inside the text."""

    path: Path
    inner: Path
    value: Mapping[str, Any]
    outer: tuple[Variable, ...] = ()

    @property
    def where(self) -> str:
        """Its path in the resource, and on into the text that it is in."""
        return join(dotted(self.path), dotted(self.inner))


@dataclass(frozen=True)
class Text:
    """A text that is no document: a script, a file of variables, a configuration in a format of its own."""

    path: Path
    inner: Path
    text: str
    outer: tuple[Variable, ...] = ()

    @property
    def where(self) -> str:
        """Its path in the resource, and on into the text that it is in."""
        return join(dotted(self.path), dotted(self.inner))


def join(where: str, inner: str) -> str:
    """`containerDefinitions[0].image`: where something is inside an opened text."""
    return where + inner if inner.startswith("[") else ".".join(filter(None, (where, inner)))


def holds_programs(type_: str) -> bool:
    """Whether resources of a type may hold programs or their variables."""
    return not type_.startswith(_NO_PROGRAMS)


@dataclass(frozen=True)
class _Node:
    """`inner` are the keys inside an opened text; None outside of one."""

    path: Path
    inner: Path | None
    value: Any
    outer: tuple[Variable, ...] = ()
    depth: int = 0

    def below(self, key: str | int, value: Any, shared: tuple[Variable, ...] = ()) -> _Node:
        path, inner = ((*self.path, key), None) if self.inner is None else (self.path, (*self.inner, key))
        return _Node(path, inner, value, (*self.outer, *shared), self.depth)

    @property
    def names(self) -> Path:
        return (*self.path, *(self.inner or ()))


def parts(
    type_: str, props: Any, is_worth_opening: Callable[[str], bool]
) -> Iterator[Block | Text | Unknown]:
    """Every mapping, list of commands and text of a resource, opened; without recursion, and bounded by a budget.

    A text is opened where `is_worth_opening` says so, which spares the work of parsing documents that name nothing.
    """
    budget = Budget()
    todo = [_Node((), None, props)]
    while todo and not budget.spent:
        node = todo.pop()
        if isinstance(node.value, Unknown):
            yield node.value
        elif isinstance(node.value, dict):
            if node.value and not (node.path and is_quiet(node.value)):
                block = Block(node.path, node.inner or (), node.value, node.outer)
                yield block
                todo.extend(reversed([*_children(type_, node, _shared(block))]))
        elif isinstance(node.value, list):
            yield from _command_line(node)
            todo.extend(reversed([node.below(index, value) for index, value in enumerate(node.value)]))
        elif isinstance(node.value, str) and len(node.value) > 5:
            budget.characters -= len(node.value)
            opened = _opened(node, is_worth_opening)
            if isinstance(opened, _Node):
                todo.append(opened)
            elif opened:
                yield opened


def _opened(node: _Node, is_worth_opening: Callable[[str], bool]) -> _Node | Text | None:
    """What is inside a text: a document to walk on in, or the text itself without its base64."""
    text, names = node.value, node.names
    if len(names) > 1 and isinstance(names[-1], int):
        # `NAME=value` is read with its list, and a word of a command with the whole command.
        is_word = names[-2] in _LISTS_OF_COMMANDS and not any(map(str.isspace, text))
        if is_word or is_variables(names[-2]):
            return None
    for _ in range(2):
        if (plain := decoded(text)) is None:
            break
        text = plain
    if node.depth >= MOST_OPENED or not is_worth_opening(text):
        return None
    document = tree(text)
    if document is None:
        return Text(node.path, node.inner or (), text, node.outer)
    return _Node(node.path, node.inner or (), document, node.outer, node.depth + 1)


def environments(type_: str, found: Block | Text) -> Iterator[Environment]:
    """The environment of a block, and of a script the one that it exports and those of single commands."""
    if isinstance(found, Text):
        yield from _of_script(found)
        return
    if is_variables(_name((*found.path, *found.inner))):
        return  # read with the block that it is in
    variables = tuple(_of_block(type_, found))
    others = next((name for name in _ELSEWHERE if found.value.get(name)), None)
    if variables or others or any(name in found.value for name in (*_IMAGE, "layers")):
        elsewhere = (
            ((*found.path, others) if not found.inner else found.path, found.value[others])
            if others
            else None
        )
        outer = (*found.outer, *_of_commands(found)) if variables else found.outer
        yield Environment(found.path, found.where, found.value, variables, outer, elsewhere)


def is_variables(name: object) -> bool:
    """Whether a property of this name holds variables."""
    return str(name).replace("_", "").replace("-", "").lower() in _NAMES


def _children(type_: str, node: _Node, shared: Mapping[str, tuple[Variable, ...]]) -> Iterator[_Node]:
    for key, value in node.value.items():
        if type_.startswith("kubernetes:") and not node.names and key in _NOT_TOLD:
            continue
        if isinstance(value, Unknown) or not names_no_destination(type_, (*node.names, key)):
            yield node.below(key, value, shared.get(str(key), ()))


def _command_line(node: _Node) -> Iterator[Text]:
    """`["run", "deploy", "--set-env-vars", "A=b"]` is one command."""
    name, items = _name(node.names), node.value
    if name not in _LISTS_OF_COMMANDS or len(items) < 2 or not all(isinstance(item, str) for item in items):
        return
    if not any("\n" in item for item in items):
        yield Text(node.path, node.inner or (), " ".join(items), node.outer)


def _name(path: Path) -> str:
    return next((part for part in reversed(path) if isinstance(part, str)), "")


def _shared(block: Block) -> dict[str, tuple[Variable, ...]]:
    """Variables that a block gives to the programs below some of its keys: a Batch task's to its runnables, a build's
    options to its steps, a build project's to what its buildspec runs, a container's to its commands."""
    value = block.value
    if written := _LISTS_OF_COMMANDS & value.keys():
        return dict.fromkeys(written, tuple(_of_named(block)))
    if isinstance(value.get("runnables"), list):
        return {"runnables": tuple(_of_named(block))}
    if isinstance(value.get("steps"), list) and isinstance(value.get("options"), dict):
        return {"steps": tuple(_of_named(_inside(block, "options")))}
    if isinstance(value.get("source"), dict) and isinstance(value.get("environment"), dict):
        return {"source": tuple(_of_named(_inside(block, "environment")))}
    return {}


def _inside(block: Block, key: str) -> Block:
    path, inner = ((*block.path, key), ()) if not block.inner else (block.path, (*block.inner, key))
    return Block(path, inner, block.value[key])


def _of_block(type_: str, block: Block) -> Iterator[Variable]:
    yield from _of_named(block)
    if _is_entries(type_, block):
        return
    for key, value in block.value.items():
        if isinstance(key, str) and _CAPITALS.fullmatch(key) and not isinstance(value, list):
            yield _variable(block, (key,), key, value)
        elif isinstance(value, list) and not is_variables(key) and key not in _LISTS_OF_COMMANDS:
            yield from _pairs(block, (key,), value, shaped=True)


def _of_commands(block: Block) -> Iterator[Variable]:
    """What the commands of a container set before they run its program; `sh -c "export A=b; run"`."""
    for name in _LISTS_OF_COMMANDS & block.value.keys():
        for item in each(block.value[name]):
            if isinstance(item, str) and "=" in item:
                exported, single = commands(item)
                for variable, value in (*exported, *(one for assigned, _ in single for one in assigned)):
                    yield Variable(block.path, join(block.where, name), variable, value, bool(value))


def _is_entries(type_: str, block: Block) -> bool:
    """The entries of a ConfigMap are no program's yet: the containers that take them are judged."""
    return type_ in _CONFIG and not block.inner and block.path[:1] in tuple((name,) for name in _ENTRIES)


def _of_named(block: Block) -> Iterator[Variable]:
    """Variables in the properties of a block whose names say that they hold some."""
    for key, value in block.value.items():
        if is_variables(key):
            yield from _entries(block, (key,), value)


def _entries(block: Block, at: Path, value: Any) -> Iterator[Variable]:
    if isinstance(value, list):
        yield from _pairs(block, at, value, shaped=False)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if is_variables(key) and isinstance(inner, dict | list):
                yield from _entries(block, (*at, key), inner)
            elif isinstance(key, str) and _VARIABLE.fullmatch(key) and not isinstance(inner, list):
                yield _variable(block, (*at, key), key, inner)


def _pairs(block: Block, at: Path, items: list[Any], *, shaped: bool) -> Iterator[Variable]:
    """Variables in a list of names and values, or of `NAME=value`. `shaped`: only those that look like variables."""
    for index, item in enumerate(items):
        if isinstance(item, str) and not shaped:
            name, equals, value = item.partition("=")
            if _VARIABLE.fullmatch(name):
                yield _variable(block, (*at, index), name, value if equals else {})
        elif isinstance(item, dict):
            key = next((key for key in _NAME_KEYS if isinstance(item.get(key), str)), None)
            if key is None or (
                shaped and not (_CAPITALS.fullmatch(item[key]) and {"value", "Value"} & item.keys())
            ):
                continue
            written = item.get("value", item.get("Value"))
            others = [inner for one, inner in item.items() if one not in (key, "value", "Value") and inner]
            yield _variable(
                block, (*at, index, key), item[key], written if written is not None else others or None
            )


def _variable(block: Block, at: Path, name: str, value: Any) -> Variable:
    path = block.path if block.inner else (*block.path, *at)
    where = join(block.where, dotted(at))
    if isinstance(value, dict | list):
        return Variable(path, where, name, None)
    return Variable(path, where, name, value, value not in (None, ""))


def _of_script(text: Text) -> Iterator[Environment]:
    where = text.where

    def variables(assigned: list[tuple[str, str]]) -> tuple[Variable, ...]:
        return tuple(Variable(text.path, where, name, value, bool(value)) for name, value in assigned)

    exported, single = commands(text.text)
    shared = variables(exported)
    if shared:
        yield Environment(text.path, where, {}, shared, text.outer)
    for assigned, takes_exported in single:
        outer = (*text.outer, *shared) if takes_exported else ()
        yield Environment(text.path, where, {}, variables(assigned), outer)
