"""Programs go to clusters as ConfigMaps, which the policy pack reads: what their docstrings say is no destination."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from localcloud.directories import PROJECT
from policies.framework.record import Record
from tests.policies.harness import Shown, run_and_record
from workloads.training import pod

DEFINITIONS = "workloads/features/definitions"


def programs() -> Iterator[tuple[str, Mapping[str, str]]]:
    """The files of each workload whose program is carried into its pods."""
    yield "training", pod.files()
    for package in sorted(Path(PROJECT / "workloads").glob("*/package.py")):
        name = package.parent.name
        files = importlib.import_module(f"workloads.{name}.package").files
        yield name, files(DEFINITIONS) if inspect.signature(files).parameters else files()


FILES = dict(programs())


def judged(texts: Mapping[str, str]) -> Record:
    data = {path.replace("/", "."): text for path, text in texts.items()}
    shown = Shown(
        "kubernetes:core/v1:ConfigMap", {"metadata": {"name": "program", "namespace": "x"}, "data": data}
    )
    return run_and_record(shown)[1]


@pytest.mark.parametrize("name", FILES)
def test_no_program_of_ours_is_refused(name: str) -> None:
    assert len(FILES[name]) > 1
    assert [told.message for told in judged(FILES[name]).findings if told.stops] == []


def test_a_program_that_writes_elsewhere_is_refused_though() -> None:
    assert any(
        told.stops for told in judged({"write.py": 'TARGET = "s3://elsewhere-us-east-1/x"\n'}).findings
    )
