"""A site on premises as the stacks of tests have it."""

from __future__ import annotations

import base64
from typing import Any

# DER begins with a sequence; nobody here reads further.
CERTIFICATE = (
    "-----BEGIN CERTIFICATE-----\n"
    + base64.b64encode(b"\x30\x82\x01\x0a" + bytes(64)).decode()
    + "\n-----END CERTIFICATE-----\n"
)
KEYS = {"onPremises:accessKey": "site-access", "onPremises:secretKey": "site-secret"}


def on_premises(**over: Any) -> dict[str, Any]:
    """The settings of a site with two nodes of eight GPUs, a BGP router and a store."""
    return {
        "nodeCidrs": ["192.168.10.0/24"],
        "podCidrs": ["172.24.0.0/16"],
        "vpn": {"address": "203.0.113.7", "asn": 65010},
        "certificateAuthority": CERTIFICATE,
        "pools": [{"name": "hall", "gpu": "H100", "gpusPerNode": 8, "nodes": 2, "vcpusPerNode": 96}],
        "store": {"endpoint": "https://s3.site.example:9443", "key": "lake"},
        **over,
    }
