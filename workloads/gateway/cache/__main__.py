"""Runs the cache: one process, whose replicas share Redis."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import prometheus_client
import uvicorn

from .app import Cache
from .metrics import REGISTRY
from .options import OptionsError, load

DRAIN_SECONDS = 60


def main() -> None:
    """Serve until SIGTERM, then answer what is in flight."""
    parser = argparse.ArgumentParser(prog="cache", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="JSON, see options.py")
    parser.add_argument("--secrets", type=Path, required=True, help="a folder with a file for each secret")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on")
    parser.add_argument("--port", type=int, default=8080, help="for clients")
    parser.add_argument("--metrics-port", type=int, default=9464, help="for Prometheus")
    parser.add_argument("--tls", type=Path, help="a folder with tls.crt and tls.key; plain HTTP without")
    given = parser.parse_args()
    try:
        options = load(given.config, given.secrets)
    except OptionsError as error:
        sys.exit(f"cache: {error}")
    prometheus_client.start_http_server(given.metrics_port, given.host, registry=REGISTRY)
    uvicorn.run(
        Cache(options),
        host=given.host,
        port=given.port,
        ssl_certfile=given.tls / "tls.crt" if given.tls else None,
        ssl_keyfile=given.tls / "tls.key" if given.tls else None,
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


main()
