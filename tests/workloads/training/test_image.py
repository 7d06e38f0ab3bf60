"""What the training image is built with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fsspec.registry import known_implementations

REQUIREMENTS = Path(__file__).parents[3] / "workloads/training/requirements.txt"


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_it_can_open_the_lakes_of_both_clouds(scheme: str) -> None:
    needed = known_implementations[scheme]["class"].partition(".")[0]
    assert needed in re.findall(r"^([a-z0-9]+)==", REQUIREMENTS.read_text(), re.MULTILINE)
