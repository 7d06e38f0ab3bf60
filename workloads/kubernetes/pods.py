"""The parts of a pod that every workload has alike: security under Pod Security `restricted`, and room to write."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from infra.contracts.lake import Endpoint

USER = 1000
SCRATCH = "/scratch"
SHARED_MEMORY_GIB_PER_GPU = 2  # for NCCL


def pod_security() -> k8s.core.v1.PodSecurityContextArgs:
    """Not root, under the runtime's seccomp profile."""
    return k8s.core.v1.PodSecurityContextArgs(
        run_as_non_root=True,
        run_as_user=USER,
        run_as_group=USER,
        fs_group=USER,
        fs_group_change_policy="OnRootMismatch",
        seccomp_profile=k8s.core.v1.SeccompProfileArgs(type="RuntimeDefault"),
    )


def container_security() -> k8s.core.v1.SecurityContextArgs:
    """No capability, no way to gain one, and an image that can't be written to."""
    return k8s.core.v1.SecurityContextArgs(
        allow_privilege_escalation=False,
        read_only_root_filesystem=True,
        capabilities=k8s.core.v1.CapabilitiesArgs(drop=["ALL"]),
    )


def scratch_volumes(shared_memory_gib: int) -> list[k8s.core.v1.VolumeArgs]:
    """/tmp and /scratch on the node's disk, and /dev/shm: the 64 MiB of the runtime are too small for NCCL."""
    shared_memory = k8s.core.v1.EmptyDirVolumeSourceArgs(medium="Memory", size_limit=f"{shared_memory_gib}Gi")
    return [
        k8s.core.v1.VolumeArgs(name="tmp", empty_dir=k8s.core.v1.EmptyDirVolumeSourceArgs()),
        k8s.core.v1.VolumeArgs(name="scratch", empty_dir=k8s.core.v1.EmptyDirVolumeSourceArgs()),
        k8s.core.v1.VolumeArgs(name="shared-memory", empty_dir=shared_memory),
    ]


def scratch_mounts() -> list[k8s.core.v1.VolumeMountArgs]:
    """Where `scratch_volumes` appear in the container."""
    return [
        k8s.core.v1.VolumeMountArgs(name="tmp", mount_path="/tmp"),
        k8s.core.v1.VolumeMountArgs(name="scratch", mount_path=SCRATCH),
        k8s.core.v1.VolumeMountArgs(name="shared-memory", mount_path="/dev/shm"),
    ]


def scratch_environment() -> Mapping[str, str]:
    """Sends every cache to /scratch. USER is set for torch, which asks for a name: uid 1000 has none."""
    return {
        "HOME": SCRATCH,
        "USER": "workload",
        "XDG_CACHE_HOME": f"{SCRATCH}/cache",
        "TORCHINDUCTOR_CACHE_DIR": f"{SCRATCH}/inductor",
        "TRITON_CACHE_DIR": f"{SCRATCH}/triton",
    }


def environment(values: Mapping[str, pulumi.Input[Any]]) -> list[k8s.core.v1.EnvVarArgs]:
    """Environment variables in the order of their names, so that a change of order is never a difference."""
    return [k8s.core.v1.EnvVarArgs(name=name, value=values[name]) for name in sorted(values)]


def store_keys(endpoint: Endpoint | None) -> list[k8s.core.v1.EnvFromSourceArgs] | None:
    """The keys of the object store, from the Secret in the pod's own namespace."""
    if endpoint is None:
        return None
    return [k8s.core.v1.EnvFromSourceArgs(secret_ref=k8s.core.v1.SecretEnvSourceArgs(name=endpoint.secret))]
