"""No regular expression of the pack takes more time than its text is long: whoever writes a ConfigMap could stop a
preview with one that does. Times are compared with each other, never with a clock: four times the text, and less than
nine times the time (three for each doubling; a quadratic one takes sixteen).
"""

from __future__ import annotations

import base64
import importlib
import pkgutil
import random
import re
from collections import deque
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from time import thread_time
from typing import Any

import pytest

import policies
from policies.framework.resources import Resource
from policies.readers.values import hosts
from policies.readers.values.reading import read
from tests.policies.harness import Shown

pytestmark = pytest.mark.slow

# At this length a quadratic expression takes seconds and a linear one nothing; `make bench` times a megabyte.
LONGEST = 1 << 15
# Seconds of the processor below which a time says nothing.
_TOO_SHORT = 0.004
_LESS_THAN = 9
# Patterns made of rows, which are tried on a whole host.
WHOLE_HOSTS = "of whole hosts"
SOURCES = "\n".join(file.read_text() for file in Path(policies.__path__[0]).rglob("*.py"))
_BASE64 = base64.b64encode(random.Random(1).randbytes(3000)).decode()
FILLERS = (
    " ",
    "\n",
    ".",
    "-",
    "_",
    "/",
    ":",
    "=",
    "a",
    "1",
    "A",
    "a-",
    "a.",
    "a_",
    "a ",
    "a=",
    "a:",
    "a/",
    "1.",
    "a-1-",
    "a\n",
    "- ",
    "--a ",
    " #",
    "ap-south-1",
    "https://",
    "s3://b",
    '"a"',
    "'",
    "user@",
    _BASE64,
)


def modules() -> Iterator[Any]:
    for found in pkgutil.walk_packages(policies.__path__, "policies."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


@cache
def patterns() -> dict[re.Pattern[str], set[str]]:
    """Every compiled expression of the pack, also in tables, with the names that it has."""
    found: dict[re.Pattern[str], set[str]] = {}
    for members in (*(vars(module) for module in modules()), {WHOLE_HOSTS: hosts._patterns()}):
        todo = list(members.items())
        while todo:
            name, value = todo.pop()
            if isinstance(value, re.Pattern):
                found.setdefault(value, set()).add(name)
            elif isinstance(value, tuple | list | set | frozenset):
                todo += [(name, inner) for inner in value]
            elif isinstance(value, dict) and not name.startswith("__"):
                todo += [(name, inner) for inner in value.values()]
    return found


def is_matched_whole(names: set[str]) -> bool:
    """Whether an expression is only ever tried from the start of a text."""
    if names == {WHOLE_HOSTS}:
        return True
    used = {how for name in names for how in re.findall(rf"\b{name}\.(\w+)\(", SOURCES)}
    return bool(used) and used <= {"fullmatch", "match"}


def tried(pattern: re.Pattern[str], whole: bool) -> Callable[[str], Any]:
    """Uses an expression on a text to its end, as the pack does."""
    if whole:
        return pattern.fullmatch
    return lambda text: deque(pattern.finditer(text), maxlen=0)


def runs(pattern: re.Pattern[str]) -> list[str]:
    """What an expression may get stuck on: its own characters and words, and what texts are full of."""
    literal = re.sub(r"\\.|\(\?[:=!<P]*|[^\w.\-/:@ ]", " ", pattern.pattern)
    words = sorted(set(literal.split()), key=len)[-8:]
    characters = sorted({one for one in literal if one.isalnum()})[:6]
    return list(dict.fromkeys((*FILLERS, *characters, *words, *(f"{one}-" for one in characters[:2]))))


def grows_too_fast(use: Callable[[str], Any], filler: str) -> tuple[int, float] | None:
    """The length and the growth where a use takes more than nine times the time for four times the text."""
    size, before = 2048, 0.0
    while size <= LONGEST:
        now = seconds(use, filler, size)
        if now > max(_TOO_SHORT, _LESS_THAN * before):
            # Other work on the machine makes one time long; only the best of several says anything.
            before = min(seconds(use, filler, size // 4) for _ in range(5))
            now = min(now, *(seconds(use, filler, size) for _ in range(5)))
            if now > max(_TOO_SHORT, _LESS_THAN * before):
                return size, now / before
        size, before = size * 4, now
    return None


def seconds(use: Callable[[str], Any], filler: str, size: int) -> float:
    # What ends a run otherwise makes every try of it fail at the last character.
    text = (filler * (size // len(filler) + 1))[:size] + "\x01"
    start = thread_time()
    use(text)
    return thread_time() - start


def test_every_expression_is_looked_at() -> None:
    assert len(patterns()) > 30
    assert sum(map(is_matched_whole, patterns().values())) > 3


@pytest.mark.parametrize("pattern", patterns(), ids=lambda pattern: pattern.pattern[:40])
def test_an_expression_is_linear(pattern: re.Pattern[str]) -> None:
    use = tried(pattern, is_matched_whole(patterns()[pattern]))
    slow = {filler[:20]: found for filler in runs(pattern) if (found := grows_too_fast(use, filler))}
    assert not slow, f"{pattern.pattern}: {slow}"


def test_a_quadratic_expression_is_found_out() -> None:
    assert grows_too_fast(tried(re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+"), False), "a")
    assert not grows_too_fast(tried(re.compile(r"(?<![a-z0-9-])[a-z0-9-]+\."), False), "a")


@pytest.mark.parametrize("filler", FILLERS, ids=repr)
@pytest.mark.parametrize("type_", ["kubernetes:core/v1:ConfigMap", "aws:lambda/function:Function"])
def test_a_text_of_one_run_is_read_in_time(type_: str, filler: str) -> None:
    def reads(text: str) -> None:
        hosts.host.cache_clear()
        read(Resource(type_, Shown(type_, {}).urn, {"data": {"a": text}}))

    assert not grows_too_fast(reads, filler)
