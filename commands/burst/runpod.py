"""A Serverless endpoint of RunPod for a model server: its image, and the bodies of the two calls that make it.

Read: runpod/docs api-reference/openapi.json (POST /templates, POST /endpoints) at 2026-11, pods/templates/
environment-variables (RUNPOD_DC_ID); the runpod 1.12.0 wheel (the handler).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from commands.burst.providers import INDIA, BurstError, Provider
from commands.burst.request import Request

HANDLER = Path(__file__).with_name("programs") / "runpod_handler.py"
RUNPOD = "1.12.0"
WORKERS = 3
DISK_GB = 100
QUEUE = (
    "RunPod says where workers are, and not where its queue (api.runpod.ai) keeps requests and answers until they are "
    "fetched: have it in writing before personal data pass it"
)


def written(
    request: Request, provider: Provider, regions: Sequence[str], image: str | None
) -> dict[str, str]:
    """The files of the endpoint, by their path. Without `regions` it is in India.

    Raises:
        BurstError: the data are personal and a data centre is abroad, or something that RunPod does not have.
    """
    burst = request.burst
    if burst.port is None or burst.files:
        raise BurstError(
            f"{burst.name} is a job, and a Serverless endpoint is for servers: TO=skypilot runs jobs"
        )
    centres = list(regions) or provider.indian
    countries = {name: provider.region(name) for name in centres}
    if request.personal and (abroad := [name for name, country in countries.items() if country != INDIA]):
        raise BurstError(
            f"REGIONS={','.join(abroad)}: the data of stack {request.stack} are {request.data_class}, and may be in "
            f"{', '.join(provider.indian)} alone"
        )
    if not image:
        raise BurstError("IMAGE= is missing: the name under which you push what the Dockerfile builds")
    gpu = provider.gpu(request.pool.machine.gpu, burst.gpus)
    template = {
        "name": burst.name,
        "imageName": image,
        "isServerless": True,
        "isPublic": False,
        "containerDiskInGb": DISK_GB,
        "env": _environment(request, centres),
    }
    endpoint = {
        "name": burst.name,
        "templateId": "",
        "computeType": "GPU",
        "gpuTypeIds": [gpu],
        "gpuCount": burst.gpus,
        # Silence would be any data centre in the world.
        "dataCenterIds": centres,
        "workersMin": 0,
        "workersMax": WORKERS,
    }
    return {
        "Dockerfile": _dockerfile(request),
        "handler.py": HANDLER.read_text(),
        "template.json": _json(template),
        "endpoint.json": _json(endpoint),
    }


def _environment(request: Request, centres: Sequence[str]) -> Mapping[str, str]:
    own = {"SERVER": f"http://127.0.0.1:{request.burst.port}", "HEALTH": request.burst.health}
    return {
        **request.burst.environment,
        **own,
        **({"DATA_CENTERS": ",".join(centres)} if request.personal else {}),
    }


def _dockerfile(request: Request) -> str:
    """The server's own image, with the worker beside it. Either's end is the container's, and RunPod starts another."""
    start = f"{request.burst.command} & python3 /handler.py & wait -n"
    return (
        f"FROM {request.burst.image}\n"
        f"RUN python3 -m pip install --no-cache-dir runpod=={RUNPOD}\n"
        "COPY handler.py /handler.py\n"
        f"ENTRYPOINT {json.dumps(['bash', '-c', start])}\n"
    )


def _json(body: Mapping[str, Any]) -> str:
    return json.dumps(body, indent=2) + "\n"
