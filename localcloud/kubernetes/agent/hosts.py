"""/etc/hosts of a namespace's pods: the names that a cluster's DNS would answer, on loopback."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from localcloud.kubernetes.api import Object

DOMAIN = "cluster.local"


@dataclass(frozen=True, order=True)
class Name:
    """A name of a Service, or of one of its pods (`host`), at an address."""

    namespace: str
    service: str
    host: str
    address: str

    def spellings(self, namespace: str) -> list[str]:
        """The name as a pod of `namespace` may write it, by the search domains of its resolver."""
        first = f"{self.host}.{self.service}" if self.host else self.service
        whole = f"{first}.{self.namespace}"
        near = [first] if namespace == self.namespace else []
        return [*near, whole, f"{whole}.svc", f"{whole}.svc.{DOMAIN}"]


def own_names(pod: Object, hostname: str) -> str:
    """What a pod calls itself, as a kubelet writes it: the whole name first, which `getfqdn` answers with."""
    if subdomain := pod["spec"].get("subdomain"):
        return f"{hostname}.{subdomain}.{pod['metadata']['namespace']}.svc.{DOMAIN} {hostname}"
    return hostname


def text(names: Iterable[Name], namespace: str, own: Iterable[tuple[str, str]] = ()) -> str:
    """The file for the pods of a namespace. `own` are addresses and names of the pod itself, and of what is outside the
    cluster."""
    return "".join(f"{line}\n" for line in _lines(names, namespace, own))


def _lines(names: Iterable[Name], namespace: str, own: Iterable[tuple[str, str]]) -> Iterator[str]:
    # A pod's localhost is the pod, and no other; here 127.0.0.1 is all of them. Its own name is first, for `getfqdn`.
    addresses = [*own]
    for address, name in addresses:
        yield f"{address} {name}"
    yield f"{addresses[0][0] if addresses else '127.0.0.1'} localhost"
    for name in sorted(set(names)):
        yield f"{name.address} {' '.join(name.spellings(namespace))}"
