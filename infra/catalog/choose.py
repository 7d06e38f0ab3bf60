"""From what people ask for (a GPU, how many a node, a fabric, how it is bought) to machine types and zones."""

from __future__ import annotations

from dataclasses import dataclass

from infra.catalog.machines import CatalogError, Machine, machines, offered_in
from infra.settings_errors import nearest


@dataclass(frozen=True)
class Choice:
    """Machines that serve a pool, the cheapest first, the zones of that first one, and why every other fell out."""

    machines: tuple[Machine, ...]
    zones: tuple[str, ...]
    rejected: tuple[tuple[Machine, str], ...]


class NoMachineError(CatalogError):
    """No machine serves the pool. `asked` names the request that left none: gpu, gpus_per_node, fabric or purchase."""

    def __init__(self, asked: str, given: str, allowed: str, near: str | None) -> None:
        self.asked, self.given, self.allowed, self.near = asked, given, allowed, near
        super().__init__(f"{asked} {given}: allowed is {allowed}" + (f"; {near}" if near else ""))


def choose(region: str, *, gpu: str, gpus_per_node: int, fabric: str, purchase: str) -> Choice:
    """The machines of a region with exactly this GPU and count, this fabric, and a known price.

    Raises:
        NoMachineError: none; says what is offered there, and where in India the GPU is.
        geography.UnknownRegionError: the region is not in India.
    """
    offered = [machine for machine in machines(region) if machine.gpu]
    with_gpu = [machine for machine in offered if machine.gpu == gpu and machine.gpu_count]
    if not with_gpu:
        raise NoMachineError(
            "gpu", gpu, f"in {region}: {', '.join(_gpus(offered))}", _elsewhere(gpu, offered)
        )
    counted = [machine for machine in with_gpu if machine.gpu_count == gpus_per_node]
    if not counted:
        counts = sorted({machine.gpu_count for machine in with_gpu})
        allowed = f"of {gpu} in {region}: {', '.join(map(str, counts))} a node"
        closest = str(min(counts, key=lambda count: abs(count - gpus_per_node)))
        raise NoMachineError("gpus_per_node", str(gpus_per_node), allowed, closest)
    connected = [machine for machine in counted if fabric == "none" or machine.efa_interfaces]
    if not connected:
        types = ", ".join(machine.machine_type for machine in counted)
        allowed = f"none: {types} has no EFA"
        raise NoMachineError("fabric", fabric, allowed, _with_efa(with_gpu))
    priced = [machine for machine in connected if machine.price(purchase) is not None]
    if not priced:
        other = "on-demand" if purchase == "spot" else "spot"
        known = other if any(machine.price(other) is not None for machine in connected) else None
        raise NoMachineError(
            "purchase", purchase, f"a way to buy {gpu} in {region} whose price is known", known
        )
    cheapest_first = sorted(priced, key=lambda machine: (machine.price(purchase), machine.machine_type))
    rejected = tuple(
        (machine, _why_not(machine, gpu, gpus_per_node, fabric, purchase))
        for machine in machines(region)
        if machine not in priced
    )
    return Choice(tuple(cheapest_first), cheapest_first[0].zones, rejected)


def _why_not(machine: Machine, gpu: str, gpus_per_node: int, fabric: str, purchase: str) -> str:
    if machine.gpu != gpu:
        return f"has {machine.gpu or 'no GPU'}, not {gpu}"
    if not machine.gpu_count:
        return f"has a fraction of a GPU ({machine.gpu_memory_gib:g} GiB)"
    if machine.gpu_count != gpus_per_node:
        return f"has {machine.gpu_count} GPUs, not {gpus_per_node}"
    if fabric == "efa" and not machine.efa_interfaces:
        return "has no EFA"
    return f"no {purchase} price is known"


def _gpus(offered: list[Machine]) -> list[str]:
    return sorted({machine.gpu for machine in offered if machine.gpu_count})


def _elsewhere(gpu: str, offered: list[Machine]) -> str | None:
    """Where in India the GPU is, or the GPU that was probably meant."""
    places = offered_in(gpu)
    if not places:
        return nearest(gpu, _gpus(offered))
    return f"{gpu} is in " + "; ".join(f"{region} ({', '.join(zones)})" for region, zones in places.items())


def _with_efa(machines_of_gpu: list[Machine]) -> str | None:
    counts = sorted({machine.gpu_count for machine in machines_of_gpu if machine.efa_interfaces})
    return f"EFA comes with {', '.join(map(str, counts))} a node" if counts else None
