"""The addresses of pods and Services on loopback.

A pod that runs has 127.a.b.c: all of 127.0.0.0/8 is this machine, so each may listen on the ports of its own.
Kubernetes refuses loopback addresses in EndpointSlices, so the API shows it as 10.a.b.c, with the same numbers.
"""

from __future__ import annotations

import hashlib

# Above what kwok gives to simulated pods (10.0.0.0/24) and the API server to Services.
_FIRST, _LAST = 128, 254


def of_uid(uid: str) -> str:
    """The loopback address of the object with a uid: of three random bytes, so that other clusters have others."""
    high, middle, low = hashlib.sha256(uid.encode()).digest()[:3]
    return f"127.{_FIRST + high % (_LAST - _FIRST)}.{middle}.{1 + low % 254}"


def shown(loopback: str) -> str:
    """The address as the API shows it."""
    return "10." + loopback.removeprefix("127.")


def loopback(shown: str) -> str:
    """The address on this machine of a pod that runs."""
    return "127." + shown.removeprefix("10.")
