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
_GETTER = re.compile(
    r'@pulumi\.getter(?:\(name="(\w+)"\))?\n(?:    @_utilities\.deprecated\([\s\S]*?\n)??    def (\w+)\(self\) -> (.*):'
)
_TOKEN = re.compile(r'"fqn": "pulumi_\w+\.?([\w.]*)",\s*"classes": \{([^}]*)\}')
_CLASS_OF = re.compile(r'"([\w-]+:[\w./]+:\w+)": "(\w+)"')
_RESOURCE = re.compile(r"\nclass (\w+)\(pulumi\.CustomResource\)")
_CLASS = re.compile(r"\n(?=class )")
_HEADER = "# {what}; written by tests/policies/provider_blocks.py.\n"


def blocks_of_places() -> list[str]:
    from policies.readers.place_names import is_always_a_place

    return _blocks(is_always_a_place)


def blocks_of_keys() -> list[str]:
    from policies.readers.kms_keys import is_key_property

    # A block named `region` is rare, and RES-01 reports whatever is unknown under that name.
    return [name for name in _blocks(is_key_property) if name != "region"]


def blocks_of_models() -> list[str]:
    from policies.controls.residency.res_13_inference import is_model_property

    return _blocks(is_model_property, "bedrock*")


def global_types() -> list[str]:
    """Types that take no region."""
    return sorted(token for token, _, props in resources("pulumi_aws") if "region" not in dict(props))


def resources(package: str) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """(type, module, its inputs with their annotations)."""
    root = _root(package)
    tokens = {
        (module, name): token
        for module, classes in _TOKEN.findall((root / "__init__.py").read_text())
        for token, name in _CLASS_OF.findall(classes)
    }
    for file in sorted(root.glob("*/**/*.py")):
        text, module = file.read_text(), _module(root, file)
        if (made := _RESOURCE.search(text)) and (module, made[1]) in tokens:
            inputs = next(block for block in _CLASS.split(text) if block.startswith("class "))
            yield tokens[module, made[1]], module, _getters(inputs)


def _module(root: Path, file: Path) -> str:
    """`core.v1`, as the SDK's table of modules names it."""
    return ".".join(file.parent.relative_to(root).parts)


def paths(package: str) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """(type, path, annotation) of every input that is no block, once for each block of a type: the shortest way."""
    root = _root(package)
    nested = {
        (_module(root, file), block[6:].split("(")[0].split(":")[0]): _getters(block)
        for file in sorted(root.glob("*/**/_inputs.py"))
        for block in _CLASS.split(file.read_text())[1:]
    }
    # Blocks of Kubernetes are of other modules than the types that hold them.
    elsewhere = {block: module for module, block in nested}
    for token, module, props in resources(package):
        todo: list[tuple[tuple[str, ...], list[tuple[str, str]]]] = [((), props)]
        seen: set[str] = set()
        for way, inputs in todo:  # which grows meanwhile: breadth first
            for name, annotation in inputs:
                blocks = re.findall(r"'(?:\w+\.)*(\w+Args)'", annotation)
                if not blocks:
                    yield token, (*way, name), annotation
                for block in blocks:
                    home = module if (module, block) in nested else elsewhere.get(block)
                    if block not in seen and home:
                        seen.add(block)
                        todo.append(((*way, name), nested[home, block]))


def _blocks(holds: Callable[[str], bool], modules: str = "*") -> list[str]:
    """Names of the properties through which one reaches a text property that `holds` accepts."""
    owners: dict[tuple[str, str], set[tuple[tuple[str, str] | None, str]]] = {}
    todo = []
    for module, owner, name, annotation in _properties(modules):
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


def _properties(modules: str) -> Iterator[tuple[str, str, str, str]]:
    """(module, nested class or "" for a resource, property, annotation) for every input."""
    for file in sorted(_root("pulumi_aws").glob(f"{modules}/*.py")):
        text = file.read_text()
        if file.name != "_inputs.py":
            yield from ((file.parent.name, "", name, kind) for name, kind in _getters(text))
            continue
        for block in _CLASS.split(text)[1:]:
            owner = block[6:].split("(")[0].split(":")[0]
            yield from ((file.parent.name, owner, name, kind) for name, kind in _getters(block))


def _getters(text: str) -> list[tuple[str, str]]:
    return [(name or python, kind) for name, python, kind in _GETTER.findall(text)]


def _root(package: str) -> Path:
    spec = find_spec(package)
    assert spec and spec.origin
    return Path(spec.origin).parent


if __name__ == "__main__":
    sys.path.insert(0, str(DATA.parents[1]))
    DATA.mkdir(exist_ok=True)
    for file in ("blocks_of_models.txt", "global_types.txt"):
        (DATA / file).touch()  # what the policies read to be imported
    for file, what, names in (
        (
            "blocks_of_places.txt",
            "Nested properties of pulumi_aws that hold a region or availability zone",
            blocks_of_places,
        ),
        (
            "blocks_of_keys.txt",
            "Nested properties of pulumi_aws that hold a reference to a key",
            blocks_of_keys,
        ),
        (
            "blocks_of_models.txt",
            "Nested properties of Bedrock in pulumi_aws that hold a model's id",
            blocks_of_models,
        ),
        ("global_types.txt", "Types of pulumi_aws that take no region", global_types),
    ):
        (DATA / file).write_text(_HEADER.format(what=what) + "\n".join(names()) + "\n")
