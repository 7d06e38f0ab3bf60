"""The metadata service of each node, on the node's own loopback address, as EC2 and Compute Engine serve it.

Played: who the machine is, and the notice of its end, which `make reclaim` puts on the node. Sources: EC2 User Guide,
"Instance metadata categories" and "Spot Instance interruption notices"; Compute Engine, "Predefined metadata keys".
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from infra.contracts.labels import (
    CAPACITY_TYPE_LABEL,
    INSTANCE_TYPE_LABEL,
    INTERRUPTION,
    REGION_LABEL,
    ZONE_LABEL,
)
from localcloud.kubernetes.api import Object
from localcloud.permissions.gate import Gate, HttpRequest, HttpResponse

PORT = 16925  # of each node's own address: 80, as on the clouds, is for root
TOKEN = "/latest/api/token"
AWS, GOOGLE = "/latest/meta-data/", "/computeMetadata/v1/"


@dataclass
class Metadata:
    """The metadata service of one node. `node` gives the node as it is now; None when it is gone."""

    node: Callable[[], Object | None]
    _tokens: set[str] = field(default_factory=set)

    def answer(self, asked: HttpRequest) -> HttpResponse:
        """What the cloud whose machine the node is answers."""
        node = self.node()
        headers = {name.lower(): value for name, value in asked.headers.items()}
        path = asked.target.partition("?")[0]
        if node is None:
            return HttpResponse(404, {})
        if on_google(node):
            if headers.get("metadata-flavor") != "Google":
                return HttpResponse(403, {}, b"Missing Metadata-Flavor:Google header.")
            return _found(google(node).get(path.removeprefix(GOOGLE)), {"Metadata-Flavor": "Google"})
        if (asked.method, path) == ("PUT", TOKEN):
            return self._give_token(headers.get("x-aws-ec2-metadata-token-ttl-seconds", ""))
        if headers.get("x-aws-ec2-metadata-token") not in self._tokens:
            return HttpResponse(401, {})
        return _found(aws(node).get(path.removeprefix(AWS)), {})

    def _give_token(self, seconds: str) -> HttpResponse:
        if not (seconds.isdigit() and 1 <= int(seconds) <= 21600):
            return HttpResponse(400, {})
        token = secrets.token_urlsafe(40)
        self._tokens.add(token)
        return HttpResponse(200, {"X-aws-ec2-metadata-token-ttl-seconds": seconds}, token.encode())


def on_google(node: Object) -> bool:
    """Whether the node's machine is Google's."""
    return node["spec"].get("providerID", "").startswith("gce://")


def aws(node: Object) -> dict[str, str]:
    """EC2's keys below `latest/meta-data`. Those of an interruption are there from its notice on."""
    labels, noticed, taken = _about(node)
    given = {
        "instance-id": node["spec"].get("providerID", "").rpartition("/")[2],
        "instance-type": labels.get(INSTANCE_TYPE_LABEL, ""),
        "instance-life-cycle": "spot" if labels.get(CAPACITY_TYPE_LABEL) == "spot" else "on-demand",
        "placement/region": labels.get(REGION_LABEL, ""),
        "placement/availability-zone": labels.get(ZONE_LABEL, ""),
    }
    if taken:
        given |= {
            "spot/instance-action": json.dumps({"action": "terminate", "time": taken}),
            "spot/termination-time": taken,
            "events/recommendations/rebalance": json.dumps({"noticeTime": noticed}),
        }
    return given


def google(node: Object) -> dict[str, str]:
    """Compute Engine's keys below `computeMetadata/v1`."""
    labels, _, taken = _about(node)
    return {
        "instance/name": node["metadata"]["name"],
        "instance/zone": f"projects/0/zones/{labels.get(ZONE_LABEL, '')}",
        "instance/machine-type": f"projects/0/machineTypes/{labels.get(INSTANCE_TYPE_LABEL, '')}",
        "instance/preempted": "TRUE" if taken else "FALSE",
        "instance/maintenance-event": "TERMINATE_ON_HOST_MAINTENANCE" if taken else "NONE",
    }


def _about(node: Object) -> tuple[Mapping[str, str], str, str]:
    """The node's labels, when its notice came, and when its machine is taken; empty while there is none."""
    metadata = node["metadata"]
    noticed, _, taken = (metadata.get("annotations") or {}).get(INTERRUPTION, "").partition("/")
    return metadata.get("labels") or {}, noticed, taken


def _found(value: str | None, headers: Mapping[str, str]) -> HttpResponse:
    if value is None:
        return HttpResponse(404, headers)
    return HttpResponse(200, {"Content-Type": "text/plain", **headers}, value.encode())


class MetadataServers:
    """The services of all nodes, each from its first pod that runs until its node is gone."""

    def __init__(self, node: Callable[[str], Object | None]) -> None:
        self._node = node
        self._gates: dict[str, Gate] = {}
        self._lock = threading.Lock()

    def variables(self, name: str, address: str) -> dict[str, str]:
        """What sends the clouds' own libraries to the service of a node, which has a loopback address."""
        node = self._node(name)
        if node is None:
            return {}
        with self._lock:
            if name not in self._gates:
                gate = Gate(Metadata(lambda: self._node(name)).answer, address, PORT)
                self._gates[name] = gate.__enter__()
        if on_google(node):
            return {"GCE_METADATA_HOST": f"{address}:{PORT}"}
        return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": self._gates[name].url}

    def close(self, name: str) -> None:
        """Stop the service of a node."""
        with self._lock:
            gate = self._gates.pop(name, None)
        if gate:
            gate.__exit__()
