"""Kubernetes clusters of the local cloud: real control planes whose nodes are played by kwok.

A cluster is six processes (etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok, and the agent that runs
pods) and one folder, `run_dir()/clusters/NAME`. Its programs are started through links in that folder, so the command
line of a process says which cluster it belongs to: nothing else is ever signalled, and a start killed half-way leaves
nothing unknown.
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from localcloud import processes
from localcloud.directories import PROJECT, bin_dir, run_dir
from localcloud.kubernetes.agent import claims
from localcloud.kubernetes.agent.images import PREFIX
from localcloud.kubernetes.api import Api, ApiError, UnreachableError
from localcloud.processes import free_port
from localcloud.store import Store

COMPONENTS = frozenset(
    {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok-controller"}
)
AGENT = "node-agent"
STAGES = Path(__file__).parent / "stages"
READY_SECONDS = 90
ATTEMPTS = 3  # another program may take a port between our look and the start


class ClusterError(Exception):
    """A control plane did not come up; the message ends with its components' last words."""


@dataclass(frozen=True)
class ClusterAccess:
    """A running cluster: its real endpoint (`https://127.0.0.1:PORT`), CA (base64 PEM) and admin kubeconfig."""

    name: str
    region: str
    endpoint: str
    ca_data: str
    kubeconfig_path: Path

    def api(self) -> Api:
        """A client of its API server, with the admin's rights."""
        return Api(self.kubeconfig_path)


@dataclass(frozen=True)
class KubeletServer:
    """Where the agent serves the kubelets' API, where kwok serves its own, and the secret name of kwok's rule that runs
    commands."""

    port: int
    kwok_port: int
    rule: str


def kubelet(name: str) -> KubeletServer:
    """The servers of a cluster's nodes."""
    record = _store().get("cluster", name) or {}
    return KubeletServer(**record["kubelet"])


def start(name: str, region: str) -> ClusterAccess:
    """Start a cluster, or return it if it runs already. One whose processes died begins anew, empty."""
    with _only_one(name):
        if alive(name):
            return _required(name)
        for attempt in range(1, ATTEMPTS + 1):
            stop(name)
            try:
                return _create(name, region)
            except ClusterError:
                if attempt == ATTEMPTS:
                    stop(name)
                    raise
        raise AssertionError("unreachable")


def stop(name: str) -> None:
    """End every process of the cluster, its Karpenter included, and remove its data."""
    end(name)
    shutil.rmtree(folder(name), ignore_errors=True)
    _store().delete("cluster", name)


def recorded() -> list[str]:
    """Names of the clusters that were started and not stopped, alive or not."""
    return sorted(_store().items("cluster"))


def alive(name: str) -> bool:
    """Whether every process that the cluster should have is running."""
    return not ended(name)


def ended(name: str) -> frozenset[str]:
    """The programs that the cluster should have and that don't run: all of one that never came up."""
    record = _store().get("cluster", name) or {}
    wanted = COMPONENTS | set(record.get("companions", ()))
    if not record.get("endpoint"):
        return wanted
    return wanted - {Path(process.info["cmdline"][0]).name for process in processes_of(name)}


def running() -> list[ClusterAccess]:
    """The clusters whose processes live."""
    return [_required(name) for name in recorded() if alive(name)]


def named(name: str) -> ClusterAccess | None:
    """The record of a cluster, whether or not its processes still live."""
    record = _store().get("cluster", name)
    if not record or not record.get("endpoint"):
        return None
    kubeconfig = folder(name) / "kubeconfig.yaml"
    return ClusterAccess(name, record["region"], record["endpoint"], record["ca_data"], kubeconfig)


def access(endpoint: str) -> ClusterAccess | None:
    """The cluster that answers at this endpoint, or None when the local cloud started no such cluster."""
    for name, record in _store().items("cluster").items():
        if record.get("endpoint") == endpoint.rstrip("/"):
            return named(name)
    return None


def folder(name: str) -> Path:
    """The folder of a cluster's files: certificates, kubeconfig, logs."""
    return run_dir().resolve() / "clusters" / name


def program(cluster: str, name: str) -> Path:
    """A link in the cluster's folder to one of our programs; whoever runs it belongs to the cluster."""
    link = folder(cluster) / "bin" / name
    target = (bin_dir() / name).resolve()
    if not target.exists():
        raise ClusterError(f"{name} is not in {bin_dir()}: run `make up` to build it")
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(target)
    return link


def processes_of(name: str, program_name: str = "") -> list[psutil.Process]:
    """The live processes that run a program of this cluster's folder."""
    prefix = f"{folder(name) / 'bin'}/{program_name}"
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if (process.info["cmdline"] or [""])[0].startswith(prefix)
    ]


def end(name: str, program_name: str = "") -> None:
    """End those processes at once: their data goes too, and an API server would wait long for its watchers."""
    # Again until none is left: a kwokctl that outlived a killed start may just have started another.
    while found := processes_of(name, program_name):
        for process in found:
            _kill(process)
        psutil.wait_procs(found, timeout=10)


