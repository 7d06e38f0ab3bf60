"""Fabric: what a pod carries to use it, as data. Networks and nodes are in `fabric`.

Sources: container-engine-accelerators, `gpudirect-tcpx/README.md` (NCCL's settings and versions of 2026-06-22),
`gpudirect-tcpx/nccl-test-unprivileged-without-hostnetwork.yaml`, `gpudirect-tcpxo/best-practice.md` (the daemon as a
sidecar) and `gpudirect-rdma/nccl-test-autopilot.yaml`; NCCL's settings of gIB are those of its set_nccl_env.sh for A3
Ultra (v1.1.0), as Google's examples of Ray on GKE write them out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from infra.contracts.cluster import FabricPod
from infra.gcp.fabric import KINDS, network_name

# GKE's device plugin mounts the host's /home/kubernetes/bin/nvidia here in every container with GPUs.
NVIDIA = "/usr/local/nvidia"
# Images on CUDA 12 bases look for libcuda elsewhere (vllm#18859, #23935, #27268).
DRIVER_ENVIRONMENT: Mapping[str, str] = MappingProxyType({"LD_LIBRARY_PATH": f"{NVIDIA}/lib64"})
SOCKETS = "/run/tcpx"
DAEMON = "tcpx-daemon"
DAEMON_IMAGE = "us-docker.pkg.dev/gce-ai-infra/gpudirect-tcpx/tcpgpudmarxd-dev:v2.0.15"
TCPX_CARDS = "eth1,eth2,eth3,eth4"
TCPX_DEVICES = (*(f"/dev/nvidia{number}" for number in range(8)), "/dev/nvidiactl", "/dev/nvidia-uvm")


def _bindings(first: str, second: str) -> str:
    """Processors that serve each card: those of the first socket for two of them, of the second for the others."""
    return f"eth1:{first};eth2:{first};eth3:{second};eth4:{second}"


_ENVIRONMENT: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "tcpx": {
            **DRIVER_ENVIRONMENT,
            "NCCL_SOCKET_IFNAME": "eth0",
            "NCCL_ALGO": "Ring,Tree",
            "NCCL_PROTO": "Simple",
            "NCCL_CROSS_NIC": "0",
            "NCCL_NET_GDR_LEVEL": "PIX",
            "NCCL_P2P_PXN_LEVEL": "0",
            "NCCL_GPUDIRECTTCPX_SOCKET_IFNAME": TCPX_CARDS,
            "NCCL_GPUDIRECTTCPX_CTRL_DEV": "eth0",
            "NCCL_DYNAMIC_CHUNK_SIZE": "524288",
            "NCCL_P2P_NET_CHUNKSIZE": "524288",
            "NCCL_P2P_PCI_CHUNKSIZE": "524288",
            "NCCL_P2P_NVL_CHUNKSIZE": "1048576",
            "NCCL_BUFFSIZE": "4194304",
            "NCCL_NSOCKS_PERTHREAD": "4",
            "NCCL_SOCKET_NTHREADS": "1",
            "NCCL_GPUDIRECTTCPX_TX_BINDINGS": _bindings("8-21,112-125", "60-73,164-177"),
            "NCCL_GPUDIRECTTCPX_RX_BINDINGS": _bindings("22-35,126-139", "74-87,178-191"),
            "NCCL_GPUDIRECTTCPX_PROGRAM_FLOW_STEERING_WAIT_MICROS": "500000",
            "NCCL_GPUDIRECTTCPX_UNIX_CLIENT_PREFIX": SOCKETS,
        },
        "rdma": {
            **DRIVER_ENVIRONMENT,
            "NCCL_SOCKET_IFNAME": "eth0",
            "NCCL_NET": "gIB",
            "NCCL_CROSS_NIC": "0",
            "NCCL_NET_GDR_LEVEL": "PIX",
            "NCCL_P2P_NET_CHUNKSIZE": "131072",
            "NCCL_NVLS_CHUNKSIZE": "524288",
            "NCCL_IB_ADAPTIVE_ROUTING": "1",
            "NCCL_IB_QPS_PER_CONNECTION": "4",
            "NCCL_IB_TC": "52",
            "NCCL_IB_FIFO_TC": "84",
            "NCCL_TUNER_CONFIG_PATH": f"{NVIDIA}/gib/configs/tuner_config_a3u.txtpb",
        },
    }
)


def fabric_pod(pool: str, kind: str) -> FabricPod:
    """What a pod on a whole node of `pool` carries for its fabric, a key of KINDS."""
    if kind == "rdma":
        return FabricPod(annotations=_cards(pool, kind), environment=_ENVIRONMENT[kind])
    devices = "\n".join(f"- path: {device}" for device in TCPX_DEVICES)
    sockets = {"name": "tcpx-sockets", "mountPath": SOCKETS}
    return FabricPod(
        annotations={**_cards(pool, kind), f"devices.gke.io/container.{DAEMON}": devices},
        environment=_ENVIRONMENT[kind],
        sidecars=[_daemon(sockets)],
        volumes=[
            {"name": "tcpx-sockets", "emptyDir": {}},
            {"name": "nvidia-libraries", "hostPath": {"path": "/home/kubernetes/bin/nvidia/lib64"}},
            {"name": "host-sys", "hostPath": {"path": "/sys"}},
            {"name": "host-proc-sys", "hostPath": {"path": "/proc/sys"}},
        ],
        mounts=[sockets],
    )


def _cards(pool: str, kind: str) -> dict[str, str]:
    """What a pod says to get every card of its node: eth0 is the pod's own, the others follow in order."""
    cards = [{"interfaceName": "eth0", "network": "default"}]
    cards += [
        {"interfaceName": f"eth{number}", "network": network_name(pool, card)}
        for number, card in enumerate(KINDS[kind].cards, 1)
    ]
    return {
        "networking.gke.io/default-interface": "eth0",
        "networking.gke.io/interfaces": json.dumps(cards),
    }


def _daemon(sockets: Mapping[str, str]) -> dict[str, Any]:
    """The receive-datapath manager. It programs the cards' flow steering, hence root, NET_ADMIN and the host's /sys.

    Native sidecars end with the pod's own container, and so let a Job complete. The umask lets NCCL, which is not root
    here, write to the daemon's sockets.
    """
    run = (
        "umask 0 && exec /tcpgpudmarxd/build/app/tcpgpudmarxd --gpu_nic_preset a3vm --gpu_shmem_type fd "
        f'--uds_path {SOCKETS} --setup_param "--verbose 128 2 0"'
    )
    return {
        "name": DAEMON,
        "image": DAEMON_IMAGE,
        "restartPolicy": "Always",
        "command": ["/bin/sh", "-c"],
        "args": [run],
        "env": [{"name": "LD_LIBRARY_PATH", "value": f"{NVIDIA}/lib64"}],
        "resources": {"requests": {"cpu": "1", "memory": "2Gi"}},
        "securityContext": {
            "runAsUser": 0,
            "runAsGroup": 0,
            "runAsNonRoot": False,
            "allowPrivilegeEscalation": False,
            "capabilities": {"add": ["NET_ADMIN"]},
        },
        "volumeMounts": [
            {"name": "nvidia-libraries", "mountPath": f"{NVIDIA}/lib64", "readOnly": True},
            sockets,
            {"name": "host-sys", "mountPath": "/hostsysfs"},
            {"name": "host-proc-sys", "mountPath": "/hostprocsysfs"},
        ],
    }
