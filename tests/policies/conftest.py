"""The harness is imported by name, from this folder."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from browser import Browser, NoBrowserError, find


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    try:
        yield find(tmp_path_factory.mktemp("browser"))
    except NoBrowserError as none:
        pytest.skip(str(none))
