"""A site on premises as the stacks of tests have it."""

from __future__ import annotations

from typing import Any

# Of an authority that nobody has the key of any more.
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBUDCB9qADAgECAgEBMAoGCCqGSM49BAMCMCYxJDAiBgNVBAMMG3NpdGUuZXhh
bXBsZSB0ZXN0IGF1dGhvcml0eTAgFw0yNjAxMDEwMDAwMDBaGA8yMTI2MDEwMTAw
MDAwMFowJjEkMCIGA1UEAwwbc2l0ZS5leGFtcGxlIHRlc3QgYXV0aG9yaXR5MFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEwjYkhDceC1kkiM7BIs6D7taSJM6XF674
nXkpr5cSC1MgFV6/AEtaPD4pfDdamSdrimcoChqFmu01YTXmNTcxrqMTMBEwDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEA9tCyyEsEjnSQ0vpIX6bw
ZaC4buPpR3LhammKnRqrqkICIQDA2Qm/dOPm/IJKHdDUYn85gU1GsaA3s3Y8tuwK
8Zimzg==
-----END CERTIFICATE-----
"""
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
