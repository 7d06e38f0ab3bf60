"""What the compression images are built with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fsspec.registry import known_implementations

FOLDER = Path(__file__).parents[3] / "workloads"


def pins(file: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (FOLDER / file).read_text(), re.MULTILINE))


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-llmcompressor.txt"])
@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_they_can_open_the_lakes_of_both_clouds(file: str, scheme: str) -> None:
    needed = known_implementations[scheme]["class"].partition(".")[0]
    assert needed in pins(f"compression/{file}")


def test_what_training_has_too_is_of_one_version() -> None:
    training, own = pins("training/requirements.txt"), pins("compression/requirements.txt")
    assert {name: own[name] for name in own.keys() & training.keys()} == {
        name: training[name] for name in own.keys() & training.keys()
    }
    assert {"torch", "transformers"} <= own.keys() & training.keys()


def test_the_image_has_the_torch_that_its_requirements_pin() -> None:
    bases = re.findall(r"pytorch/pytorch:([\d.]+)-", (FOLDER / "compression/Dockerfile").read_text())
    assert bases == [pins("compression/requirements.txt")["torch"]]
