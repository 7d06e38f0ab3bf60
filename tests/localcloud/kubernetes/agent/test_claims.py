"""Which pods the agent takes, and what it says of those that it leaves to kwok."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.contracts.labels import SIMULATED
from localcloud import environments
from localcloud.kubernetes.agent import claims, namespaces
from localcloud.kubernetes.api import Object


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine that allows namespaces, and has built no environment but the project's own."""
    monkeypatch.setattr(namespaces, "refused", lambda: "")
    monkeypatch.setattr(environments, "environment_home", lambda _file: tmp_path)
    monkeypatch.delenv(claims.HEAVY, raising=False)
    return tmp_path


def pod(*images: str, **annotations: str) -> Object:
    containers = [{"name": f"c{index}", "image": image} for index, image in enumerate(images)]
    return {"metadata": {"annotations": annotations}, "spec": {"containers": containers}}


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (["python:3.11-slim"], True),
        (["registry.example/team/training:2026.11"], True),
        (["python:3.11", "nginx:1"], False),
        (["mypython:3.11"], False),
    ],
)
def test_all_images_of_a_pod_are_in_the_table(images: list[str], expected: bool) -> None:
    assert claims.in_table(pod(*images)) is expected


def test_a_pod_that_is_simulated_stays_so() -> None:
    assert not claims.in_table(pod("python:3.11", **{SIMULATED: "no room"}))


def test_heavy_pods_run_where_they_were_asked_for(monkeypatch: pytest.MonkeyPatch, machine: Path) -> None:
    (machine / "bin").mkdir()
    (machine / "bin" / "python").touch()
    assert claims.HEAVY in claims.why_simulated(pod("training:local"))
    assert claims.why_simulated(pod("python:3.11")) == ""
    monkeypatch.setenv(claims.HEAVY, "1")
    assert claims.why_simulated(pod("training:local")) == ""
    (machine / "bin" / "python").unlink()
    assert "make environments" in claims.why_simulated(pod("training:local"))
