"""A SkyPilot task of a workload, for `sky jobs launch`, or `sky serve up` of a server. It never leaves India: every
resource that it may run on names an Indian region, and recovery chooses among those alone.

Read: the skypilot 0.14.1 wheel, sky/utils/schemas.py (fields), sky/jobs/controller.py (recover_on_exit_codes),
sky/data/storage.py (buckets that it makes are in us-east-1 unless it is told of one).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from commands.burst.providers import BurstError, Provider
from commands.burst.request import Request
from infra.catalog.choose import Asked, NoMachineError, choose
from infra.contracts.burst import FIRST_NODE, SERVER_KEY
from infra.geography import regions_of
from infra.settings.purchase import SPOT

TASK, CONFIG, FILES = "task.yaml", ".sky.yaml", "files"
# A server takes this long to load its weights, on a machine that has just started.
LOAD_SECONDS = 1800
BOUGHT = {SPOT: True, "on-demand": False}


def written(request: Request, provider: Provider, regions: Sequence[str]) -> dict[str, str]:
    """The files of the task, by their path. Without `regions`, those of the pool's cloud that have its GPUs.

    Raises:
        BurstError: a region is not in India, is not SkyPilot's, or has no such machine.
    """
    places = _places(request, provider, regions)
    burst = request.burst
    if burst.files and not request.scratch:
        raise BurstError("its files pass a bucket: give the names of the lake's, BUCKETS=buckets.json")
    files = {f"{FILES}/{path}": text for path, text in burst.files.items()}
    return {TASK: _yaml(_task(request, provider, places)), CONFIG: _yaml(_config(request, places)), **files}


def _places(request: Request, provider: Provider, regions: Sequence[str]) -> list[str]:
    for name in regions:
        if name not in provider.regions.countries:
            raise BurstError(
                f"REGIONS={name}: a task runs in India alone, and SkyPilot has {', '.join(provider.indian)} there"
            )
    cloud = request.pool.choice.machines[0].cloud
    of_cloud = [f"{cloud}/{name}" for name in regions_of(cloud)]
    # The pool's own region first: the lake is there.
    home = f"{cloud}/{request.pool.region}"
    wanted = list(regions) or sorted(
        (name for name in of_cloud if name in provider.indian), key=lambda n: n != home
    )
    offered = [name for name in wanted if any(_is_offered(request, name, way) for way in _ways(request))]
    if missing := [name for name in regions if name not in offered]:
        raise BurstError(
            f"REGIONS={','.join(missing)}: no machine there has what pool {request.pool.name} asks for"
        )
    if not offered:
        raise BurstError(f"no Indian region that SkyPilot has offers what pool {request.pool.name} asks for")
    return offered


def _ways(request: Request) -> list[str]:
    ways = [way for way in request.pool.settings.purchase if way in BOUGHT]
    if not ways:
        raise BurstError(
            f"pool {request.pool.name} is bought as {', '.join(request.pool.settings.purchase)}, and SkyPilot buys "
            "spot and on-demand"
        )
    return ways


def _is_offered(request: Request, place: str, way: str) -> bool:
    asked = Asked(
        gpu=request.pool.machine.gpu,
        gpus_per_node=request.pool.settings.gpus_per_node,
        purchase=way,
        min_spot_saving=request.pool.settings.min_spot_saving,
    )
    try:
        return bool(choose([place.partition("/")[2]], asked).machines)
    except NoMachineError:
        return False


def _task(request: Request, provider: Provider, places: Sequence[str]) -> dict[str, Any]:
    burst = request.burst
    gpu = provider.gpu(request.pool.machine.gpu, burst.gpus)
    resources: dict[str, Any] = {
        "image_id": f"docker:{burst.image}",
        "accelerators": {gpu: burst.gpus},
        **({"ports": burst.port} if burst.port else {"job_recovery": _recovery(burst.resumes)}),
        # The first that has room: every region on spot, before any on demand.
        "ordered": [
            {"infra": place, "use_spot": BOUGHT[way]}
            for way in _ways(request)
            for place in places
            if _is_offered(request, place, way)
        ],
    }
    task = {
        "name": burst.name,
        "num_nodes": burst.nodes,
        "resources": resources,
        "envs": dict(burst.environment),
    }
    if burst.port:
        probe = {"path": burst.health, "initial_delay_seconds": LOAD_SECONDS}
        # Anybody may reach its port: it has no value here, so that SkyPilot asks for one.
        task |= {"secrets": {SERVER_KEY: None}, "service": {"readiness_probe": probe, "replicas": 1}}
    if burst.files:
        task["file_mounts"] = {burst.directory: f"./{FILES}"}
    return {**task, "run": "\n".join(_run(request)) + "\n"}


def _recovery(resumes: Sequence[int]) -> dict[str, Any]:
    # The trainer saves and ends when it hears of a reclaim, before SkyPilot sees the machine go.
    return {"strategy": "FAILOVER", "max_restarts_on_errors": 0, "recover_on_exit_codes": list(resumes)}


def _run(request: Request) -> Iterator[str]:
    burst = request.burst
    if burst.nodes > 1 or FIRST_NODE in burst.command:
        yield f'export {FIRST_NODE}="$(echo "$SKYPILOT_NODE_IPS" | head -n 1)"'
    if burst.directory:
        yield f"cd {burst.directory}"
    yield f"exec {burst.command}"


def _config(request: Request, places: Sequence[str]) -> Mapping[str, Any]:
    """SkyPilot's settings for this folder: its controller is in India too, and files pass a bucket of the lake."""
    controller = {"controller": {"resources": {"infra": places[0]}}}
    if request.burst.port:
        return {"serve": controller}
    return {"jobs": {**({"bucket": request.scratch} if request.scratch else {}), **controller}}


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, so that people can read them."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


def _yaml(document: Mapping[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
