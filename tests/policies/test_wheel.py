"""The wheel `india-dpdp`: built, installed into an environment of its own, started as the official launcher does."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2 as proto
from pulumi.runtime.proto import analyzer_pb2_grpc

from policies.pack import CONTROLS, NAME, version

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the wheel, and of this project only what it depends on."""
    built, home = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("team") / "venv"
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(built)],
        cwd=PROJECT / "policies",
        check=True,
        capture_output=True,
    )
    (wheel,) = built.glob("india_dpdp-*.whl")
    assert wheel.name.split("-")[1] == version()
    venv.create(home, symlinks=True)
    packages = next(home.glob("lib/python*/site-packages"))
    zipfile.ZipFile(wheel).extractall(packages)
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    return home / "bin" / "python"


def ask(python: Path, *words: str) -> str:
    code = "from india_dpdp.policies.installed import main; main()"
    # Not in the project's folder, whose `policies` would be found instead.
    return subprocess.run(
        [python, "-c", code, *words], cwd=python.parent, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_it_is_a_pack_that_the_engine_starts_from_its_own_folder(python: Path) -> None:
    folder = Path(ask(python, "path"))
    assert (folder / "PulumiPolicy.yaml").is_file() and not folder.is_relative_to(PROJECT)
    command = [python, "-u", "-m", "pulumi.policy", "127.0.0.1:1", folder]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env=os.environ) as pack:
        try:
            assert pack.stdout
            with grpc.insecure_channel(f"127.0.0.1:{int(pack.stdout.readline())}") as channel:
                stub = analyzer_pb2_grpc.AnalyzerStub(channel)
                info = stub.GetAnalyzerInfo(empty_pb2.Empty(), timeout=20)
                request = proto.AnalyzeRequest(
                    type="aws:sqs/queue:Queue", urn="urn:pulumi:s::p::aws:sqs/queue:Queue::q"
                )
                request.properties.update({"region": "us-east-1"})
                answer = stub.Analyze(request, timeout=20)
        finally:
            pack.terminate()
    assert info.name == NAME
    served = {tag for policy in info.policies for tag in policy.tags}
    # Rupees are of the project that has the catalogue of prices.
    assert {control.id for control in CONTROLS} - served == {"COST-01"}
    assert any("[DPDP-RES-01]" in diagnostic.message for diagnostic in answer.diagnostics)


def test_its_commands_are_those_of_the_project(python: Path) -> None:
    said = ask(python, "--help")
    assert all(command in said for command in ("audit", "baseline", "report"))
