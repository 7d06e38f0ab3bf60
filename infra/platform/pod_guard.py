"""What keeps workloads restricted where a fabric's daemon must not be.

Google's TCPX wants a daemon in each pod, with root, NET_ADMIN and folders of the host; Pod Security knows only whole
namespaces, so theirs is `privileged` there. An admission policy takes its place: every container is held to
`restricted`, but for the daemon itself, image, command, variables and mounts as the pool gives them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pulumi
from pulumi_kubernetes.admissionregistration.v1 import (
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.contracts.cluster import FabricPod, Pool
from infra.platform.namespaces import QUEUED

NAME = "india-ai-infra-workloads"
# The kinds of volumes that `restricted` lets in.
VOLUMES = (
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
)
# Fields of a container that could run something else in it, or open it.
RUN_MORE = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe", "ports")
DEVICES = "devices.gke.io/"  # an annotation that gives a container a device of the host


def needs_host(pools: Iterable[Pool]) -> bool:
    """Whether some pool's fabric has a daemon in each pod."""
    return any(pool.fabric_pod.sidecars for pool in pools)


def guard_workloads(pools: Iterable[Pool], opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """The policy and its binding to the namespaces of workloads; nothing where Pod Security does by itself."""
    # Pools of one fabric differ in their networks alone.
    fabric = next((pool.fabric_pod for pool in pools if pool.fabric_pod.sidecars), None)
    if fabric is None:
        return []
    policy = ValidatingAdmissionPolicy(
        "workloads-guard",
        metadata=ObjectMetaArgs(name=NAME),
        spec={
            "failure_policy": "Fail",
            "match_constraints": {
                "resource_rules": [
                    {
                        "api_groups": [""],
                        "api_versions": ["v1"],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": ["pods", "pods/ephemeralcontainers"],
                    }
                ]
            },
            "variables": [
                {"name": name, "expression": expression} for name, expression in _variables(fabric).items()
            ],
            "validations": [
                {"expression": expression, "message": message}
                for message, expression in _rules(fabric).items()
            ],
        },
        opts=opts,
    )
    binding = ValidatingAdmissionPolicyBinding(
        "workloads-guard",
        metadata=ObjectMetaArgs(name=NAME),
        spec={
            "policy_name": NAME,
            "validation_actions": ["Deny"],
            "match_resources": {"namespace_selector": {"match_labels": QUEUED}},
        },
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[policy])),
    )
    return [policy, binding]


def _variables(fabric: FabricPod) -> dict[str, str]:
    sidecars = json.dumps([sidecar["name"] for sidecar in fabric.sidecars])
    init = "object.spec.?initContainers.orValue([])"
    return {
        "sidecars": f"{init}.filter(c, c.name in {sidecars})",
        "containers": (
            f"object.spec.containers + {init}.filter(c, !(c.name in {sidecars}))"
            " + object.spec.?ephemeralContainers.orValue([]).map(c, c)"
        ),
    }


def _rules(fabric: FabricPod) -> dict[str, str]:
    """CEL by the message of its refusal. `restricted` as of the Pod Security Standards, 1.37."""
    host = {v["name"]: v["hostPath"]["path"] for v in fabric.volumes if "hostPath" in v}
    devices = {name: said for name, said in fabric.annotations.items() if name.startswith(DEVICES)}
    no_root = (
        "c.?securityContext.?runAsNonRoot.orValue(object.spec.?securityContext.?runAsNonRoot.orValue(false))"
    )
    seccomp = (
        "c.?securityContext.?seccompProfile.?type.orValue("
        "object.spec.?securityContext.?seccompProfile.?type.orValue(''))"
    )
    capabilities = "c.?securityContext.?capabilities"
    volumes = " || ".join(f"has(v.{kind})" for kind in VOLUMES)
    return {
        "a pod shares nothing of its host": (
            "!object.spec.?hostNetwork.orValue(false) && !object.spec.?hostPID.orValue(false)"
            " && !object.spec.?hostIPC.orValue(false) && object.spec.?securityContext.?sysctls.orValue([]) == []"
            " && variables.containers.all(c, !c.?ports.orValue([]).exists(p, p.?hostPort.orValue(0) != 0))"
        ),
        "folders of the host are the daemon's alone": (
            f"object.spec.?volumes.orValue([]).all(v, v.name in {json.dumps(host)}"
            f" ? v.?hostPath.?path.orValue('') == {json.dumps(host)}[v.name] : {volumes})"
            " && variables.containers.all(c, !c.?volumeMounts.orValue([])"
            f".exists(m, m.name in {json.dumps(host)}))"
        ),
        "devices of the host are the daemon's alone": (
            f"object.metadata.?annotations.orValue({{}}).all(k, !k.startsWith('{DEVICES}')"
            f" || k in {json.dumps(devices)} && object.metadata.annotations[k] == {json.dumps(devices)}[k])"
        ),
        "a container is not privileged, gains no privilege and has no capability": (
            "variables.containers.all(c, !c.?securityContext.?privileged.orValue(false)"
            " && !c.?securityContext.?allowPrivilegeEscalation.orValue(true)"
            f" && 'ALL' in {capabilities}.?drop.orValue([])"
            f" && {capabilities}.?add.orValue([]).all(added, added == 'NET_BIND_SERVICE')"
            " && c.?securityContext.?procMount.orValue('Default') == 'Default')"
        ),
        "a container is not root": (
            f"variables.containers.all(c, {no_root} && c.?securityContext.?runAsUser.orValue(1) != 0)"
        ),
        "a container is under a seccomp profile": (
            f"variables.containers.all(c, {seccomp} in ['RuntimeDefault', 'Localhost'])"
        ),
        **{
            f"{sidecar['name']} is the daemon of the fabric as the pool gives it": _as_given(sidecar)
            for sidecar in fabric.sidecars
        },
    }


def _as_given(sidecar: Mapping[str, Any]) -> str:
    """True of pods whose container of that name is this one in all that says what runs, and with which rights."""
    added = json.dumps(sidecar["securityContext"]["capabilities"]["add"])
    mounts = json.dumps([f"{mount['name']}:{mount['mountPath']}" for mount in sidecar["volumeMounts"]])
    # An indexed Job tells every container which of its pods it is in.
    variables = json.dumps(
        ["JOB_COMPLETION_INDEX=", *(f"{variable['name']}={variable['value']}" for variable in sidecar["env"])]
    )
    return (
        f"variables.sidecars.all(c, c.name != {json.dumps(sidecar['name'])} ||"
        f" (c.image == {json.dumps(sidecar['image'])}"
        f" && c.?command.orValue([]) == {json.dumps(sidecar['command'])}"
        f" && c.?args.orValue([]) == {json.dumps(sidecar['args'])}"
        f" && !has(c.envFrom) && c.?env.orValue([]).all(e, e.name + '=' + e.?value.orValue('') in {variables})"
        f" && c.?volumeMounts.orValue([]).all(m, m.name + ':' + m.mountPath in {mounts} && !has(m.subPath))"
        f"{''.join(f' && !has(c.{field})' for field in RUN_MORE)}"
        " && !c.?securityContext.?privileged.orValue(false)"
        f" && c.?securityContext.?capabilities.?add.orValue([]).all(added, added in {added})))"
    )
