"""Pods: ACC-07 those that may see personal data are confined, as Pod Security's `restricted` has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.expectations import Expectation, check_expectations, is_off, is_on
from policies.framework.resources import Resource, Settings
from policies.framework.unknowns import Unknown, dig, each
from policies.law import CONFINEMENT
from policies.readers.pod_specs import containers, pod_specs

HOST_NAMESPACES = ("hostNetwork", "hostPID", "hostIPC")
# GPUs and their networks hand out devices by files of the host; nothing else of it may be seen.
DEVICE_PATHS = (
    "/dev/infiniband",
    "/dev/nvidia",
    "/dev/shm",
    "/home/kubernetes/bin/nvidia",
    "/home/kubernetes/bin/gib",
    "/usr/local/nvidia",
    "/var/lib/kubelet/device-plugins",
)
# Agents of the nodes live here, and no personal data: who may make pods here may do anything anyway.
SYSTEM = ("kube-system",)
# The daemon that Google's TCPX and TCPXO want beside each worker steers the network cards' flows: as root, with one
# more capability, and two folders of the host that no other container of the pod may mount.
DAEMONS = ("tcpx-daemon", "tcpxo-daemon")
_DAEMON_PATHS = ("/sys", "/proc/sys")
_DAEMON_ADDED = ("NET_ADMIN", "NET_BIND_SERVICE")
_ADDED = ("NET_BIND_SERVICE",)
_SECCOMP = ("RuntimeDefault", "Localhost")


def confined(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
    """ACC-07: no pod shares the host, no container gains rights."""
    if dig(resource.props, "metadata", "namespace") in tuple(settings.get("systemNamespaces", SYSTEM)):
        return
    allowed = tuple(settings.get("hostPaths", DEVICE_PATHS))
    for found in pod_specs(resource.props):
        if isinstance(found, Unknown):
            yield found
        else:
            yield from _pod(*found, allowed)


def _pod(where: str, spec: dict[str, Any], host_paths: tuple[str, ...]) -> Iterator[Finding | Unknown]:
    prefix = f"{where}." if where else ""
    shares = "the pod shares the host's processes or network"
    for name in HOST_NAMESPACES:
        yield from _at(prefix, spec, Expectation(name, is_off, shares, "false", absent=True))
    of_others: list[Any] = []
    for found in containers(where, spec):
        if isinstance(found, Unknown):
            yield found
            continue
        at, container = found
        daemon = ".initContainers[" in f".{at}" and container.get("name") in DAEMONS
        if not daemon:
            of_others += [dig(mount, "name") for mount in each(container.get("volumeMounts"))]
        yield from _container(at, container, spec.get("securityContext"), daemon=daemon)
    yield from _volumes(prefix, spec.get("volumes"), host_paths, of_others)


def _volumes(
    prefix: str, volumes: Any, allowed: tuple[str, ...], of_others: list[Any]
) -> Iterator[Finding | Unknown]:
    if isinstance(volumes, Unknown):
        yield volumes
        return
    known = not any(isinstance(name, Unknown) for name in of_others)
    for index, volume in enumerate(each(volumes)):
        of_daemon = known and dig(volume, "name") not in of_others
        within = (*allowed, *_DAEMON_PATHS) if of_daemon else allowed
        expectation = Expectation(
            "hostPath?.path",
            lambda path, within=within: isinstance(path, str) and _is_within(path, within),
            "the pod mounts a path of the host",
            f"no path of the host but devices: {', '.join(allowed)}",
        )
        yield from _at(f"{prefix}volumes[{index}].", volume, expectation)


def _is_within(path: str, allowed: tuple[str, ...]) -> bool:
    return ".." not in path and any(
        path == root or path.startswith(f"{root}/") or (root == "/dev/nvidia" and path.startswith(root))
        for root in allowed
    )


def _container(
    where: str, container: dict[str, Any], of_pod: Any, *, daemon: bool
) -> Iterator[Finding | Unknown]:
    prefix = f"{where}.securityContext."
    own = container.get("securityContext")
    if isinstance(own, Unknown):
        yield own
        return
    what = "the container may gain the host's rights"
    yield from _at(prefix, own, Expectation("privileged", is_off, what, "false", absent=True))
    yield from _at(prefix, own, Expectation("allowPrivilegeEscalation", is_off, what, "false"))
    yield from _capabilities(prefix, own, daemon=daemon)
    if not daemon:
        root = Expectation("runAsNonRoot", is_on, "the container may run as root", "true, here or in the pod")
        yield from _either(prefix, own, of_pod, root)
    expected = f"{' or '.join(_SECCOMP)}, here or in the pod"
    filtered = Expectation(
        "seccompProfile.type", lambda value: value in _SECCOMP, "no seccomp profile is in force", expected
    )
    yield from _either(prefix, own, of_pod, filtered)


def _capabilities(prefix: str, own: Any, *, daemon: bool) -> Iterator[Finding | Unknown]:
    dropped, added = dig(own, "capabilities", "drop"), dig(own, "capabilities", "add")
    unknown = [
        value for value in (dropped, added, *each(dropped), *each(added)) if isinstance(value, Unknown)
    ]
    if unknown:
        yield from dict.fromkeys(unknown)
        return
    if "ALL" not in each(dropped) and not daemon:
        what = "the container keeps capabilities of root"
        yield Finding(what, f"{prefix}capabilities.drop", dropped, '["ALL"]')
    allowed = _DAEMON_ADDED if daemon else _ADDED
    if any(one not in allowed for one in each(added)):
        what = "the container adds capabilities"
        yield Finding(what, f"{prefix}capabilities.add", added, f"at most {', '.join(allowed)}")


def _either(prefix: str, own: Any, of_pod: Any, expectation: Expectation) -> Iterator[Finding | Unknown]:
    """The container's own word, or else the pod's."""
    said = dig(own, *expectation.path.split("."))
    value = dig(of_pod, *expectation.path.split(".")) if said is None else said
    if isinstance(value, Unknown):
        yield value
    elif not expectation.good(value):
        yield Finding(expectation.what, f"{prefix}{expectation.path}", value, expectation.expected)


def _at(prefix: str, holder: Any, expectation: Expectation) -> Iterator[Finding | Unknown]:
    for found in check_expectations(holder, [expectation]):
        if isinstance(found, Finding):
            yield Finding(found.what, f"{prefix}{found.where}", found.value, found.expected)
        else:
            yield found


ACC_07 = Control(
    id="DPDP-ACC-07",
    title="Pods are confined",
    law=CONFINEMENT,
    severity=Severity.MEDIUM,
    level=EnforcementLevel.ADVISORY,
    types=("kubernetes:",),
    remedy="write the pod as Pod Security's restricted standard asks",
    check=confined,
    settings={
        "hostPaths": {
            "type": "array",
            "items": {"type": "string"},
            "default": list(DEVICE_PATHS),
            "description": "paths of the host that pods may mount: those of devices",
        },
        "systemNamespaces": {
            "type": "array",
            "items": {"type": "string"},
            "default": list(SYSTEM),
            "description": "namespaces of the nodes' own agents, which are not judged",
        },
    },
)
CONTROLS = (ACC_07,)
