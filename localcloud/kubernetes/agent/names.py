"""The names of a cluster's Services and of the pods of headless ones, and the ways to the pods that run."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from localcloud.kubernetes.agent import addresses
from localcloud.kubernetes.agent.hosts import Name
from localcloud.kubernetes.api import Object

SERVICE_LABEL = "kubernetes.io/service-name"

# An address and a port.
Place = tuple[str, int]


@dataclass(frozen=True)
class Endpoint:
    """A pod that runs and is ready, behind a Service; `ports` are its own by the name of the Service's."""

    address: str
    hostname: str
    ports: dict[str, int]


class Names:
    """What Services and their EndpointSlices say, whose readiness the real controllers judge. `address_of` is the
    address of a pod that runs, by uid; `on_change` hears of each change."""

    def __init__(self, address_of: Callable[[str], str | None], on_change: Callable[[], None]) -> None:
        self._address_of, self._on_change = address_of, on_change
        self._services: dict[str, Object] = {}
        self._slices: dict[str, Object] = {}
        self._lock = threading.Lock()

    def on_service(self, kind: str, item: Object) -> None:
        """A Service came, changed or went."""
        self._note(self._services, kind, item)

    def on_slice(self, kind: str, item: Object) -> None:
        """An EndpointSlice came, changed or went."""
        self._note(self._slices, kind, item)

    def _note(self, known: dict[str, Object], kind: str, item: Object) -> None:
        with self._lock:
            if kind == "DELETED":
                known.pop(item["metadata"]["uid"], None)
            else:
                known[item["metadata"]["uid"]] = item
        self._on_change()

    def all(self) -> list[Name]:
        """Every name that some pod that runs answers to. That of a headless Service has the addresses of its pods, any
        other an address of its own."""
        return [name for service, endpoints in self._behind() for name in _names(service, endpoints)]

    def ways(self) -> dict[Place, list[Place]]:
        """Where each port of a Service with an address of its own leads."""
        return {
            (addresses.of_uid(service["metadata"]["uid"]), port["port"]): [
                (each.address, each.ports[port.get("name", "")])
                for each in endpoints
                if port.get("name", "") in each.ports
            ]
            for service, endpoints in self._behind()
            if not _headless(service)
            for port in service["spec"].get("ports") or ()
            if port.get("protocol", "TCP") == "TCP"
        }

    def _behind(self) -> list[tuple[Object, list[Endpoint]]]:
        """Each Service that pods which run are behind, with them."""
        found: dict[tuple[str, str], list[Endpoint]] = defaultdict(list)
        with self._lock:
            for item in self._slices.values():
                metadata = item["metadata"]
                key = (metadata["namespace"], (metadata.get("labels") or {}).get(SERVICE_LABEL, ""))
                found[key] += self._endpoints(item)
            by_key = [(_key(service), service) for service in self._services.values()]
        return [(service, found[key]) for key, service in by_key if found.get(key)]

    def _endpoints(self, item: Object) -> Iterator[Endpoint]:
        ports = {port.get("name") or "": port["port"] for port in item.get("ports") or () if port.get("port")}
        for endpoint in item.get("endpoints") or ():
            address = self._address_of((endpoint.get("targetRef") or {}).get("uid", ""))
            # Absent means ready. Those of a Service that publishes pods which are not ready count as ready.
            if address and (endpoint.get("conditions") or {}).get("ready", True):
                yield Endpoint(address, endpoint.get("hostname") or "", ports)


def _names(service: Object, endpoints: list[Endpoint]) -> Iterator[Name]:
    namespace, name = _key(service)
    if not _headless(service):
        yield Name(namespace, name, "", addresses.of_uid(service["metadata"]["uid"]))
        return
    for endpoint in endpoints:
        yield Name(namespace, name, "", endpoint.address)
        if endpoint.hostname:
            yield Name(namespace, name, endpoint.hostname, endpoint.address)


def _headless(service: Object) -> bool:
    return service["spec"].get("clusterIP") == "None"


def _key(service: Object) -> tuple[str, str]:
    return service["metadata"]["namespace"], service["metadata"]["name"]