def expect(name: str, program_name: str, expected: bool) -> None:
    """Note that the cluster has, or no longer has, a companion process, so that `alive` looks for it."""
    record = _store().get("cluster", name)
    if record:
        companions = set(record.get("companions", ())) - {program_name}
        record["companions"] = sorted(companions | {program_name} if expected else companions)
        _store().put("cluster", name, record)


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


def _store() -> Store:
    return Store(run_dir() / "store.sqlite")


@contextmanager
def _only_one(name: str) -> Iterator[None]:
    locks = run_dir() / "clusters"
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _required(name: str) -> ClusterAccess:
    found = named(name)
    if found is None:
        raise ClusterError(f"the local cloud has no cluster {name}")
    return found


def _create(name: str, region: str) -> ClusterAccess:
    # Recorded before anything starts: what a kill leaves behind is found again.
    server = KubeletServer(free_port(), free_port(), secrets.token_hex(16))
    record: dict[str, Any] = {"region": region, "kubelet": asdict(server)}
    _store().put("cluster", name, record)
    said = _kwokctl(name, server)
    kubeconfig = folder(name) / "kubeconfig.yaml"
    if not kubeconfig.exists():
        raise ClusterError(f"kwokctl made no cluster {name}:\n{said}")
    _wait_until_ready(name, Api(kubeconfig))
    record |= _describe(kubeconfig)
    _store().put("cluster", name, record)
    _start_agent(name)
    return _required(name)


def _start_agent(name: str) -> None:
    """Start the agent that runs pods. Nobody waits for it: a pod of its table stays pending until it is there."""
    link = folder(name) / "bin" / AGENT
    link.symlink_to(sys.executable)
    env = {"PYTHONPATH": os.pathsep.join([str(PROJECT), *filter(None, sys.path)]), PREFIX: sys.prefix}
    command = [link, "-m", "localcloud.kubernetes.agent", name]
    processes.start(command, folder(name) / "logs" / f"{AGENT}.log", env)
    expect(name, AGENT, True)


def _kwokctl(name: str, server: KubeletServer) -> str:
    """Let kwokctl lay out and start the cluster; returns what it said."""
    config = folder(name) / "stages.yaml"
    links = {binary: program(name, binary) for binary in ("kwokctl", "kubectl")}
    folder(name).chmod(0o700)  # who can read it may run programs as this user
    config.write_text(yaml.safe_dump_all(_configuration(name, server)))
    ports = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
    binaries = ("etcd", "kube-apiserver", "kube-scheduler", "kube-controller-manager")
    command = [
        *(str(links["kwokctl"]), "create", "cluster", "--name", name, "--runtime", "binary"),
        *("--config", str(config), "--kubeconfig", "", "--quiet-pull", "--timeout", "60s"),
        *(f"--{binary}-binary={bin_dir().resolve() / binary}" for binary in binaries),
        f"--kwok-controller-binary={bin_dir().resolve() / 'kwok'}",
        *(f"--{port}-port={free_port()}" for port in ports),
        *(f"--controller-port={server.kwok_port}", "--enable-crds", "PortForward"),
    ]
    # kwokctl downloads a kubectl when PATH has none; the machine may have no network.
    path = os.pathsep.join([str(links["kubectl"].parent), os.environ.get("PATH", "")])
    env = {**os.environ, "KWOK_WORKDIR": str(run_dir().resolve()), "PATH": path}
    # In a session of its own: Ctrl-C in the user's terminal must not reach a control plane.
    done = subprocess.run(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    return (done.stdout + done.stderr).strip()


def _configuration(name: str, server: KubeletServer) -> Iterator[dict[str, Any]]:
    """The files of `stages` for one cluster: its folder and its kubelets' port filled in, and no stage for pods that
    run."""
    marks = {"PKI": str(folder(name) / "pki"), "KUBELET_PORT": str(server.port), "RULE": server.rule}
    for file in sorted(STAGES.glob("*.yaml")):
        text = re.sub(r"\bLOCAL_(\w+)\b", lambda found: marks[found[1]], file.read_text())
        for part in yaml.safe_load_all(text):
            if part["kind"] == "Stage" and part["spec"]["resourceRef"]["kind"] == "Pod":
                part["spec"]["selector"]["matchExpressions"].append(claims.kwok_selector())
            yield part


def _wait_until_ready(name: str, api: Api) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            api.request("GET", "/readyz")
            if api.list("v1", "ServiceAccount", "default"):  # the controllers are at work as well
                return
        except (UnreachableError, ApiError):
            pass  # not yet
        if len(processes_of(name)) < len(COMPONENTS):
            break
        time.sleep(0.1)
    raise ClusterError(f"cluster {name} did not become ready:\n{_last_words(name)}")


def _describe(kubeconfig: Path) -> dict[str, str]:
    cluster = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]
    ca = base64.b64encode(Path(cluster["certificate-authority"]).read_bytes()).decode()
    return {"endpoint": cluster["server"], "ca_data": ca}


def _last_words(name: str) -> str:
    logs = sorted((folder(name) / "logs").glob("*.log"))
    tails = [log.read_text(errors="replace").splitlines()[-3:] for log in logs]
    return "\n".join(f"{log.stem}: {line}" for log, tail in zip(logs, tails, strict=True) for line in tail)
