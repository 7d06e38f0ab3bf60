"""The network that a stack on Google names and somebody else keeps, where only the stack's resources are asked for
(cost, review, preflight): nobody made it on the local cloud, so a simulated one, which would do, stands for it.

An update has none: there the network must have been made.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.stacks import read

VARIABLE = "INDIA_AI_INFRA_GOOGLE_NETWORK"
NETWORK, SUBNET = "gcp:compute/network:Network", "gcp:compute/subnetwork:Subnetwork"
# Room for the largest stack: nodes, pods and Services, apart from each other and from this project's own defaults.
CIDR, RANGES = (
    "10.208.0.0/16",
    {"podsRange": ("pods", "10.192.0.0/12"), "servicesRange": ("services", "10.209.0.0/20")},
)


def environment(stack_file: Path) -> dict[str, str]:
    """What makes the provider know the network that a stack's file names; nothing where it names none."""
    config = read(stack_file).get("config") or {}
    clouds = [cloud for key, cloud in config.items() if key.endswith(":gcp") and isinstance(cloud, dict)]
    named = [(cloud, (cloud.get("network") or {}).get("existing") or {}) for cloud in clouds]
    made = [_made(cloud, existing) for cloud, existing in named if existing]
    return {VARIABLE: json.dumps(made[0])} if made else {}


def simulated(token: str) -> Mapping[str, Any]:
    """The records of a type that stand for somebody else's, by their ids."""
    return json.loads(os.environ.get(VARIABLE) or "{}").get(token, {})


def _made(cloud: Mapping[str, Any], existing: Mapping[str, Any]) -> dict[str, Any]:
    project, region = cloud.get("project"), cloud.get("region")
    network, subnet = (str(existing.get(key, "")).rpartition("/")[2] for key in ("network", "subnetwork"))
    vpc = f"projects/{project}/global/networks/{network}"
    ranges = [
        {"rangeName": existing.get(key, name), "ipCidrRange": cidr} for key, (name, cidr) in RANGES.items()
    ]
    inputs = {
        "name": subnet,
        "project": project,
        "region": region,
        "network": vpc,
        "ipCidrRange": CIDR,
        "secondaryIpRanges": ranges,
        "privateIpGoogleAccess": True,
    }
    return {
        NETWORK: {vpc: _record({"name": network, "project": project})},
        SUBNET: {f"projects/{project}/regions/{region}/subnetworks/{subnet}": _record(inputs)},
    }


def _record(inputs: dict[str, Any]) -> dict[str, Any]:
    return {"inputs": inputs, "drawn": {"digits": "1", "created": "2026-01-01T00:00:00Z"}}
