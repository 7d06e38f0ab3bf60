"""A browser for the pages of the reports."""

from collections.abc import Iterator

import pytest

from tests.browser import Browser, NoBrowserError, find


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    try:
        yield find(tmp_path_factory.mktemp("browser"))
    except NoBrowserError as none:
        pytest.skip(str(none))
