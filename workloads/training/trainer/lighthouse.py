"""The lighthouse of torchft: it tells the replicas of a job who of them is there. It holds no state of the training.

python -m trainer.lighthouse --port 29510
"""

from __future__ import annotations

import argparse
import importlib.util
import signal
import time
from datetime import timedelta
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from pathlib import Path
from typing import Any

PORT = 29510  # torchft's own default


def serve(arguments: list[str]) -> None:
    """Serves until SIGTERM."""
    parser = argparse.ArgumentParser(prog="trainer.lighthouse", description=__doc__)
    parser.add_argument("--host", default="[::]")
    parser.add_argument("--port", type=int, default=PORT, help="0: a free one, which is printed")
    parser.add_argument(
        "--heartbeat-milliseconds", type=int, default=5000, help="who is silent for longer is gone"
    )
    parser.add_argument(
        "--join-milliseconds", type=int, default=60_000, help="a step waits this long for one that is there"
    )
    given = parser.parse_args(arguments)
    server = _extension().LighthouseServer(
        bind=f"{given.host}:{given.port}",
        min_replicas=1,
        join_timeout_ms=given.join_milliseconds,
        heartbeat_timeout_ms=given.heartbeat_milliseconds,
    )
    print(f"event=lighthouse address={server.address()}", flush=True)
    _wait_for_all(server.address(), given.heartbeat_milliseconds / 1000)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    server.shutdown()


def _wait_for_all(address: str, seconds: float) -> None:
    """Until all replicas had the time to be heard of, be one more, for which those that ask for a quorum wait.

    One that starts anew knows nobody. It would give the first replica that asks a quorum of its own, and then number
    the next one as one before it: the others would take it for what they have, and the first would wait for them.
    """
    port = address.rpartition(":")[2]
    client = _extension().LighthouseClient(f"http://localhost:{port}", timedelta(seconds=60))
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        client.heartbeat("the-lighthouse-starts")
        if signal.sigtimedwait({signal.SIGTERM, signal.SIGINT}, min(0.2, seconds)):
            raise SystemExit(0)


def _extension() -> Any:
    """The compiled half of torchft, in 12 MB: its package imports torch, and takes 700 MB."""
    package = importlib.util.find_spec("torchft")
    if package is None or not package.submodule_search_locations:
        raise SystemExit("error: torchft is not installed: build the image of workloads/training/Dockerfile")
    folder = Path(package.submodule_search_locations[0])
    path = next(
        folder / f"_torchft{suffix}"
        for suffix in EXTENSION_SUFFIXES
        if (folder / f"_torchft{suffix}").exists()
    )
    spec = importlib.util.spec_from_file_location(
        "_torchft", path, loader=ExtensionFileLoader("_torchft", str(path))
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    import sys

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    serve(sys.argv[1:])
