"""The gate that the settings ask for, and the refusal of one that could never pass."""

from __future__ import annotations

import json
from typing import Any

import pulumi
from pydantic.alias_generators import to_camel

from infra.contracts.site import Site, Sites
from infra.settings.errors import NOTHING, Problem
from infra.settings.valid_parts import Parts
from infra.settings.workloads import path_of
from infra.settings.workloads.evaluation import Evaluation
from infra.settings.workloads.serving import Serving
from workloads.evaluation.needs import NEEDS, VERDICTS
from workloads.workload import Workload

SETTINGS = path_of(Evaluation)


def build(settings: Evaluation, sites: Sites) -> None:
    """Leaves the gate to the server, which knows what it will run."""

    def gate(server: Any) -> pulumi.Resource:
        # The SDK of Kubernetes, which only who builds waits for.
        from workloads.evaluation.component import KEY_FOLDER, RolloutGate, RolloutGateArgs

        site = next(site for site in sites.by_place.values() if site.cluster.name == server.cluster.name)
        name = f"{settings.server}-gate"
        production = f"http://{settings.server}.{server.namespace}.svc:{server.engine.port}/v1"
        job = document(settings, server.model, server.engine.port, production)
        if settings.signing_secret:
            job["key"] = f"{KEY_FOLDER}/key.pem"
            _measure(job, server)
        return RolloutGate(
            name,
            RolloutGateArgs(
                server=server,
                image=site.image(settings.image),
                document=json.dumps(job, indent=1),
                words=_words(site, settings, server),
                urls=[production, *([settings.judge.url] if settings.judge else [])],
                signing_secret=settings.signing_secret,
                endpoint=site.lake.endpoint,
            ),
        )

    sites.gates[settings.server] = gate


def document(settings: Evaluation, model: str, port: int, production: str) -> dict[str, Any]:
    """The gate as its program reads it. The candidate is in the pod itself."""
    return {
        "goldenSet": settings.golden_set,
        "digest": settings.digest,
        "candidate": {"url": f"http://localhost:{port}/v1", "model": model, "revision": "{revision}"},
        "production": {"url": production, "model": model},
        "judge": {"url": f"{settings.judge.url}/v1", "model": settings.judge.model}
        if settings.judge
        else None,
        "rules": {to_camel(name): value for name, value in settings.rules.model_dump(by_alias=False).items()},
        "target": f"{{audit}}/{VERDICTS}{settings.server}",
    }


def _measure(job: dict[str, Any], server: Any) -> None:
    """A signed verdict names both models by their files, so that the registry promotes on it; reading them costs
    minutes of the candidate's GPUs."""
    if server.weights is not None:
        job["candidate"]["weights"] = "{revision}"
        # Whichever folder its engine names (programs/weights.py).
        job["production"]["weights"] = "served"


def _words(site: Site, settings: Evaluation, server: Any) -> dict[str, pulumi.Input[str]]:
    folders: dict[str, pulumi.Input[str]] = {
        f"{{{role}}}": site.lake[role].uri for role in ("curated", "audit")
    }
    return {**folders, "{revision}": server.weights or server.model}


def check_gate(parts: Parts) -> list[Problem]:
    """A problem where there is no such server, where the engine's API is another, or where its pool has no room for the
    candidate beside all replicas."""
    asked, serving = parts.workload(Evaluation), parts.workload(Serving)
    if asked is None:
        return []
    if serving is None or serving.name != asked.server:
        there = serving.name if serving else None
        return [Problem(f"{SETTINGS}.server", asked.server, f"a model server: {there or NOTHING}", there)]
    if serving.engine == "triton":
        allowed = f"a server with OpenAI's API: {asked.server} is Triton, whose models are not asked by chat"
        return [Problem(f"{SETTINGS}.server", asked.server, allowed)]
    pool = next((pool for pool in parts.pools.values() if pool.name == serving.pool), None)
    most = serving.scale.maximum if serving.scale else serving.replicas
    if pool and serving.gpus <= pool.gpus_per_node and most >= (room := pool.holds(serving.gpus)):
        allowed = f"fewer replicas than pool {pool.name} holds ({room}): the candidate is judged beside them"
        setting = "scale.maximum" if serving.scale else "replicas"
        near = str(room - 1) if room > 1 else None
        return [Problem(f"{path_of(Serving)}.{setting}", str(most), allowed, near)]
    return []


WORKLOAD = Workload(NEEDS, build, checks=(check_gate,))
