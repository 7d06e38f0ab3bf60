"""What tests of golden sets share: their environment, and the programs as they lie in a pod."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localcloud.environments import environment
from tests.workloads.forks import Forks
from workloads.evaluation.package import ROOT, files

MAIN = "workloads.evaluation.programs.__main__"
# What a gate imports only when nothing given is wrong: once for all forks.
LATER = ["evaluate", "leaks", "page", "summary"]


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """The evaluation environment, with the program's files and no others."""
    pod = tmp_path_factory.mktemp("pod")
    for path, text in files().items():
        (file := pod / path).parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    python = environment(ROOT / "workloads/evaluation/requirements.txt")
    modules = [MAIN, *(f"workloads.evaluation.programs.{name}" for name in LATER)]
    started = Forks(python, pod, modules, tmp_path_factory.mktemp("evaluation"))
    yield started
    started.close()
