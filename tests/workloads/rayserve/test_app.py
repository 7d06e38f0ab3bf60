"""The application runs on a real Ray, by the config that the component writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from localcloud.processes import free_port
from tests.workloads.linear_model import linear
from tests.workloads.ray_process import run_ray
from workloads.rayserve.component import RayServiceArgs, serve_config

pytestmark = pytest.mark.slow

HOME = Path(__file__).parents[3] / "workloads" / "rayserve"
# The configuration does not depend on it, and one of resources needs an engine.
NO_CLUSTER: Any = None
RIGHT = '{"rows": [[1, 2, 3, 4], [0, 0, 0, 0]]}'
WRONG = (
    '{"rows": [[1, 2, 3]]}',
    '{"rows": "x"}',
    '{"rows": [["a"]]}',
    '{"rows": []}',
    "{}",
    "[]",
    "nonsense",
)


def test_it_answers_and_refuses(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(linear([[1, 0], [0, 1], [1, 1], [0, 0]], [0.5, -0.5]))
    args = RayServiceArgs(NO_CLUSTER, "image", str(tmp_path), workers=1, cpus=2, min_replicas=1)
    config = serve_config("classify", str(tmp_path), args)
    program = str(Path(__file__).with_name("served.py"))
    own, bodies = {"PYTHONPATH": str(HOME)}, "\n".join([RIGHT, *WRONG])
    ran = run_ray(HOME / "requirements.txt", [program, str(free_port()), config], own, bodies)
    assert ran.returncode == 0, ran.stderr[-4000:]
    (answer,) = [line for line in ran.stdout.splitlines() if line.startswith("[[")]
    (status, scores), *refused = json.loads(answer)
    assert (status, json.loads(scores)) == (200, [[4.5, 4.5], [0.5, -0.5]])
    assert [status for status, _ in refused] == [400] * len(WRONG)
    assert "rows of 4 numbers, not 3" in refused[0][1]
