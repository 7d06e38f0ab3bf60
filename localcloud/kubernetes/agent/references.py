"""What a pod's specification refers to: fields of the pod, ConfigMaps and Secrets."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.kubernetes.agent import addresses
from localcloud.kubernetes.agent.quantities import number, resource
from localcloud.kubernetes.api import Api, Object

_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


class NotThereError(LookupError):
    """A pod refers to a ConfigMap, a Secret or a key that is not there (yet)."""


@dataclass(frozen=True)
class References:
    """The references of one pod, resolved. `node_address` is that of its node on loopback."""

    api: Api
    pod: Object
    node_address: str = "127.0.0.1"

    @property
    def address(self) -> str:
        """The pod's own address on loopback."""
        return addresses.of_uid(self.pod["metadata"]["uid"])

    def data(self, kind: str, name: str, optional: bool = False) -> dict[str, bytes]:
        """The keys of a ConfigMap or a Secret of the pod's namespace."""
        namespace = self.pod["metadata"]["namespace"]
        wanted = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}}
        found = self.api.get(wanted)
        if found is None:
            if optional:
                return {}
            raise NotThereError(f'{kind.lower()} "{name}" not found')
        if kind == "Secret":
            return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}
        binary = {key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()}
        return binary | {key: value.encode() for key, value in (found.get("data") or {}).items()}

    def key(self, kind: str, reference: Mapping[str, Any]) -> str | None:
        """A key of a ConfigMap or Secret as text; None if it is optional and not there."""
        optional = reference.get("optional", False)
        data = self.data(kind, reference["name"], optional)
        if reference["key"] in data:
            return data[reference["key"]].decode()
        if optional:
            return None
        raise NotThereError(f"couldn't find key {reference['key']} in {kind} {reference['name']}")

    def field(self, path: str) -> str:
        """A field of the pod, by the path of the downward API."""
        if subscript := _SUBSCRIPT.fullmatch(path):
            return (self.pod["metadata"].get(subscript[1]) or {}).get(subscript[2], "")
        if path in ("metadata.labels", "metadata.annotations"):
            fields = self.pod["metadata"].get(path.removeprefix("metadata.")) or {}
            return "\n".join(f'{key}="{value}"' for key, value in sorted(fields.items()))
        known = {"status.podIP": self.address, "status.podIPs": self.address} | dict.fromkeys(
            ("status.hostIP", "status.hostIPs"), self.node_address
        )
        if path in known:
            return known[path]
        part, _, name = path.partition(".")
        return str(self.pod[part].get(name, ""))

    def resource(self, reference: Mapping[str, Any], container: Object) -> str:
        """A limit or request of a container, in units of its divisor, rounded up."""
        which, _, name = reference["resource"].partition(".")
        there = (container.get("resources") or {}).get(which) or {}
        value = number(there[name]) if name in there else resource(container, name) or 0
        return str(math.ceil(value / number(reference.get("divisor") or "1")))
