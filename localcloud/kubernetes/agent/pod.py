"""One pod that runs: its init containers in order, its containers, its end."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.kubernetes.agent import addresses, plan, status, volumes
from localcloud.kubernetes.agent.container import RETRY_SECONDS, Container, Launch, now
from localcloud.kubernetes.agent.images import table
from localcloud.kubernetes.agent.plan import Sandbox
from localcloud.kubernetes.agent.references import NotThereError, References
from localcloud.kubernetes.api import Api, ApiError, Object, UnreachableError

STRATEGIC = "application/strategic-merge-patch+json"
DEFAULT_GRACE = 30.0
ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True)
class Place:
    """Where the pods of a cluster run: a folder for their files, how to run the launcher, and what the platform gives
    to a pod's containers."""

    folder: Path
    interpreter: Sequence[str]
    platform: Callable[[References, Path], dict[str, str]]
    hosts: Callable[[Object], str]
    node_address: Callable[[str], str]


class Pod:
    """A pod that this agent runs, from `start` to its end; `delete` and `kill` end it from outside."""

    def __init__(self, api: Api, pod: Object, place: Place) -> None:
        self.api, self.object, self._place = api, pod, place
        metadata, spec = pod["metadata"], pod["spec"]
        self.uid, self.namespace, self.name = metadata["uid"], metadata["namespace"], metadata["name"]
        self.node = spec["nodeName"]
        self.folder = place.folder / "pods" / f"{self.namespace}_{self.name}_{self.uid}"
        self.address = addresses.of_uid(self.uid)
        self._references = References(api, pod, place.node_address(self.node))
        self._sandbox: Sandbox | None = None
        self._begun = now()
        self._ending = threading.Event()
        self._lost = False
        self._done = threading.Event()
        self._writing = threading.Lock()
        self.init = [self._container(each) for each in spec.get("initContainers") or () if _ours(each)]
        self.main = [self._container(each) for each in spec["containers"]]

    @property
    def hosts_file(self) -> Path:
        """Its /etc/hosts."""
        return self.folder / "hosts"

    @property
    def path(self) -> str:
        """Where the API server has it."""
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.name}"

    def start(self) -> None:
        """Begin to run it."""
        threading.Thread(target=self._run, name=self.name, daemon=True).start()

    def delete(self, grace: float) -> None:
        """End it because it is deleted, by its grace, and let the API server remove it. Does not wait."""
        if not self._ending.is_set():
            self._ending.set()
            threading.Thread(target=self._delete, args=(grace,), daemon=True).start()

    def kill(self) -> None:
        """End its processes at once: its node, or the pod itself, is gone."""
        self._lost = True
        self._ending.set()
        for container in (*self.init, *self.main):
            container.kill()

    def write_hosts(self, text: str) -> None:
        """Refresh its /etc/hosts in place: the file is mounted in its containers."""
        if not self.folder.exists() or (self.hosts_file.exists() and self.hosts_file.read_text() == text):
            return
        with self.hosts_file.open("r+b" if self.hosts_file.exists() else "wb") as file:
            file.write(text.encode())
            file.truncate()

    def _container(self, spec: Object) -> Container:
        restarts = self.object["spec"].get("restartPolicy", "Always")
        is_init = spec in (self.object["spec"].get("initContainers") or ())
        policy = (
            "Always"
            if status.sidecar(spec)
            else "OnFailure"
            if is_init and restarts == "Always"
            else restarts
        )
        launch = Launch(
            self._place.interpreter,
            lambda attempt: self._plan(spec, attempt),
            self.address,
            self._write_status,
            self._grace(),
        )
        return Container(spec, policy, launch)

    def _plan(self, spec: Object, attempt: int) -> Path:
        environment = table().of(spec["image"])
        assert environment and self._sandbox
        return plan.write(spec, attempt, self._references, self._sandbox, environment)

    def _grace(self) -> float:
        return self.object["spec"].get("terminationGracePeriodSeconds", DEFAULT_GRACE)

    def _run(self) -> None:
        self._write_status()
        self._let_ports_forward()
        try:
            if self._lay_out() and self._run_init():
                self._run_main()
        finally:
            self._done.set()
        if not self._ending.is_set():
            self._write_status(final=True)
            self._remove_mounts()

    def _let_ports_forward(self) -> None:
        """Tell kwok where the ports that the pod's containers declare are; the object goes with the pod."""
        declared = {port["containerPort"] for each in self.main for port in each.spec.get("ports") or ()}
        if not declared:
            return
        owner = {"apiVersion": "v1", "kind": "Pod", "name": self.name, "uid": self.uid}
        forwards = [
            {"ports": [port], "target": {"address": self.address, "port": port}} for port in sorted(declared)
        ]
        self.api.apply(
            {
                "apiVersion": "kwok.x-k8s.io/v1alpha1",
                "kind": "PortForward",
                "metadata": {"name": self.name, "namespace": self.namespace, "ownerReferences": [owner]},
                "spec": {"forwards": forwards},
            },
            force=True,
        )

    def _lay_out(self) -> bool:
        """Make what its containers share, as soon as all is there that it refers to."""
        self.folder.mkdir(parents=True, mode=0o700)
        self.write_hosts(self._place.hosts(self.object))
        # Names of the cluster are in /etc/hosts; all others are unknown, so that no question leaves the machine.
        (self.folder / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
        (self.folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions attempts:1 timeout:1\n")
        while not self._ending.is_set():
            try:
                node_folder = self._place.folder / "nodes" / self.node
                places = volumes.lay_out(self._references, self.folder / "volumes", node_folder)
                given = self._place.platform(self._references, self.folder)
                self._sandbox = Sandbox(self.folder, places, self.hosts_file, given)
                return True
            except (NotThereError, ApiError, UnreachableError) as error:
                for container in (*self.init, *self.main):
                    container.state = {"waiting": {"reason": "ContainerCreating", "message": str(error)}}
                self._write_status()
                self._ending.wait(RETRY_SECONDS)
        return False

    def _run_init(self) -> bool:
        for container in self.init:
            if status.sidecar(container.spec):
                threading.Thread(target=container.run, daemon=True).start()
                while not (container.started or self._ending.is_set()):
                    time.sleep(0.05)
            elif container.run() != 0:
                return False
            if self._ending.is_set():
                return False
        return True

    def _run_main(self) -> None:
        threads = [threading.Thread(target=each.run, daemon=True) for each in self.main]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._stop_sidecars(DEFAULT_GRACE)

    def _stop_sidecars(self, grace: float) -> None:
        for container in reversed(self.init):
            if status.sidecar(container.spec):
                container.stop(grace)

    def _delete(self, grace: float) -> None:
        deadline = time.monotonic() + grace
        threads = [threading.Thread(target=each.stop, args=(grace,)) for each in self.main]
        threads += [
            threading.Thread(target=each.stop, args=(grace,))
            for each in self.init
            if not status.sidecar(each.spec)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._stop_sidecars(max(0.0, deadline - time.monotonic()))
        self._done.wait()
        if not self._lost:
            self._write_status(final=True)
            forget(self.api, self.object)
        self._remove_mounts()

    def _write_status(self, *, final: bool = False) -> None:
        with self._writing:
            if self._lost:
                return
            shown = addresses.shown(self.address)
            made = status.status(self.object, shown, self.init, self.main, final=final, begun=self._begun)
            self._patch(made)

    def _patch(self, made: dict[str, Any]) -> None:
        # The uid: a new pod of the same name must not get the status of an old one.
        body = {"metadata": {"uid": self.uid}, "status": made}
        while True:
            try:
                answer = self.api.request("PATCH", f"{self.path}/status", body, content=STRATEGIC)
                self.object["status"] = answer["status"]
                return
            except ApiError as error:
                if error.status not in (404, 409, 422):
                    raise
                return  # it is gone, or another's
            except UnreachableError:
                if self._lost:
                    return
                time.sleep(RETRY_SECONDS)

    def _remove_mounts(self) -> None:
        """Its volumes go with it; its logs stay."""
        for part in ("volumes", "containers"):
            shutil.rmtree(self.folder / part, ignore_errors=True)


def forget(api: Api, pod: Object) -> None:
    """Let the API server remove a pod that has ended, as a kubelet does."""
    metadata = pod["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
    options = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": metadata["uid"]},
    }
    try:
        api.request("DELETE", path, options)
    except ApiError as error:
        if error.status not in (404, 409):
            raise


def _ours(container: Object) -> bool:
    """Whether it runs: an init container of an unknown image is simulated, and its pod goes on."""
    return table().of(container["image"]) is not None
