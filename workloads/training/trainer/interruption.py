"""Hears that this node is about to go: from SIGTERM, and from the metadata service of AWS or Google.

The notice reaches one node only. `Interruption` remembers it, and the loop tells all ranks before their next step.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Protocol

# Of the 120 s that AWS gives, and the 30 that Google gives, a second is little; a request a second is no load.
POLL_SECONDS = 1.0
TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True)
class Notice:
    """What was announced. Not `final`: the node is at risk, and may stay."""

    reason: str
    final: bool


class Metadata(Protocol):
    """A cloud's metadata service, asked over and over."""

    def notice(self) -> Notice | None:
        """What it announces now; OSError if it does not answer."""
        ...


class Aws:
    """The instance metadata service of EC2, version 2. It has no document where nothing is announced."""

    def __init__(self) -> None:
        self._address = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254").rstrip(
            "/"
        )
        self._token = ""

    def notice(self) -> Notice | None:
        """A spot interruption, which is final; or a rebalance recommendation, which may come long before it."""
        if self._get("spot/instance-action"):
            return Notice("AWS announces a spot interruption", final=True)
        if self._get("events/recommendations/rebalance"):
            return Notice("AWS recommends a rebalance", final=False)
        return None

    def _get(self, path: str) -> str | None:
        for _ in range(2):
            if not self._token:
                ttl = {"X-aws-ec2-metadata-token-ttl-seconds": "21600"}
                self._token = _fetch(f"{self._address}/latest/api/token", ttl, "PUT") or ""
            try:
                header = {"X-aws-ec2-metadata-token": self._token}
                return _fetch(f"{self._address}/latest/meta-data/{path}", header)
            except urllib.error.HTTPError as error:
                if error.code != 401:
                    raise
                # The token is too old.
                self._token = ""
        return None


class Google:
    """The metadata server of Compute Engine."""

    def __init__(self) -> None:
        self._address = f"http://{os.environ.get('GCE_METADATA_HOST', 'metadata.google.internal')}"

    def notice(self) -> Notice | None:
        """Preemption, or a maintenance that ends the machine: both are final."""
        if (self._get("preempted") or "").upper() == "TRUE":
            return Notice("Google preempts the machine", final=True)
        if (self._get("maintenance-event") or "").upper().startswith("TERMINATE"):
            return Notice("Google ends the machine for maintenance", final=True)
        return None

    def _get(self, path: str) -> str | None:
        return _fetch(f"{self._address}/computeMetadata/v1/instance/{path}", {"Metadata-Flavor": "Google"})


def _fetch(address: str, headers: dict[str, str], method: str = "GET") -> str | None:
    """The text at an address, None where there is none (404)."""
    request = urllib.request.Request(address, headers=headers, method=method)
    # A proxy can't know what is announced to this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as response:
            return response.read().decode().strip()
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


def metadata(cloud: str) -> Metadata | None:
    """The metadata service of `interruptions.cloud`; None where the recipe names no cloud."""
    return {"aws": Aws, "google": Google}[cloud]() if cloud else None


class Interruption:
    """Remembers the notices of this process and, on the first rank of a node, of its metadata service."""

    def __init__(self, service: Metadata | None, say: Callable[[str], None]) -> None:
        self._say = say
        self._notices: list[Notice] = []
        # Python delivers signals to the main thread alone; Ray runs a rank in another one, and keeps them to itself.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._on_signal)
        if service:
            threading.Thread(target=self._poll, args=(service,), name="notices", daemon=True).start()

    @property
    def stopping(self) -> bool:
        """Whether this process has to save and end."""
        return any(notice.final for notice in self._notices)

    @property
    def at_risk(self) -> bool:
        """Whether to save soon, and go on."""
        return bool(self._notices)

    @property
    def reason(self) -> str:
        """The latest notice in words."""
        return self._notices[-1].reason if self._notices else ""

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._notices.append(Notice("SIGTERM", final=True))

    def _poll(self, service: Metadata) -> None:
        silent = False
        while not self.stopping:
            try:
                notice = service.notice()
                if notice and notice not in self._notices:
                    self._notices.append(notice)
            except OSError as error:
                if not silent:
                    self._say(f"event=metadata-silent error={str(error)!r} effect=only-SIGTERM-announces")
                silent = True
            else:
                silent = False
            time.sleep(POLL_SECONDS)
