"""How a model is spread over GPUs, and the machines that it is spread over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from infra.catalog.choose import Asked, Offer, Rejected, offer
from infra.catalog.gpus import Gpu, gpus
from infra.catalog.machines import Machine, machines
from infra.geography import REGIONS

GIB = 2**30
USABLE = (
    0.9  # of the memory: what vLLM takes by default; in training it leaves room for NCCL and fragmentation
)
DESK_GPUS = (1, 2, 4)  # what fits in one case
# Google's tables name the network, not its speed: 4 x 200 and 8 x 400 Gb/s (its documentation of A3 High and A3 Ultra).
NAMED_GBIT = {"GPUDirect-TCPX": 800, "RoCE, 8x ConnectX-7": 3200}


@dataclass(frozen=True)
class Host:
    """A machine type of a region, or (`machine` None) a computer on a desk.

    `fabric_gbs` is GB/s in one direction of all its network cards, 0 where no fabric joins several machines.
    """

    gpu: Gpu
    gpus: int
    machine: Machine | None
    fabric_gbs: float

    @property
    def usable(self) -> float:
        """Bytes of each GPU that a program may take."""
        return self.gpu.memory_gib * GIB * USABLE

    def bought(self, purchase: str, machines: int, *, colocated: bool) -> Offer | Rejected | None:
        """What the chooser says of it, for a pool of so many machines; None on a desk.

        Machines that work together need their fabric and one zone, the cheapest; others may be in any zone.
        """
        if self.machine is None:
            return None
        asked = Asked(
            gpu=self.gpu.name,
            gpus_per_node=self.gpus,
            fabric=self.machine.fabrics[0] if colocated and self.machine.fabrics else "none",
            purchase=purchase,
            nodes=machines,
            one_zone=colocated,
        )
        return offer(self.machine, purchase, asked)


@dataclass(frozen=True)
class Layout:
    """`machines` hosts; a copy of the model lies over `tensor` x `pipeline` GPUs; there are `replicas` such copies.

    In training, `fsdp` groups of `tensor` GPUs share one copy, each group with `sequences` of the context's length a
    step; `recompute` drops the activations and makes them again in the backward pass.
    """

    machines: int
    tensor: int = 1
    pipeline: int = 1
    replicas: int = 1
    fsdp: int = 1
    sequences: int = 1
    recompute: bool = False

    @property
    def colocated(self) -> bool:
        """Whether several machines work on one copy of the model, and must be close to each other."""
        return self.machines > 1 and (self.pipeline > 1 or self.fsdp > 1)


def hosts() -> Iterator[Host]:
    """Desks, then every machine of the catalogue with whole GPUs that are known."""
    for gpu in gpus().values():
        if gpu.where == "desk":
            yield from (Host(gpu, count, None, 0) for count in DESK_GPUS)
    for region in REGIONS:
        for machine in machines(region):
            if machine.gpu_count and machine.gpu in gpus():
                yield Host(gpus()[machine.gpu], machine.gpu_count, machine, _fabric_gbs(machine))


def _fabric_gbs(machine: Machine) -> float:
    if not machine.fabrics:
        return 0
    if machine.network in NAMED_GBIT:
        return NAMED_GBIT[machine.network] / 8
    speed = re.search(r"(?:(\d+)x )?(\d+) Gigabit", machine.network)
    return int(speed[1] or 1) * int(speed[2]) / 8 if speed else 0
