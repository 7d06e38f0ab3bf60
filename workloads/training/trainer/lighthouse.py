"""The lighthouse of torchft: it tells the replicas of a job who of them is there. It holds no state of the training.

python -m trainer.lighthouse --port 29510
"""

from __future__ import annotations

import argparse
import importlib.util
import signal
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
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    server.shutdown()


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
