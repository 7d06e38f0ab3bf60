"""The parts of a pod that every workload has alike: security under Pod Security `restricted`, and room to write."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from infra.contracts.cluster import GpuCluster
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


def cloud_environment(cluster: GpuCluster) -> Mapping[str, str]:
    """Sends the cloud's own SDKs to the region of the lake, which is the cluster's own but after a failover."""
    return _CLOUDS[cluster.cloud](cluster.lake_region or cluster.region)


def store_environment(endpoint: Endpoint | None) -> Mapping[str, str]:
    """Sends every AWS SDK to an object store that is not the cloud's own."""
    return {"AWS_ENDPOINT_URL_S3": endpoint.url, **_aws(endpoint.region)} if endpoint else {}


def _aws(region: str) -> Mapping[str, str]:
    # botocore reads AWS_DEFAULT_REGION alone, the other SDKs AWS_REGION; and EKS' Pod Identity webhook adds neither
    # where it finds one of them (aws/amazon-eks-pod-identity-webhook, pkg/handler/handler.go). A client that knows no
    # region speaks to us-east-1.
    return {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}


def _google(_region: str) -> Mapping[str, str]:
    # Otherwise gcsfs asks for the bucket, and for its storage layout at each open, in case the bucket is hierarchical
    # or zonal. The lake's are neither, and a grant for a prefix refuses both (gcsfs/extended_gcsfs.py of 2026.10.1).
    # Google's own client asks for the bucket beside each first call, to say in traces where it is.
    return {
        "DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA": "true",
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
    }


_CLOUDS = {"aws": _aws, "gcp": _google}


def store_keys(endpoint: Endpoint | None) -> list[k8s.core.v1.EnvFromSourceArgs] | None:
    """Its keys, from the Secret in the pod's own namespace."""
    if endpoint is None:
        return None
    return [k8s.core.v1.EnvFromSourceArgs(secret_ref=k8s.core.v1.SecretEnvSourceArgs(name=endpoint.secret))]
