"""Reads the installed `pulumi_aws` for the nested properties that hold, at some depth, a place or a key.

`python tests/policies/provider_blocks.py` writes what it finds into `policies/data`, after a provider upgrade.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

DATA = Path(__file__).parents[2] / "policies" / "data"
_GETTER = re.compile(r'@pulumi\.getter(?:\(name="(\w+)"\))?\n    def (\w+)\(self\) -> (.*):')
_CLASS = re.compile(r"\n(?=class )")
_HEADER = (
    "# Nested properties of pulumi_aws that hold {what}; written by tests/policies/provider_blocks.py.\n"
)


def blocks_of_places() -> list[str]:
    from policies.residency import is_always_a_place

    return _blocks(is_always_a_place)


def blocks_of_keys() -> list[str]:
    from policies.keys import is_key_property

    return _blocks(is_key_property)


def _blocks(holds: Callable[[str], bool]) -> list[str]:
    """Names of the properties through which one reaches a text property that `holds` accepts."""
    owners: dict[tuple[str, str], set[tuple[tuple[str, str] | None, str]]] = {}
    todo = []
    for module, owner, name, annotation in _properties():
        if owner and "str" in annotation and holds(name):
            todo.append((module, owner))
        for inner in re.findall(r"'(\w+Args)'", annotation):
            owners.setdefault((module, inner), set()).add(((module, owner) if owner else None, name))
    names: set[str] = set()
    seen = set(todo)
    while todo:
        for owner, name in owners.get(todo.pop(), ()):
            names.add(name)
            if owner and owner not in seen:
                seen.add(owner)
                todo.append(owner)
    return sorted(names)


def _properties() -> Iterator[tuple[str, str, str, str]]:
    """(module, nested class or "" for a resource, property, annotation) for every input."""
    spec = find_spec("pulumi_aws")
    assert spec and spec.origin
    for file in sorted(Path(spec.origin).parent.glob("*/*.py")):
        text = file.read_text()
        if file.name != "_inputs.py":
            yield from (
                (file.parent.name, "", name or python, kind) for name, python, kind in _GETTER.findall(text)
            )
            continue
        for block in _CLASS.split(text)[1:]:
            owner = block[6:].split("(")[0].split(":")[0]
            yield from (
                (file.parent.name, owner, name or python, kind)
                for name, python, kind in _GETTER.findall(block)
            )


if __name__ == "__main__":
    sys.path.insert(0, str(DATA.parents[1]))
    DATA.mkdir(exist_ok=True)
    for file, what, names in (
        ("blocks_of_places.txt", "a region or availability zone", blocks_of_places()),
        ("blocks_of_keys.txt", "a reference to a key", blocks_of_keys()),
    ):
        (DATA / file).write_text(_HEADER.format(what=what) + "\n".join(names) + "\n")
