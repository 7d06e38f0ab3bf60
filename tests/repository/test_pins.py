"""Each compiled file of requirements answers its `.in`, as far as that can be told without an index."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[2]
ASKED = sorted(
    PROJECT / file
    for file in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.in"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
)
FLAGS = "uv pip compile --universal --no-emit-index-url --no-emit-find-links --python-version 3.11"


def asked(file: Path) -> list[Requirement]:
    """What a file asks for, itself and by `-r`."""
    found = []
    for line in file.read_text().splitlines():
        wanted = line.partition("#")[0].strip()
        if wanted.startswith("-r "):
            found += asked(file.parent / wanted[3:])
        elif wanted and not wanted.startswith("-c "):
            found.append(Requirement(wanted))
    return found


def held_to(file: Path) -> list[Path]:
    """The files of the constraints (`-c`) of a file."""
    return [file.parent / name for name in re.findall(r"^-c (\S+)", file.read_text(), re.MULTILINE)]


def pins(text: str) -> dict[str, list[str]]:
    """The versions of each package of a compiled file: several where a marker chooses."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9][\w.-]*)(?:\[[^]]*\])?==(\S+)", text, re.MULTILINE):
        found.setdefault(canonicalize_name(name), []).append(version)
    return found


def wrong(wanted: list[Requirement], text: str) -> list[str]:
    """What a compiled file has not, or at a version that nobody asked for; and what is there for nobody's sake."""
    pinned = pins(text)
    problems = [
        f"{each} is not answered"
        for each in wanted
        if not any(
            each.specifier.contains(version) for version in pinned.get(canonicalize_name(each.name), ())
        )
    ]
    needed = {canonicalize_name(each.name) for each in wanted}
    for name, vias in re.findall(r"^(\S+?)(?:\[[^]]*\])?==.*\n((?: +# .*\n?)+)", text, re.MULTILINE):
        for_whom = {
            canonicalize_name(via) for via in re.findall(r"#(?: via)? +([\w.-]+)$", vias, re.MULTILINE)
        }
        if canonicalize_name(name) not in needed and not for_whom & pinned.keys():
            problems.append(f"{name} is nobody's")
    return problems


def test_make_pins_resolves_each_of_them() -> None:
    makefile = (PROJECT / "Makefile").read_text().replace("\\\n", "")
    listed = re.search(r"^PINNED := (.+)$", makefile, re.MULTILINE)
    assert listed
    below = re.search(r"\$\(addprefix workloads/,([^)]+)\)", listed[1])
    assert below
    others = f"{listed[1][: below.start()]} {listed[1][below.end() :]}".split()
    names = [*others, *(f"workloads/{name}" for name in below[1].split())]
    assert sorted(names) == sorted(str(file.relative_to(PROJECT).with_suffix("")) for file in ASKED)
    assert f"{FLAGS}".replace("uv pip compile", "uv pip compile -q") in (PROJECT / "Makefile").read_text()


@pytest.mark.parametrize("file", ASKED, ids=lambda file: str(file.relative_to(PROJECT)))
def test_a_compiled_file_answers_what_is_asked(file: Path) -> None:
    name = file.relative_to(PROJECT)
    text = file.with_suffix(".txt").read_text()
    overrides = file.with_name(f"{file.stem}-overrides.txt")
    more = f" --generate-hashes --override {overrides.relative_to(PROJECT)}" if overrides.exists() else ""
    assert f"#    {FLAGS}{more} {name} -o {name.with_suffix('.txt')}\n" in text
    assert not re.search(r"^(?!#|\s)(?!\S+==\S+).+$", text, re.MULTILINE), "something is not pinned"
    assert wrong(asked(file), text) == []
    for other in held_to(file):
        held, own = pins(other.read_text()), pins(text)
        assert {name: own[name] for name in own.keys() & held.keys()} == {
            name: held[name] for name in own.keys() & held.keys()
        }


def test_what_is_wrong_is_found() -> None:
    text = "torch==2.14.0\n    # via -r x.in\nold==1.0\n    # via gone\nray==2 ; python_version<'3'\n    # via torch\n"
    wanted = [Requirement("torch==2.15.0"), Requirement("Py_Arrow>=3"), Requirement("torch>2")]
    assert wrong(wanted, text) == [
        "torch==2.15.0 is not answered",
        "Py_Arrow>=3 is not answered",
        "old is nobody's",
    ]
