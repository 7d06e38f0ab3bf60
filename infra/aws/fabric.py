"""EFA: how a machine's network cards are laid out in a launch template, and what its nodes do before kubelet starts.

Layout: terraform-aws-eks#3653 (2026-03) and Karpenter's `networkInterfaces`: the node's address on a plain interface at
card 0, device 0; EFA on `efa-only` interfaces, which take no address, one a card. Cards are counted by EC2's
`MaximumEfaInterfaces`, not `MaximumNetworkCards`: card 0 of a p6-b300 takes no EFA.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import dedent
from types import MappingProxyType
from typing import Literal

from infra.catalog.machines import Machine

# With libfabric 1.18 and aws-ofi-nccl 1.7 or newer, EFA is found by itself: FI_PROVIDER, FI_EFA_USE_DEVICE_RDMA,
# NCCL_PROTO and NCCL_BUFFSIZE must stay unset (awsome-distributed-training, efa-cheatsheet.md). This is for fork() in a
# data loader, which fails otherwise.
EFA_ENVIRONMENT: Mapping[str, str] = MappingProxyType({"FI_EFA_USE_HUGE_PAGE": "0"})
# Between nodes only EFA will do, and only its plugin has this name: without it NCCL fails, instead of falling back to
# TCP, tens of times slower on the dearest nodes (NVIDIA's NCCL guide, "NCCL_NET"; aws/aws-ofi-nccl).
EFA_PEER_ENVIRONMENT: Mapping[str, str] = MappingProxyType({"NCCL_NET": "AWS Libfabric"})
# What EFA must lock in memory: more than any machine has. Not "unlimited" (2^64 - 1): nodeadm merges the document as
# JSON numbers of 53 bits and writes 18446744073709552000, which containerd can't read.
LOCKED_BYTES = 64 << 40

_MIME_BOUNDARY = "india-ai-infra"


@dataclass(frozen=True)
class Interface:
    """One network interface of a machine: which card it is on, which device of that card, and its kind."""

    card: int
    device: int
    kind: Literal["interface", "efa-only"]


def interfaces(machine: Machine) -> tuple[Interface, ...]:
    """A machine's network interfaces: one plain, and as many `efa-only` as it takes.

    Raises:
        ValueError: the machine has no EFA, or more EFA interfaces than network cards.
    """
    if not machine.efa_interfaces:
        raise ValueError(f"{machine.machine_type} has no EFA")
    if machine.efa_interfaces > machine.network_cards:
        raise ValueError(
            f"{machine.machine_type} has {machine.efa_interfaces} EFA interfaces on {machine.network_cards} cards: "
            "more than one a card is refused by EC2"
        )
    # The cards that take EFA are the last ones; card 0 is among them when all do, beside the plain interface.
    first = machine.network_cards - machine.efa_interfaces
    efa = (Interface(card, 1 if card == 0 else 0, "efa-only") for card in range(first, machine.network_cards))
    return (Interface(0, 0, "interface"), *efa)


def user_data(*, efa: bool, nvme: bool) -> str:
    """The user data of a node: NodeConfigs as MIME parts, which EKS and Karpenter merge with their own.

    With `efa` its containers may lock memory. They run without root, so that no capability could let them, and the
    image (AL2023) raises the limit for nobody: 8 MiB is systemd's default. With `nvme` its local disks are striped.

    Source: awslabs/amazon-eks-ami, nodeadm/doc/examples.md ("Modifying container RLIMITs"), base-runtime-spec.json.
    """
    parts = [*([_LOCKED_MEMORY] if efa else []), *([_LOCAL_STORAGE] if nvme else [])]
    if not parts:
        return ""
    lines = ["MIME-Version: 1.0", f'Content-Type: multipart/mixed; boundary="{_MIME_BOUNDARY}"', ""]
    for body in parts:
        lines += [f"--{_MIME_BOUNDARY}", "Content-Type: application/node.eks.aws", "", body]
    return "\n".join([*lines, f"--{_MIME_BOUNDARY}--", ""])


# The list takes the place of nodeadm's own, and so repeats its limit of open files.
_LOCKED_MEMORY = dedent(f"""\
    apiVersion: node.eks.aws/v1alpha1
    kind: NodeConfig
    spec:
      containerd:
        baseRuntimeSpec:
          process:
            rlimits:
              - type: RLIMIT_NOFILE
                soft: 65536
                hard: 1048576
              - type: RLIMIT_MEMLOCK
                soft: {LOCKED_BYTES}
                hard: {LOCKED_BYTES}
    """)
_LOCAL_STORAGE = dedent("""\
    apiVersion: node.eks.aws/v1alpha1
    kind: NodeConfig
    spec:
      instance:
        localStorage:
          strategy: RAID0
    """)
