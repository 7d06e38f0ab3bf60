"""The kubelets of a local cluster, in one process: it starts the pods whose image is in the table on any node."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import urlsplit

from infra.contracts.labels import SIMULATED
from localcloud.kubernetes.agent import addresses, claims, hosts
from localcloud.kubernetes.agent.databases import Databases
from localcloud.kubernetes.agent.forwarders import Forwarders
from localcloud.kubernetes.agent.metadata import MetadataServers, on_google
from localcloud.kubernetes.agent.names import Names
from localcloud.kubernetes.agent.plan import IDENTITY, hostname
from localcloud.kubernetes.agent.pod import ENDED, Place, Pod, forget
from localcloud.kubernetes.agent.references import References
from localcloud.kubernetes.api import MERGE, Api, ApiError, Object, UnreachableError

RETRY_SECONDS = 1.0
VITAL = "vital"  # the name of a thread without which the agent is of no use

Cloud = Literal["aws", "google"]

log = logging.getLogger(__name__)


class Stores(Protocol):
    """The object stores of a cloud, as its pods reach them: `stores.Stores` or `google_stores.GoogleStores`."""

    def variables(self, references: References, folder: Path, /) -> dict[str, str]:
        """What sends a pod's clients to its store, as its own identity. A token may be written to the folder."""
        ...


class NodeAgent:
    """All nodes of one cluster. `folder` is the cluster's; `stores` are those of each cloud; `interpreter` runs the
    launcher, under a name that says whose it is."""

    def __init__(
        self, api: Api, folder: Path, interpreter: list[str], endpoint: str, stores: Mapping[Cloud, Stores]
    ) -> None:
        self._api, self._endpoint = api, urlsplit(endpoint)
        self._stores = stores
        self._pods: dict[str, Pod] = {}
        self._nodes: dict[str, Object] = {}
        self._names = Names(self._address_of, self._refresh)
        self._forwarders = Forwarders()
        self._databases = Databases(folder, self._refresh)
        self._metadata = MetadataServers(self._node)
        self._place = Place(folder, interpreter, self._platform, self._hosts, self._node_address)

    def find(self, namespace: str, name: str) -> Pod | None:
        """The pod that runs under a name."""
        found = (pod for pod in list(self._pods.values()) if (pod.namespace, pod.name) == (namespace, name))
        return next(found, None)

    def run(self) -> None:
        """Watch the cluster, for ever."""
        watched: dict[str, Callable[[str, Object], None]] = {
            "/api/v1/nodes": self._on_node,
            "/api/v1/services": self._names.on_service,
            "/apis/discovery.k8s.io/v1/endpointslices": self._names.on_slice,
        }
        for path, heard in watched.items():
            threading.Thread(target=self._watch, args=(path, heard), name=VITAL, daemon=True).start()
        self._watch("/api/v1/pods", self._on_pod)

    def _watch(self, path: str, heard: Callable[[str, Object], None]) -> None:
        """Each change of a kind, `DELETED` also of what went while nobody watched."""
        known: dict[str, Object] = {}
        while True:
            seen: dict[str, Object] | None = {}
            try:
                for kind, item in self._api.watch(path):
                    if kind == "BOOKMARK":
                        continue
                    if kind == "LISTED":
                        for uid in known.keys() - (seen or {}).keys():
                            heard("DELETED", known.pop(uid))
                        seen = None
                        continue
                    uid = item["metadata"]["uid"]
                    if seen is not None:
                        seen[uid] = item
                    known[uid] = item
                    if kind == "DELETED":
                        del known[uid]
                    heard(kind, item)
            except (UnreachableError, ApiError) as error:
                log.warning("%s", error)
                time.sleep(RETRY_SECONDS)

    def _on_pod(self, kind: str, item: Object) -> None:
        pod = self._pods.get(item["metadata"]["uid"])
        if kind == "DELETED":
            if pod:
                del self._pods[pod.uid]
                pod.kill()
            return
        if pod:
            if "deletionTimestamp" in item["metadata"]:
                pod.delete(item["metadata"].get("deletionGracePeriodSeconds", 0))
        elif item["spec"].get("nodeName") and claims.in_table(item):
            self._take(item)

    def _take(self, item: Object) -> None:
        if item.get("status", {}).get("phase") in ENDED:
            if "deletionTimestamp" in item["metadata"]:
                forget(self._api, item)
            return
        if why := claims.why_simulated(item):
            self._simulate(item, why)
            return
        pod = Pod(self._api, item, self._place)
        self._pods[pod.uid] = pod
        log.info("%s/%s runs at %s on %s", pod.namespace, pod.name, pod.address, pod.node)
        if "deletionTimestamp" in item["metadata"]:
            pod.delete(0)  # it never began
        else:
            pod.start()

    def _simulate(self, item: Object, why: str) -> None:
        """Leave it to kwok, which takes a pod that says so."""
        metadata = item["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        said = {"metadata": {"uid": metadata["uid"], "annotations": {SIMULATED: why}}}
        try:
            self._api.request("PATCH", path, said, content=MERGE)
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    def _on_node(self, kind: str, item: Object) -> None:
        name = item["metadata"]["name"]
        if kind != "DELETED":
            self._nodes[name] = item
            return
        self._nodes.pop(name, None)
        self._metadata.close(name)
        for pod in list(self._pods.values()):
            if pod.node == name:
                log.info("%s/%s is lost with its node %s", pod.namespace, pod.name, name)
                pod.kill()

    def _address_of(self, uid: str) -> str | None:
        """The address of a pod that runs; None of one that is simulated."""
        pod = self._pods.get(uid)
        return pod.address if pod else None

    def _refresh(self) -> None:
        self._forwarders.update(self._names.ways())
        for pod in list(self._pods.values()):
            pod.write_hosts(self._hosts(pod.object))

    def _hosts(self, pod: Object) -> str:
        metadata = pod["metadata"]
        own = [(addresses.of_uid(metadata["uid"]), hosts.own_names(pod, hostname(pod)))]
        return hosts.text(self._names.all(), metadata["namespace"], [*own, *self._databases.names()])

    def _node(self, name: str) -> Object | None:
        """A node as it was last seen; asked for where a pod comes before the word of its node."""
        if name not in self._nodes:
            found = self._api.get({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
            return found and self._nodes.setdefault(name, found)
        return self._nodes[name]

    def _node_address(self, name: str) -> str:
        node = self._node(name)
        return addresses.of_uid(node["metadata"]["uid"]) if node else "127.0.0.1"

    def _platform(self, references: References, folder: Path) -> dict[str, str]:
        node = references.pod["spec"]["nodeName"]
        about = self._node(node)
        stores = self._stores.get("google" if about and on_google(about) else "aws")
        return {
            **(stores.variables(references, folder / IDENTITY) if stores else {}),
            **self._databases.prepare(references, folder),
            **self._metadata.variables(node, references.node_address),
            "KUBERNETES_SERVICE_HOST": self._endpoint.hostname or "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(self._endpoint.port),
            "KUBERNETES_SERVICE_PORT_HTTPS": str(self._endpoint.port),
        }
