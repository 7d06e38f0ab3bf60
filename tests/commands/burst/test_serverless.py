"""RunPod and Modal: where personal data may go, and what the files say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from commands.burst import modal, runpod
from commands.burst.programs import runpod_handler as worker
from commands.burst.providers import BurstError, providers
from commands.burst.request import Request
from infra.settings.stack import PERSONAL_CLASSES
from tests.commands.burst.asking import asked


def on_runpod(
    request: Request, *regions: str, image: str | None = "img.example.in/serve:1"
) -> dict[str, str]:
    return runpod.written(request, providers()["runpod"], regions, image)


def on_modal(request: Request, *regions: str) -> dict[str, str]:
    return modal.written(request, providers()["modal"], regions)


@pytest.mark.parametrize("data_class", PERSONAL_CLASSES)
def test_personal_data_are_on_runpod_in_india_alone(tmp_path: Path, data_class: str) -> None:
    request = asked(tmp_path, "prod", "serving", data_class)
    assert json.loads(on_runpod(request)["endpoint.json"])["dataCenterIds"] == ["AP-IN-1"]
    assert json.loads(on_runpod(request)["template.json"])["env"]["DATA_CENTERS"] == "AP-IN-1"
    abroad = [name for name in providers()["runpod"].regions.countries if name != "AP-IN-1"]
    for name in abroad:
        for regions in ((name,), ("AP-IN-1", name)):
            with pytest.raises(BurstError, match=f"REGIONS={name}: the data of stack prod are {data_class}"):
                on_runpod(request, *regions)


def test_other_data_may_go_abroad_on_runpod_where_it_is_said(tmp_path: Path) -> None:
    request = asked(tmp_path, "prod", "serving", "internal")
    assert json.loads(on_runpod(request)["endpoint.json"])["dataCenterIds"] == ["AP-IN-1"]
    files = on_runpod(request, "EU-RO-1")
    assert json.loads(files["endpoint.json"])["dataCenterIds"] == ["EU-RO-1"]
    assert "DATA_CENTERS" not in json.loads(files["template.json"])["env"]


def test_a_runpod_endpoint_has_the_stacks_gpus_and_starts_from_none(tmp_path: Path) -> None:
    files = on_runpod(asked(tmp_path, "prod", "serving"))
    endpoint, template = json.loads(files["endpoint.json"]), json.loads(files["template.json"])
    assert (endpoint["gpuTypeIds"], endpoint["gpuCount"], endpoint["workersMin"]) == (["NVIDIA L40S"], 1, 0)
    assert template["imageName"] == "img.example.in/serve:1"
    assert "vllm serve Qwen/Qwen3-32B-FP8" in files["Dockerfile"]


@pytest.mark.parametrize("data_class", PERSONAL_CLASSES)
def test_personal_data_are_never_on_modal(tmp_path: Path, data_class: str) -> None:
    request = asked(tmp_path, "prod", "serving", data_class)
    for regions in ((), ("ap-south",), *((name,) for name in providers()["modal"].regions.countries)):
        with pytest.raises(BurstError, match="Modal is never for personal data"):
            on_modal(request, *regions)


def test_a_modal_app_has_the_stacks_gpus(tmp_path: Path) -> None:
    settings = json.loads(on_modal(asked(tmp_path, "prod", "serving", "public"))["burst.json"])
    assert (settings["gpu"], settings["computeRegion"], settings["routingRegion"]) == (
        "L40S:1",
        ["ap-south"],
        "ap-south",
    )
    with pytest.raises(BurstError, match="there is no region mars-1 there"):
        on_modal(asked(tmp_path, "prod", "serving", "public"), "mars-1")


@pytest.mark.parametrize("on", [on_runpod, on_modal])
def test_a_job_is_refused_where_servers_run(tmp_path: Path, on: Callable[[Request], dict[str, str]]) -> None:
    with pytest.raises(BurstError, match=r"train is a job, .*TO=skypilot runs jobs"):
        on(asked(tmp_path, "local", "training", "public"))


def test_an_image_that_nobody_names_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(BurstError, match="IMAGE= is missing"):
        on_runpod(asked(tmp_path, "prod", "serving"), image=None)


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({}, ""),
        ({"RUNPOD_DC_ID": "EU-RO-1"}, ""),
        ({"DATA_CENTERS": "AP-IN-1", "RUNPOD_DC_ID": "AP-IN-1"}, ""),
        ({"DATA_CENTERS": "AP-IN-1", "RUNPOD_DC_ID": "EU-RO-1"}, "this worker is in EU-RO-1"),
        # One that can't say where it is answers nothing.
        ({"DATA_CENTERS": "AP-IN-1"}, "a data centre that nobody names"),
    ],
)
def test_a_worker_abroad_answers_nothing(environment: dict[str, str], why: str) -> None:
    found = worker.misplaced(environment)
    assert why in found
    assert bool(found) == bool(why)


@pytest.mark.parametrize(
    "given",
    [
        "text",
        {},
        {"path": "/metrics", "body": {}},
        {"path": "/v1/../metrics", "body": {}},
        {"path": "/v1/completions", "body": []},
        {"path": ["/v1/"], "body": {}},
        {"path": "/v1/completions", "body": {"stream": True}},
    ],
)
def test_a_job_that_is_no_request_of_the_server_is_told_so(given: object) -> None:
    assert worker.handler({"input": given}).keys() == {"error"}
