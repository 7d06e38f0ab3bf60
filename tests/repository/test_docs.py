"""What the pages say that a machine can look up: links, anchors, files, make targets and modules that exist."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


def _tracked() -> list[str]:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    return subprocess.run(listed, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.splitlines()


FILES = [file for file in _tracked() if (PROJECT / file).exists()]
PAGES = [file for file in FILES if file.endswith(".md")]
TOP = {file.partition("/")[0] for file in FILES if "/" in file}
# A fence or an indented block is an example; links in it are text.
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
TARGET = re.compile(r"^([a-z-]+):", re.MULTILINE)
# A file or folder of this repository as prose names it, perhaps with a line behind it.
NAMED = re.compile(r"(?P<path>\.?\w[\w.-]*(?:/[\w.*{},-]+)+/?)(?::\d+(?:-\d+)?)?")


@cache
def text(page: str) -> str:
    return (PROJECT / page).read_text(encoding="utf-8")


@cache
def anchors(page: str) -> frozenset[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: list[str] = []
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", CODE.sub(_prose, text(page)), re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return frozenset(found)


def _prose(code: re.Match[str]) -> str:
    return "" if code[0].startswith("```") else code[0]


def broken_links(page: str, prose: str) -> list[str]:
    """Relative links that lead nowhere, and anchors that their page does not have."""
    wrong = []
    for link in LINK.findall(CODE.sub("", prose)):
        if re.match(r"[a-z][a-z+.-]*:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (PROJECT / page).parent / path if path else PROJECT / page
        if not target.exists():
            wrong.append(link)
        elif anchor and target.suffix == ".md":
            name = target.resolve().relative_to(PROJECT.resolve()).as_posix()
            wrong += [link] if anchor not in anchors(name) else []
    return wrong


def missing_files(prose: str) -> list[str]:
    """Paths between backticks that begin with a folder of this repository, and that nothing is at."""
    wrong = []
    for span in re.findall(r"`([^`\n]+)`", prose):
        named = NAMED.fullmatch(span.strip())
        if named and named["path"].partition("/")[0] in TOP and not _exists(named["path"]):
            wrong.append(span)
    return wrong


def _exists(path: str) -> bool:
    if braces := re.search(r"\{([^{}]*)\}", path):
        rest = (path[: braces.start()], path[braces.end() :])
        return all(_exists(choice.join(rest)) for choice in braces[1].split(","))
    if "*" in path:
        return any(PROJECT.glob(path.rstrip("/")))
    return (PROJECT / path).exists()


def missing_commands(prose: str) -> list[str]:
    """Make targets and modules of ours that a page tells a reader to run, and that are not there."""
    targets = set(TARGET.findall((PROJECT / "Makefile").read_text()))
    wrong = [
        f"make {name}"
        for name in re.findall(r"(?:^ {4}|`)make (?:-s )?([a-z][a-z-]*)", prose, re.MULTILINE)
        if name not in targets
    ]
    for module in re.findall(r"python3? -m ([\w.]+)", prose):
        if module.partition(".")[0] in TOP and not _is_module(module.rstrip(".")):
            wrong.append(f"python -m {module}")
    return wrong


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    assert broken_links(page, text(page)) == []


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_exists(page: str) -> None:
    assert missing_files(text(page)) == []


# The notes of older versions name commands of their time.
@pytest.mark.parametrize(
    "page", [page for page in PAGES if page != "CHANGELOG.md" and "/upgrade-" not in page]
)
def test_every_command_of_ours_exists(page: str) -> None:
    assert missing_commands(text(page)) == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached, ahead = set(), ["README.md"]
    while ahead:
        page = ahead.pop()
        if page in reached:
            continue
        reached.add(page)
        for link in LINK.findall(CODE.sub("", text(page))):
            target = ((PROJECT / page).parent / link.partition("#")[0]).resolve()
            if target.is_relative_to(PROJECT.resolve()):
                name = target.relative_to(PROJECT.resolve()).as_posix()
                ahead += [name] if name in PAGES else []
    unreached = {page for page in PAGES if page not in reached and not page.startswith(".github/")}
    assert unreached == set()


def test_what_is_wrong_is_found() -> None:
    link, file, command = "[x](no.md)", "`infra/none.py`", "    make nothing\n    python -m policies.nothing"
    assert broken_links("README.md", f"{link} [y](docs/settings.md#no-such) [z](#two-commands)") == [
        "no.md",
        "docs/settings.md#no-such",
    ]
    assert missing_files(
        f"{file} `infra/{{settings,none}}/` `infra/*.nothing` `other/none.py` `infra/geography.py:3`"
    ) == [
        "infra/none.py",
        "infra/{settings,none}/",
        "infra/*.nothing",
    ]
    assert missing_commands(f"{command}\n`make up`") == ["make nothing", "python -m policies.nothing"]
