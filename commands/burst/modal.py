"""A model server on Modal. Never for personal data.

Read: modal.com/docs/guide/region-selection, guide/gpu, guide/security; the modal 1.6.4 wheel (App.server).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from commands.burst.providers import BurstError, Provider
from commands.burst.request import Request

PROGRAM = Path(__file__).with_name("programs") / "modal_app.py"
# Where requests enter: the valid ones are us-east, us-west, eu-west and ap-south (Mumbai).
ROUTING = "ap-south"
NEAREST = "ap-south"
CONTAINERS, STARTUP_SECONDS, GRACE_SECONDS = 3, 1800, 25
WHY = "no region of Modal's is India alone, and whatever the region it keeps inputs and outputs over 2 MiB in us-east"


def written(request: Request, provider: Provider, regions: Sequence[str]) -> dict[str, str]:
    """The files of the app, by their path. Without `regions` its containers are in southern Asia.

    Raises:
        BurstError: the data are personal, or something that Modal does not have.
    """
    burst = request.burst
    if request.personal:
        raise BurstError(
            f"the data of stack {request.stack} are {request.data_class}, and Modal is never for personal data: {WHY}; "
            "TO=skypilot stays in India"
        )
    if burst.port is None or burst.files:
        raise BurstError(
            f"{burst.name} is a job, and what is written for Modal is a server: TO=skypilot runs jobs"
        )
    for name in regions:
        provider.region(name)
    settings = {
        "name": burst.name,
        "image": burst.image,
        "command": burst.command,
        "environment": dict(burst.environment),
        "gpu": f"{provider.gpu(request.pool.machine.gpu, burst.gpus)}:{burst.gpus}",
        "port": burst.port,
        "computeRegion": list(regions) or [NEAREST],
        "routingRegion": ROUTING,
        "maxContainers": CONTAINERS,
        "startupSeconds": STARTUP_SECONDS,
        "graceSeconds": GRACE_SECONDS,
    }
    return {"modal_app.py": PROGRAM.read_text(), "burst.json": json.dumps(settings, indent=2) + "\n"}
