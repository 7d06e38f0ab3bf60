"""The policy pack as the official launcher starts it, and names that must not stand for others' modules."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2_grpc

from localcloud.directories import PROJECT
from policies import pack
from policies.framework import project

pytestmark = pytest.mark.slow

PACK = PROJECT / "policies"


@pytest.mark.parametrize("folder", [PROJECT, PACK])
def test_no_module_of_ours_stands_for_one_of_the_standard_library_or_of_a_package(folder: Path) -> None:
    """The launcher starts programs and packs with their own folder first on the path."""
    modules = {file.stem for file in folder.glob("*.py")} - {"__init__", "__main__"}
    modules |= {inner.name for inner in folder.iterdir() if inner.is_dir() and inner.name.isidentifier()}
    assert len(modules) > 3
    taken = {*sys.stdlib_module_names, *packages_distributions()}
    assert not modules & taken


def test_the_pack_starts_in_its_own_folder_with_nothing_on_the_path() -> None:
    command = [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(PACK)]
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with subprocess.Popen(command, cwd=PACK, env=bare, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout
            port = child.stdout.readline().strip()
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                info = analyzer_pb2_grpc.AnalyzerStub(channel).GetAnalyzerInfo(empty_pb2.Empty())
        finally:
            child.kill()
    assert info.name == pack.NAME
    assert len(info.policies) >= len(pack.CONTROLS)


def as_the_launcher(cwd: Path, child: str, env: dict[str, str]) -> str:
    """What a child in the pack's folder prints, whose parent runs in `cwd`."""
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], cwd={str(PACK)!r})"
    done = subprocess.run(
        [sys.executable, "-c", parent], cwd=cwd, env={**os.environ, **env}, stdout=subprocess.PIPE, text=True
    )
    return done.stdout.strip()


ASK = f"import sys; sys.path[0] = {str(PROJECT)!r}; from policies.framework import project; print(project.folder())"


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="only Linux shows where the launcher runs")
def test_files_beside_the_program_are_sought_where_the_launcher_runs(tmp_path: Path) -> None:
    assert as_the_launcher(tmp_path, ASK, {"PWD": "/"}) == str(tmp_path)


def test_else_in_the_shells_project_of_that_name(tmp_path: Path) -> None:
    """As where the system does not show the launcher's folder: here that is the pack's own."""
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: go\n")
    (tmp_path / "deep" / "broken").mkdir(parents=True)
    (tmp_path / "deep" / "Pulumi.yaml").write_text("name: other\n")
    (tmp_path / "deep" / "broken" / "Pulumi.yaml").write_bytes(b"\xff: [")
    told = {"PWD": str(tmp_path / "deep" / "broken"), "PULUMI_PROJECT": "shop"}
    assert as_the_launcher(PACK, ASK, told) == str(tmp_path)
    assert as_the_launcher(PACK, ASK, {**told, "PULUMI_PROJECT": "nobody's"}) == str(PACK)


def test_where_no_engine_started_it_the_working_directory_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert project.folder() == tmp_path
