"""The plan of one start of a container, which the launcher carries out."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.kubernetes.agent import volumes
from localcloud.kubernetes.agent.expand import expand
from localcloud.kubernetes.agent.images import Environment
from localcloud.kubernetes.agent.quantities import resource
from localcloud.kubernetes.agent.references import References
from localcloud.kubernetes.agent.stores import TOKEN_FOLDER
from localcloud.kubernetes.agent.variables import variables
from localcloud.kubernetes.api import Object

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
IDENTITY = "identity"  # in a pod's folder: the token for its role
# Numbers of threads that libraries take from the machine's cores unless they are told.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Sandbox:
    """What the containers of a pod share: its folder, its volumes by name, its /etc/hosts, and variables that the
    platform gives to each."""

    folder: Path
    volumes: Mapping[str, Path]
    hosts: Path
    platform: Mapping[str, str]


def write(
    container: Object, attempt: int, references: References, sandbox: Sandbox, image: Environment
) -> Path:
    """Write the plan of a container's start number `attempt` and return its file. `image` is the environment that its
    image has.

    Raises:
        NotThereError: it refers to what is not there.
    """
    folder = sandbox.folder / "containers" / container["name"]
    for part in ("root", "tmp"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "tmp").chmod(0o1777)
    defined = variables(container, references, _platform(container, references, sandbox, image))
    words = [*(container.get("command") or _no_entry_point()), *(container.get("args") or ())]
    user, group = _user(container, references.pod)
    plan = {
        "argv": [expand(word, defined) for word in words],
        "environment": defined,
        "hostname": hostname(references.pod),
        "directory": container.get("workingDir") or "/",
        "user": user,
        "group": group,
        "root": str(folder / "root"),
        "mounts": list(_mounts(container, folder, sandbox, image, defined)),
        "limits": {"RLIMIT_CORE": 0},
        "pid_file": str(folder / "pid"),
        "log_file": str(log_file(sandbox.folder, container["name"], attempt)),
    }
    file = folder / f"plan-{attempt}.json"
    file.touch(0o600)
    file.write_text(json.dumps(plan))
    return file


def hostname(pod: Object) -> str:
    """What a pod's programs are told of where they run; a host's name has 63 characters at most."""
    return (pod["spec"].get("hostname") or pod["metadata"]["name"])[:63]


def log_file(folder: Path, container: str, attempt: int) -> Path:
    """Where the words of a container's start number `attempt` are, as a kubelet lays them out."""
    place = folder / "logs" / container
    place.mkdir(parents=True, exist_ok=True)
    return place / f"{attempt}.log"


def _no_entry_point() -> list[str]:
    """No image is pulled, so nobody knows its entry point: the images of the table are Python's, which start it."""
    return ["python3"]


def _platform(
    container: Object, references: References, sandbox: Sandbox, image: Environment
) -> dict[str, str]:
    folders = [*filter(None, [image.programs]), image.folder / "bin"]
    given = {
        "PATH": ":".join([*map(str, folders), SYSTEM_PATH]),
        "HOME": "/root",
        "HOSTNAME": hostname(references.pod),
        **sandbox.platform,
    }
    cores = resource(container, "cpu")
    if cores is not None:
        threads = max(1, min(int(cores), os.cpu_count() or 1))
        given |= dict.fromkeys(THREADS, str(threads))
    return given


def _user(container: Object, pod: Object) -> tuple[int, int]:
    security = {**(pod["spec"].get("securityContext") or {}), **(container.get("securityContext") or {})}
    return security.get("runAsUser", 0), security.get("runAsGroup", 0)


def _mounts(
    container: Object, folder: Path, sandbox: Sandbox, image: Environment, defined: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Each container has a /tmp of its own, and the names of its cluster alone; then come the pod's volumes."""
    own = [
        _mount(folder / "tmp", "/tmp"),
        _mount(sandbox.hosts, "/etc/hosts", read_only=True),
        *(
            _mount(sandbox.folder / name, f"/etc/{name}", read_only=True)
            for name in ("resolv.conf", "nsswitch.conf")
        ),
    ]
    if (sandbox.folder / IDENTITY).exists():
        own.append(_mount(sandbox.folder / IDENTITY, TOKEN_FOLDER, read_only=True))
    # A container has a /tmp of its own.
    own += [
        _mount(place, str(place), read_only=True)
        for place in (image.folder, image.programs)
        if place and place.is_relative_to("/tmp")
    ]
    return [*own, *volumes.mounts(container, sandbox.volumes, lambda text: expand(text, defined))]


def _mount(source: Path, target: str, *, read_only: bool = False) -> dict[str, Any]:
    return {"source": str(source), "target": target, "read_only": read_only}
