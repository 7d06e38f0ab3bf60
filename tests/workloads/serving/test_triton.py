"""Two models in one Triton, as the engine's row has it: the real server on CPU, of NVIDIA's wheel."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from localcloud import processes
from localcloud.environments import environment
from localcloud.kubernetes.agent import addresses
from tests.e2e.waiting import wait
from tests.workloads.moto_server import moto
from workloads.serving import engines as engines_module
from workloads.serving.engines import engines

pytestmark = pytest.mark.slow

SECONDS = 300
ENGINE = engines()["triton"]
REQUIREMENTS = Path(engines_module.__file__).with_name("requirements-triton.txt")
KEYS = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
CONFIG = """
backend: "python"
max_batch_size: 8
dynamic_batching {}
input [{ name: "IN" data_type: TYPE_FP32 dims: [2] }]
output [{ name: "OUT" data_type: TYPE_FP32 dims: [2] }]
"""
MODEL = """
import triton_python_backend_utils as triton


class TritonPythonModel:
    def execute(self, requests):
        given = [triton.get_input_tensor_by_name(request, "IN").as_numpy() for request in requests]
        return [triton.InferenceResponse([triton.Tensor("OUT", values FORMULA)]) for values in given]
"""
MODELS = {"doubled": "* 2", "raised": "+ 1"}


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """An S3 of moto's."""
    with moto() as address:
        yield address


@pytest.fixture(scope="module", params=["folder", "lake"])
def repository(request: pytest.FixtureRequest, folder: Path, store: str) -> str:
    """Where the server finds its models: in a folder, or in a bucket."""
    if request.param == "folder":
        return str(folder)
    s3 = boto3.client("s3", endpoint_url=store, region_name="us-east-1", **KEYS)
    s3.create_bucket(Bucket="lake")
    for file in (each for each in folder.rglob("*") if each.is_file()):
        s3.upload_file(str(file), "lake", f"released/repository/{file.relative_to(folder)}")
    return f"s3://{store}/lake/released/repository"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    for name, formula in MODELS.items():
        (folder / name / "1").mkdir(parents=True)
        (folder / name / "config.pbtxt").write_text(f'name: "{name}"\n{CONFIG}')
        (folder / name / "1" / "model.py").write_text(MODEL.replace("FORMULA", formula))
    return folder


@pytest.fixture(scope="module")
def address(repository: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the server answers: an address of its own, so that its ports are free."""
    python = environment(REQUIREMENTS)
    (site,) = (python.parent.parent / "lib").glob("python3.*/site-packages")
    wheel = site / "pytriton" / "tritonserver"
    folder = tmp_path_factory.mktemp("triton")
    # Its Python backend is in two places of the wheel: the library, and a stub for each Python.
    backend = folder / "backends" / "python"
    backend.mkdir(parents=True)
    stub = wheel / "python_backend_stubs" / site.parent.name.removeprefix("python")
    for file in (*(wheel / "backends" / "python").iterdir(), *stub.iterdir()):
        (backend / file.name).symlink_to(file)
    here = addresses.of_uid(uuid.uuid4().hex)
    values = {"weights": repository, "port": ENGINE.port, "drain": 10}
    words = [word.format(values[setting]) for setting, flags in ENGINE.flags.items() for word in flags]
    own = [f"--backend-directory={backend.parent}", "--allow-grpc=false", "--log-verbose=0"]
    own += [f"--http-address={here}", f"--metrics-address={here}"]
    variables = {
        **os.environ,
        "LD_LIBRARY_PATH": str(site / "nvidia_pytriton.libs"),
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(site),
        **{name.upper(): value for name, value in KEYS.items()},
    }
    server = processes.start([wheel / "bin" / "tritonserver", *words, *own], folder / "log", env=variables)
    try:
        wait(lambda: status(f"http://{here}:{ENGINE.port}{ENGINE.health}") == 200, SECONDS, "a ready server")
        yield here
    except AssertionError as error:
        raise AssertionError((folder / "log").read_text()[-3000:]) from error
    finally:
        processes.stop(server)


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            return answer.status
    except OSError:
        return 0


def infer(address: str, model: str, values: list[float]) -> list[float]:
    given: dict[str, Any] = {"name": "IN", "shape": [1, 2], "datatype": "FP32", "data": values}
    url = f"http://{address}:{ENGINE.port}/v2/models/{model}/infer"
    with urllib.request.urlopen(url, json.dumps({"inputs": [given]}).encode(), timeout=SECONDS) as answer:
        return json.loads(answer.read())["outputs"][0]["data"]


def test_two_models_answer_from_one_server_and_are_counted_apart(address: str) -> None:
    assert status(f"http://{address}:{ENGINE.port}{ENGINE.alive}") == 200
    assert infer(address, "doubled", [1, 2]) == [2, 4]
    assert infer(address, "raised", [1, 2]) == [2, 3]
    assert infer(address, "raised", [5, 5]) == [6, 6]
    # A request is counted after it is answered.
    wait(lambda: counted(address) == {"doubled": 1, "raised": 2}, SECONDS, "each request in the metrics")


def counted(address: str) -> dict[str, int]:
    """The requests that each model answered, by the server's metrics."""
    with urllib.request.urlopen(f"http://{address}:{ENGINE.metrics.port}/metrics", timeout=SECONDS) as answer:
        lines = answer.read().decode().splitlines()
    success = f"{ENGINE.metrics.prefix}inference_request_success{{"
    by_model = {name: [one for one in lines if f'model="{name}"' in one] for name in MODELS}
    return {
        name: int(line.rpartition(" ")[2])
        for name, of_model in by_model.items()
        for line in of_model
        if line.startswith(success)
    }


def test_a_model_that_is_not_there_is_an_error_of_the_client(address: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        infer(address, "tripled", [1, 2])
    assert caught.value.code in (400, 404)
