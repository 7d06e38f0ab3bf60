"""SkyPilot's optimiser beside our chooser, over the same rows: installed on demand, in an environment of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from commands.console import step
from infra.catalog.choose import Asked
from infra.catalog.machines import Machine, machines
from localcloud.directories import cache_dir

VERSION = "0.14.1"
ANSWER = Path(__file__).with_name("skypilot_answer.py")


class SkyPilotUnavailableError(Exception):
    """It can't be installed here, or gave no answer; the message is its last line."""


def answers(region: str, asked: Sequence[Asked]) -> list[float]:
    """USD an hour of a node that SkyPilot picks for each: by GPU, count and purchase, for it knows no fabric on AWS.

    Raises:
        SkyPilotUnavailableError: with what pip or SkyPilot said last.
    """
    python = _installed()
    given = {
        "rows": [row for found in machines(region) for row in _rows(found)],
        "asked": [_ask(region, one) for one in asked],
    }
    with step("SkyPilot's optimiser"):
        said = _run([str(python), str(ANSWER)], json.dumps(given))
    return json.loads(said.strip().splitlines()[-1])


def _installed() -> Path:
    folder = cache_dir() / f"skypilot-{VERSION}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        with step("SkyPilot from PyPI, once"):
            _run([sys.executable, "-m", "venv", str(folder)])
            _run([str(python), "-m", "pip", "install", "--quiet", f"skypilot=={VERSION}"])
        (folder / "ready").touch()
    return python


def _run(command: list[str], given: str = "") -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SkyPilotUnavailableError((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    return done.stdout


def _ask(region: str, asked: Asked) -> dict[str, Any]:
    spot = asked.purchase == "spot"
    return {"region": region, "gpu": _name(asked.gpu or ""), "count": asked.gpus_per_node, "spot": spot}


def _name(gpu: str) -> str:
    return gpu.replace(" ", "-")


def _rows(found: Machine) -> list[dict[str, Any]]:
    """A machine in the columns of SkyPilot's AWS catalogue, a row a zone; it knows no fractions of our kind."""
    if found.gpu and not found.gpu_count:
        return []
    row = {
        "InstanceType": found.machine_type,
        "AcceleratorName": _name(found.gpu),
        "AcceleratorCount": found.gpu_count or "",
        "vCPUs": found.vcpus,
        "MemoryGiB": found.memory_gib,
        "GpuInfo": "",
        "Price": found.on_demand_usd or "",
        "Region": found.region,
        "Arch": "x86_64",
    }
    return [
        {**row, "SpotPrice": found.price("spot", (zone,)) or "", "AvailabilityZone": zone}
        for zone in found.zones
    ]
