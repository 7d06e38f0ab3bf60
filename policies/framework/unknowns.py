"""Never pass in silence: values that a preview can't know, made visible.

`pulumi_policy` raises `UnknownValueError` when a check touches such a value, then turns the whole check into an
advisory note, so a mandatory control would be skipped by any property fed from another resource. Here every property
is read once, each with its own guard, into a plain tree in which an `Unknown` stands for what can't be known. A check
hands back the `Unknown`s that it needed; the run state keeps them until the end of the run, when the stack's own
resources may settle them (a key ARN that comes from a key in the stack). What stays is reported as unresolved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pulumi_policy.proxy import UnknownValueError

Path = tuple[str | int, ...]
_SCALARS = (str, float, int, bytes)


@dataclass(frozen=True)
class Unknown:
    """Stands where a value can't be known during preview."""

    path: Path


@dataclass(frozen=True)
class Leaf:
    """A scalar, an `Unknown` or an empty block inside a tree. `name` is the nearest property name above it."""

    path: Path
    name: str
    value: Any


def plain(value: Any, path: Path = ()) -> Any:
    """Copy what `pulumi_policy` shows (proxies that raise) into dicts and lists, with `Unknown`s in place."""
    if value is None or isinstance(value, _SCALARS):
        return value  # most values are, and the look at an abstract class is slow
    if isinstance(value, Mapping):
        return {key: _guarded(value, key, (*path, key)) for key in value}
    if isinstance(value, Sequence):
        return [_guarded(value, index, (*path, index)) for index in range(len(value))]
    return value


def _guarded(holder: Any, key: Any, path: Path) -> Any:
    try:
        value = holder[key]
    except UnknownValueError:
        return Unknown(path)
    return plain(value, path)


def dig(tree: Any, *names: str) -> Any:
    """The value at `names`; None where something on the way is missing or of another shape, its `Unknown` if unknown.

    A list of one is stepped into: providers disagree on whether a block that occurs once is a list.
    """
    for name in names:
        if isinstance(tree, list) and len(tree) == 1:
            tree = tree[0]
        if isinstance(tree, Unknown):
            return tree
        if not isinstance(tree, dict):
            return None
        tree = tree.get(name)
    return tree


def each(value: Any) -> list[Any]:
    """A block that may occur many times, as a list; absent is empty."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def leaves(tree: Any) -> Iterator[Leaf]:
    """Every scalar, `Unknown` and empty block in a tree, without recursion: depth is no way to break a check."""
    todo: list[tuple[Path, str, Any]] = [((), "", tree)]
    while todo:
        path, name, value = todo.pop()
        if isinstance(value, dict) and value:
            todo.extend([((*path, key), str(key), inner) for key, inner in value.items()])
        elif isinstance(value, list):
            todo.extend([((*path, index), name, inner) for index, inner in enumerate(value)])
        elif value is not None:
            yield Leaf(path, name, value)


def first_unknown(tree: Any) -> Unknown | None:
    """Some value in a tree that can't be known, if there is one."""
    return next((leaf.value for leaf in leaves(tree) if isinstance(leaf.value, Unknown)), None)


def dotted(path: Path) -> str:
    """`rules[0].destination.bucket`, as people write it; a key with a dot in it is quoted: `data["app.yaml"]`."""
    text = "".join(
        f"[{part}]" if isinstance(part, int) else f'["{part}"]' if "." in part else f".{part}"
        for part in path
    )
    return text.removeprefix(".")
