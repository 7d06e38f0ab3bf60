"""Packages and the arrows between them, as the code is: layers of the import contract, imports counted by grimp."""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import grimp

PROJECT = Path(__file__).parents[2]
# The module above the packages: the linter reads packages only.
PROGRAM = "program"


@dataclass(frozen=True)
class Package:
    """A package of the contract, and what the first sentence of its docstring says of it."""

    name: str
    sentence: str


@dataclass(frozen=True)
class Architecture:
    """Layers from the top, the packages of each side by side; how many imports lead from one package into another."""

    layers: tuple[tuple[Package, ...], ...]
    arrows: Mapping[tuple[str, str], int]

    @property
    def packages(self) -> tuple[Package, ...]:
        """The packages of all layers, the uppermost first."""
        return tuple(package for layer in self.layers for package in layer)


class NoLayerError(LookupError):
    """A module is in no layer of the contract."""


def read(project: Path = PROJECT) -> Architecture:
    """The architecture as it is in a folder.

    Raises:
        NoLayerError: a module that imports or is imported is in no layer.
    """
    linter = tomllib.loads((project / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = _layers(linter["contracts"])
    names = [name for layer in layers for name in layer]
    graph = grimp.build_graph(*linter["root_packages"], cache_dir=None)
    imports = [
        (importer, imported)
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
    ]
    imports += _of_the_program(project / f"{PROGRAM}.py", set(graph.modules))
    return Architecture(
        tuple(tuple(Package(name, _sentence(project, name)) for name in layer) for layer in layers),
        count(imports, names),
    )


def count(imports: Iterable[tuple[str, str]], packages: Iterable[str]) -> Mapping[tuple[str, str], int]:
    """Imports from one package into another; those within a package are nobody else's."""
    packages = tuple(packages)
    pairs = Counter(
        (_package(importer, packages), _package(imported, packages)) for importer, imported in imports
    )
    return {pair: number for pair, number in sorted(pairs.items()) if pair[0] != pair[1]}


def _layers(contracts: Iterable[Mapping[str, object]]) -> list[list[str]]:
    """The layers of the first contract of that type, and the program above all that it puts together."""
    written = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    assert isinstance(written, list)
    layers = [[name.strip("() ") for name in layer.split("|")] for layer in written]
    if not any(PROGRAM in layer for layer in layers):
        layers.insert(next(i for i, layer in enumerate(layers) if "workloads" in layer), [PROGRAM])
    return layers


def _package(module: str, packages: tuple[str, ...]) -> str:
    enclosing = [package for package in packages if module == package or module.startswith(f"{package}.")]
    if not enclosing:
        raise NoLayerError(
            f"{module} is in no layer of the import contract: name its package in pyproject.toml, tool.importlinter"
        )
    return max(enclosing, key=len)


def _of_the_program(file: Path, modules: set[str]) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            named = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = [f"{node.module}.{name.name}" for name in node.names]
            # `from infra import catalog` imports a module, `from infra.catalog import choose` a name in it.
            named = {name if name in modules else node.module for name in inside}
        else:
            continue
        yield from ((PROGRAM, name) for name in sorted(named) if name in modules)


def _sentence(project: Path, name: str) -> str:
    path = project / name.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(file.read_text())) or ""
    first = " ".join(docstring.partition("\n\n")[0].split()).partition(". ")[0].rstrip(".")
    return first.replace("`", "")
