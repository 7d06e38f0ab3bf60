"""A label, an annotation or an extended resource is spelt in `infra/contracts/labels.py` and nowhere else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.contracts import labels

ROOT = Path(__file__).parents[3]
HOME = Path(labels.__file__)
SPELT = {name: value for name, value in vars(labels).items() if name.isupper() and isinstance(value, str)}


def copies(source: str) -> Iterator[str]:
    """Names of labels that this program writes out again."""
    if not any(value in source for value in SPELT.values()):
        return
    written = {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}
    yield from (name for name, value in SPELT.items() if value in written)


def programs() -> list[Path]:
    folders = ("commands", "infra", "localcloud", "workloads")
    return [ROOT / "program.py", *(path for name in folders for path in (ROOT / name).rglob("*.py"))]


def test_no_label_is_spelt_twice() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): names
        for path in programs()
        if path != HOME and (names := list(copies(path.read_text(encoding="utf-8"))))
    }
    assert found == {}, "import them from infra.contracts.labels"


@pytest.mark.parametrize("name", SPELT)
def test_a_copy_would_be_noticed(name: str) -> None:
    assert list(copies(f"node = {{{SPELT[name]!r}: 1}}")) == [name]


def test_no_two_labels_are_the_same() -> None:
    assert len(set(SPELT.values())) == len(SPELT)
