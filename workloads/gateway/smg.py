"""SMG, the gateway's program: its flags, and the file that tells it which servers there are.

Flags: `smg launch --help` of the wheel smg 1.13.0. Its image is built of that wheel (docker/Dockerfile of
smg-project/smg: ENTRYPOINT python3 -m smg.launch_router); its pages say that the registry has each release by its bare
version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

IMAGE = "ghcr.io/smg-project/smg:1.13.0"
PORT, METRICS_PORT = 30000, 29000
WORKERS_FILE = "workers.json"

# A server that is gone is seen within 15 s; until then a request that meets it is tried on another one.
HEALTH_SECONDS = 5
# Of one that is up before its weights are: nothing waits for it but its own registration.
STARTUP_CHECK_SECONDS = 5
DRAIN_SECONDS = 60


def flags(
    directory: str,
    keys: Mapping[str, str],
    *,
    port: int = PORT,
    metrics_port: int = METRICS_PORT,
    host: str = "0.0.0.0",
) -> list[str]:
    """The flags of the gateway. `directory` has the workers' file; `keys` are the tenants' API keys by their name.

    Servers come from a file and not by `--worker-urls`: with those SMG 1.13.0 ends when one does not answer, and in its
    mode for several models (`--enable-igw`) reads none of them.
    """
    return [
        f"--host={host}",
        f"--port={port}",
        f"--prometheus-host={host}",
        f"--prometheus-port={metrics_port}",
        "--enable-igw",
        "--backend=vllm",
        "--policy=cache_aware",
        "--discovery-provider=file",
        f"--discovery-file={directory}/{WORKERS_FILE}",
        f"--health-check-interval-secs={HEALTH_SECONDS}",
        f"--worker-startup-check-interval={STARTUP_CHECK_SECONDS}",
        f"--shutdown-grace-period-secs={DRAIN_SECONDS}",
        # Answers and conversations are kept by nobody here.
        "--history-backend=none",
        # Tokenizers come from a hub.
        "--disable-tokenizer-autoload",
        "--log-json",
        *(f"--tenant-api-key={name}:{key}" for name, key in sorted(keys.items())),
    ]


def manifest(servers: Mapping[str, Sequence[str]]) -> str:
    """The workers' file: the addresses of each model's servers. Which models they serve SMG asks them."""
    workers = [
        {"id": f"{name}-{at}", "url": url}
        for name, urls in sorted(servers.items())
        for at, url in enumerate(urls)
    ]
    return json.dumps({"version": 1, "workers": workers}, indent=1)
