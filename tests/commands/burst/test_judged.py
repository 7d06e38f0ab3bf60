"""The policy pack judges the files of a burst as it judges resources: a foreign place in any of them is a finding."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from commands.burst import command, judged, modal, runpod, skypilot
from commands.burst.providers import BurstError, providers
from tests.commands.burst.asking import asked, buckets_in

pytestmark = pytest.mark.slow


def files_of(to: str, folder: Path) -> dict[str, str]:
    if to == "skypilot":
        return skypilot.written(asked(folder, "local", "training"), providers()[to], ())
    if to == "runpod":
        return runpod.written(asked(folder, "prod", "serving"), providers()[to], (), "img.example.in/serve:1")
    return modal.written(asked(folder, "prod", "serving", "public"), providers()[to], ())


def found(to: str, files: dict[str, str]) -> list[str]:
    lake = ("s3://lake-checkpoints-1a2b",)
    return [f"{one.control} {one.where}" for one in judged.findings("local", to, files, lake)]


@pytest.mark.parametrize("to", ["skypilot", "runpod"])
def test_what_stays_in_india_passes(tmp_path: Path, to: str) -> None:
    assert found(to, files_of(to, tmp_path)) == []


@pytest.mark.parametrize(
    ("to", "path", "home", "abroad", "where"),
    [
        ("skypilot", "task.yaml", "aws/ap-south-1", "aws/us-east-1", r"resources.ordered\[0\].infra"),
        ("skypilot", "task.yaml", "aws/ap-south-1", "gcp/europe-west4", r"resources.ordered\[0\].infra"),
        ("skypilot", ".sky.yaml", "aws/ap-south-1", "aws/eu-west-1", "jobs.controller.resources.infra"),
        ("skypilot", ".sky.yaml", "lake-checkpoints-1a2b", "somebodys", "jobs.bucket"),
        (
            "skypilot",
            "task.yaml",
            "docker:training:local",
            "docker:us-docker.pkg.dev/p/r/i:1",
            "resources.image_id",
        ),
        ("runpod", "endpoint.json", "AP-IN-1", "EU-RO-1", r"dataCenterIds\[0\]"),
        ("runpod", "endpoint.json", "AP-IN-1", "US-GA-2", r"dataCenterIds\[0\]"),
    ],
)
def test_a_foreign_place_is_a_finding(
    tmp_path: Path, to: str, path: str, home: str, abroad: str, where: str
) -> None:
    files = files_of(to, tmp_path)
    assert home in files[path]
    changed = {**files, path: files[path].replace(home, abroad)}
    assert any(re.search(where, finding) for finding in found(to, changed)), found(to, changed)


def test_every_data_centre_abroad_is_a_finding(tmp_path: Path) -> None:
    files = files_of("runpod", tmp_path)
    for name in providers()["runpod"].regions.countries:
        text = files["endpoint.json"].replace("AP-IN-1", name)
        assert bool(found("runpod", {"endpoint.json": text})) == (name != "AP-IN-1"), name


def test_modals_regions_are_findings_whatever_the_data(tmp_path: Path) -> None:
    places = found("modal", files_of("modal", tmp_path))
    assert {"DPDP-RES-01 computeRegion[0]", "DPDP-RES-01 routingRegion"} <= set(places)


def test_findings_stop_the_files_of_personal_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    abroad = {"task.yaml": "resources: {infra: aws/us-east-1}"}
    monkeypatch.setattr(command.skypilot, "written", lambda *_: abroad)
    with pytest.raises(BurstError, match=r"the policies stop this:\n.*DPDP-RES-18.*aws/us-east-1"):
        command.burst("skypilot", "prod", "serving", None, buckets_in(tmp_path), None, None, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_writes_what_passed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    command.burst("skypilot", "local", "training", None, buckets_in(tmp_path), None, None, out)
    assert (out / "task.yaml").exists()
    assert (out / "files" / "trainer" / "launch.py").exists()
    assert "sky jobs launch task.yaml" in capsys.readouterr().out
