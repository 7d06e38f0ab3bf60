"""The picture of the architecture is what the code is, and shows what would break its order."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.architecture.__main__ import FILE
from commands.architecture.imports import PROJECT, Architecture, NoLayerError, Package, count, read
from commands.architecture.picture import CLASSES, LEFT, RIGHT, WIDTH, draw, width_class

SVG = "{http://www.w3.org/2000/svg}"
ROOTS = ("commands", "india_ai_infra", "workloads", "policies", "localcloud", "infra")


@pytest.fixture(scope="module")
def architecture() -> Architecture:
    return read()


def test_the_picture_is_drawn_from_the_code_of_today(architecture: Architecture) -> None:
    assert FILE.read_text(encoding="utf-8") == draw(architecture), (
        "the architecture has changed: run make architecture"
    )


def test_no_package_is_left_out(architecture: Architecture) -> None:
    linter = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]
    assert set(linter["root_packages"]) == set(ROOTS)
    names = {package.name for package in architecture.packages}
    for root in (*ROOTS, "program"):
        inside = (
            {f"{root}.{file.stem}" for file in (PROJECT / root).iterdir() if is_module(file)}
            if root == "infra"
            else {root}
        )
        assert inside <= names
    assert all(package.sentence for package in architecture.packages)


def is_module(path: Path) -> bool:
    if path.is_dir():
        return any(path.glob("*.py"))
    return path.suffix == ".py" and path.stem != "__init__"


def test_every_arrow_leads_down(architecture: Architecture) -> None:
    depth = {package.name: i for i, layer in enumerate(architecture.layers) for package in layer}
    assert [(a, b) for a, b in architecture.arrows if depth[a] >= depth[b]] == []


def test_arrows_are_the_imports_that_files_have(architecture: Architecture) -> None:
    """Read once more, as text."""
    packages = [package.name for package in architecture.packages]

    def package_of(module: str) -> str:
        return max((package for package in packages if f"{module}.".startswith(f"{package}.")), key=len)

    pairs = set()
    for file in [
        PROJECT / "program.py",
        *(file for root in ROOTS for file in (PROJECT / root).rglob("*.py")),
    ]:
        importer = ".".join(file.relative_to(PROJECT).with_suffix("").parts)
        imports = re.findall(
            r"^ *from (\w[\w.]*) import (\([^)]*\)|.*)|^ *import (\w[\w.]*)", file.read_text(), re.MULTILINE
        )
        for package, names, module in imports:
            words = re.findall(r"\w+", re.sub(r"#.*| as \w+", "", names))
            whole = [f"{package}.{word}" for word in words] if package == "infra" else [package or module]
            pairs |= {
                (package_of(importer), package_of(name)) for name in whole if name.partition(".")[0] in ROOTS
            }
    assert {(a, b) for a, b in pairs if a != b} == architecture.arrows.keys()


def test_imports_are_of_the_nearest_room() -> None:
    imports = [("a.x", "a.y.z"), ("a.x", "b"), ("a.y", "b.c"), ("a.x", "a.w")]
    assert count(imports, ["a", "a.y", "b"]) == {("a", "a.y"): 1, ("a", "b"): 1, ("a.y", "b"): 1}


def test_a_module_without_a_room_is_named() -> None:
    with pytest.raises(NoLayerError, match=r"c\.d is in no layer.*pyproject\.toml"):
        count([("a", "c.d")], ["a"])


PACKAGES = [Package(name, f"What {name} is & does.") for name in "abcdef"]


@st.composite
def architectures(draw_value: st.DrawFn) -> Architecture:
    cuts = sorted(draw_value(st.sets(st.integers(1, len(PACKAGES) - 1), max_size=3)))
    layers = [PACKAGES[i:j] for i, j in zip([0, *cuts], [*cuts, len(PACKAGES)], strict=True)]
    names = st.sampled_from("abcdef")
    pairs = st.tuples(names, names).filter(lambda pair: pair[0] != pair[1])
    arrows = draw_value(st.dictionaries(pairs, st.integers(1, 60), min_size=1))
    return Architecture(tuple(map(tuple, layers)), arrows)


@given(architectures())
def test_each_arrow_is_drawn_inside_the_picture_and_the_wrong_ones_in_red(drawn: Architecture) -> None:
    picture = ElementTree.fromstring(draw(drawn))
    paths = {path[0].text: path for path in picture.iter(f"{SVG}path") if len(path)}
    depth = {package.name: i for i, layer in enumerate(drawn.layers) for package in layer}
    height = float(picture.attrib["viewBox"].split()[3])
    assert len(paths) == len(drawn.arrows)
    for (importer, imported), number in drawn.arrows.items():
        least, width, words = CLASSES[width_class(number)]
        path = paths[f"{importer} imports {imported} ({words})"]
        x, start, far, end = _points(path)
        right = depth[imported] > depth[importer]
        assert ("wrong" in path.attrib["class"]) != right
        assert x == (RIGHT if right else LEFT)
        # A cubic reaches three quarters of the way to its control points.
        assert -8 < x + 0.75 * (far - x) < WIDTH - 4
        assert 0 < min(start, end) <= max(start, end) < height
        assert float(path.attrib["stroke-width"]) == width
        assert number >= least


def _points(path: ElementTree.Element) -> tuple[float, float, float, float]:
    """Where an arc starts, how far it bows, and where it ends."""
    numbers = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", path.attrib["d"])]
    x, start, far, _, _, _, _, end = numbers
    return x, start, far, end


def test_texts_fit_their_boxes(architecture: Architecture) -> None:
    """About 6.4 units a character, in the widest of the fonts that a reader may have."""
    picture = ElementTree.fromstring(draw(architecture))
    for text in picture.iter(f"{SVG}text"):
        wide = 8.0 if text.attrib["class"] == "name" else 6.4
        assert float(text.attrib["x"]) + wide * len(text.text or "") < RIGHT
