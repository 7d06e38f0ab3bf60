"""The model server on a rented or serverless GPU: vLLM with the stack's settings, without a cluster."""

from __future__ import annotations

import shlex

from infra.contracts.burst import SERVER_KEY, Burst
from infra.contracts.cluster import Pool
from infra.settings.workloads.serving import Serving
from workloads.serving.needs import IMAGE

PORT = 8000


def burst(settings: Serving, pool: Pool, usd_inr: float) -> Burst:
    """One server of vLLM; whoever runs it decides how many. It takes the model from the hub.

    Raises ValueError for another engine, and for weights or adapters of the lake, which need the pod's own identity.
    """
    for name, given in (("weights", settings.weights), ("adapters", settings.adapters)):
        if given:
            raise ValueError(
                f"workloads.serving.{name} are in the lake, which only pods of the stack read: leave them out"
            )
    if settings.engine != "vllm":
        raise ValueError(f"workloads.serving.engine is {settings.engine}: outside a cluster it is vllm")
    flags = [
        settings.model,
        f"--served-model-name={settings.model}",
        f"--port={PORT}",
        f"--tensor-parallel-size={settings.gpus}",
        *([f"--max-model-len={settings.max_model_len}"] if settings.max_model_len else []),
        *([f"--quantization={settings.quantization}"] if settings.quantization else []),
        *settings.engine_args,
    ]
    key = f'${{{SERVER_KEY}:+--api-key "${SERVER_KEY}"}}'
    return Burst(
        name=settings.name,
        image=settings.image or IMAGE,
        command=f"vllm serve {shlex.join(flags)} {key}",
        gpus=settings.gpus,
        environment={"DO_NOT_TRACK": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"},
        port=PORT,
    )
