"""What tests of the edge share: its environment, and its programs as they lie in a pod."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.environments import environment
from tests.workloads.forks import Forks
from workloads.compression.package import ROOT
from workloads.edge.package import files

BUNDLE, VERIFY = (f"workloads.edge.programs.{name}" for name in ("bundle", "verify"))


@pytest.fixture(scope="session")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs' files, and no others."""
    folder = tmp_path_factory.mktemp("pod")
    for path, text in files().items():
        (file := folder / path).parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


@pytest.fixture(scope="session")
def forks(pod: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """The edge environment with what publishes and verifies, which needs no torch."""
    python = environment(ROOT / "workloads/edge/requirements.txt")
    started = Forks(python, pod, [BUNDLE, VERIFY], tmp_path_factory.mktemp("edge"))
    yield started
    started.close()
