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
from commands.architecture.imports import PROJECT, House, NoRoomError, Room, count, read
from commands.architecture.picture import CLASSES, LEFT, RIGHT, WIDTH, draw, width_class

SVG = "{http://www.w3.org/2000/svg}"
ROOTS = ("commands", "workloads", "policies", "localcloud", "infra")


@pytest.fixture(scope="module")
def house() -> House:
    return read()


def test_the_picture_is_drawn_from_the_code_of_today(house: House) -> None:
    assert FILE.read_text(encoding="utf-8") == draw(house), "the house has changed: run make architecture"


def test_no_package_is_left_out(house: House) -> None:
    linter = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]
    assert set(linter["root_packages"]) == set(ROOTS)
    names = {room.name for room in house.rooms}
    for root in (*ROOTS, "program"):
        inside = (
            {f"{root}.{file.stem}" for file in (PROJECT / root).iterdir() if is_module(file)}
            if root == "infra"
            else {root}
        )
        assert inside <= names
    assert all(room.sentence for room in house.rooms)


def is_module(path: Path) -> bool:
    if path.is_dir():
        return any(path.glob("*.py"))
    return path.suffix == ".py" and path.stem != "__init__"


def test_every_arrow_leads_down(house: House) -> None:
    depth = {room.name: i for i, layer in enumerate(house.layers) for room in layer}
    assert [(a, b) for a, b in house.arrows if depth[a] >= depth[b]] == []


def test_arrows_are_the_imports_that_files_have(house: House) -> None:
    """Read once more, as text."""
    rooms = [room.name for room in house.rooms]

    def room_of(module: str) -> str:
        return max((room for room in rooms if f"{module}.".startswith(f"{room}.")), key=len)

    found = set()
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
            found |= {(room_of(importer), room_of(name)) for name in whole if name.partition(".")[0] in ROOTS}
    assert {(a, b) for a, b in found if a != b} == house.arrows.keys()


def test_imports_are_of_the_nearest_room() -> None:
    imports = [("a.x", "a.y.z"), ("a.x", "b"), ("a.y", "b.c"), ("a.x", "a.w")]
    assert count(imports, ["a", "a.y", "b"]) == {("a", "a.y"): 1, ("a", "b"): 1, ("a.y", "b"): 1}


def test_a_module_without_a_room_is_named() -> None:
    with pytest.raises(NoRoomError, match=r"c\.d is in no layer.*pyproject\.toml"):
        count([("a", "c.d")], ["a"])


ROOMS = [Room(name, f"What {name} is & does.") for name in "abcdef"]


@st.composite
def houses(draw_one: st.DrawFn) -> House:
    cuts = sorted(draw_one(st.sets(st.integers(1, len(ROOMS) - 1), max_size=3)))
    layers = [ROOMS[i:j] for i, j in zip([0, *cuts], [*cuts, len(ROOMS)], strict=True)]
    names = st.sampled_from("abcdef")
    pairs = st.tuples(names, names).filter(lambda pair: pair[0] != pair[1])
    arrows = draw_one(st.dictionaries(pairs, st.integers(1, 60), min_size=1))
    return House(tuple(map(tuple, layers)), arrows)


@given(houses())
def test_each_arrow_is_drawn_inside_the_picture_and_the_wrong_ones_in_red(one: House) -> None:
    picture = ElementTree.fromstring(draw(one))
    paths = {path[0].text: path for path in picture.iter(f"{SVG}path") if len(path)}
    depth = {room.name: i for i, layer in enumerate(one.layers) for room in layer}
    height = float(picture.attrib["viewBox"].split()[3])
    assert len(paths) == len(one.arrows)
    for (importer, imported), number in one.arrows.items():
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


def test_texts_fit_their_boxes(house: House) -> None:
    """About 6.4 units a character, in the widest of the fonts that a reader may have."""
    picture = ElementTree.fromstring(draw(house))
    for text in picture.iter(f"{SVG}text"):
        wide = 8.0 if text.attrib["class"] == "name" else 6.4
        assert float(text.attrib["x"]) + wide * len(text.text or "") < RIGHT
