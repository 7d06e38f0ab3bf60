"""EFA: how a machine's network cards are laid out in a launch template, and what its nodes do before kubelet starts.

Layout: terraform-aws-eks#3653 (2026-03) and Karpenter's `networkInterfaces`: the node's address on a plain interface at
card 0, device 0; EFA on `efa-only` interfaces, which take no address, one a card. Cards are counted by EC2's
`MaximumEfaInterfaces`, not `MaximumNetworkCards`: card 0 of a p6-b300 takes no EFA.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent
from typing import Literal

from infra.catalog import Machine

EFA_RESOURCE = "vpc.amazonaws.com/efa"
HUGEPAGES_RESOURCE = "hugepages-2Mi"
HUGEPAGES_MIB = (
    5120  # for libfabric's buffers: what AWS's EFA examples ask for, for one pod on the whole node
)

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
    """What a node is told at its first start, as MIME parts: huge pages for EFA, one striped disk of its local NVMe.

    EKS merges the NodeConfig with its own. Scripts run before kubelet starts, which counts huge pages only then.
    """
    parts = []
    if efa:
        parts.append(("text/x-shellscript", _huge_pages()))
    if nvme:
        parts.append(("application/node.eks.aws", _LOCAL_STORAGE))
    if not parts:
        return ""
    lines = ["MIME-Version: 1.0", f'Content-Type: multipart/mixed; boundary="{_MIME_BOUNDARY}"', ""]
    for content_type, body in parts:
        lines += [f"--{_MIME_BOUNDARY}", f"Content-Type: {content_type}", "", body]
    return "\n".join([*lines, f"--{_MIME_BOUNDARY}--", ""])


def _huge_pages() -> str:
    return dedent(f"""\
        #!/bin/bash
        set -euo pipefail
        echo vm.nr_hugepages={HUGEPAGES_MIB // 2} > /etc/sysctl.d/90-efa-hugepages.conf
        sysctl --system
        """)


_LOCAL_STORAGE = dedent("""\
    apiVersion: node.eks.aws/v1alpha1
    kind: NodeConfig
    spec:
      instance:
        localStorage:
          strategy: RAID0
    """)
