"""Startup, readiness and liveness probes of a container that runs."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.kubernetes.api import Object

# Runs a command in the container, for so many seconds; returns its exit code.
Exec = Callable[[list[str], float], int]


@dataclass(frozen=True)
class Target:
    """The container that probes ask: its address, its ports by name, and a way to run a command in it."""

    address: str
    ports: Mapping[str, int]
    execute: Exec


def unsupported(pod: Object) -> str:
    """Why a pod's probes can't be played; empty if they can."""
    for container in pod["spec"]["containers"]:
        for name in ("startupProbe", "readinessProbe", "livenessProbe"):
            if "grpc" in (container.get(name) or {}):
                return f"no gRPC probes here ({container['name']})"
    return ""


def succeeds(probe: Object, target: Target) -> bool:
    """Whether one try of a probe succeeds."""
    seconds = float(probe.get("timeoutSeconds", 1))
    if "exec" in probe:
        return target.execute(probe["exec"]["command"], seconds) == 0
    try:
        if "httpGet" in probe:
            return 200 <= http_get(probe["httpGet"], target, seconds) < 400
        port = _port(probe["tcpSocket"]["port"], target)
        with socket.create_connection((probe["tcpSocket"].get("host") or target.address, port), seconds):
            return True
    except (OSError, http.client.HTTPException):
        return False


def http_get(action: Mapping[str, Any], target: Target, seconds: float) -> int:
    """The status that a GET of a probe or a hook is answered with."""
    host, port = action.get("host") or target.address, _port(action["port"], target)
    if action.get("scheme") == "HTTPS":
        # A kubelet does not verify it either.
        unverified = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(host, port, timeout=seconds, context=unverified)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=seconds)
    headers = {header["name"]: header["value"] for header in action.get("httpHeaders") or ()}
    try:
        connection.request(
            "GET", action.get("path") or "/", headers={"User-Agent": "kube-probe/local"} | headers
        )
        return connection.getresponse().status
    finally:
        connection.close()


def _port(port: int | str, target: Target) -> int:
    return target.ports[port] if port in target.ports else int(port)  # pyright: ignore[reportArgumentType]


def watch(probe: Object, target: Target, ended: threading.Event, on_change: Callable[[bool], bool]) -> None:
    """Try a probe until the container ends, or `on_change` has heard enough. It is called with True after as many
    successes in a row as the threshold, with False after as many failures, once for each change."""
    ended.wait(probe.get("initialDelaySeconds", 0))
    state: bool | None = None
    row, last = 0, None
    while not ended.is_set():
        began = time.monotonic()
        result = succeeds(probe, target)
        if ended.is_set():
            return
        row = row + 1 if result == last else 1
        last = result
        wanted = probe.get("successThreshold", 1) if result else probe.get("failureThreshold", 3)
        if row >= wanted and result != state:
            state = result
            if on_change(result):
                return
        ended.wait(max(0.0, probe.get("periodSeconds", 10) - (time.monotonic() - began)))
