"""Whether what a stack asks for exists in its region: a check for `settings.load`."""

from __future__ import annotations

from pydantic.alias_generators import to_camel

from infra.catalog.choose import Asked, Choice, NoMachineError, choose
from infra.catalog.kubernetes_versions import kubernetes_versions
from infra.catalog.machines import machines
from infra.geography import Cloud, regions_of
from infra.settings.errors import NOTHING, Problem, nearest
from infra.settings.parts import CloudParts, Parts
from infra.settings.pools import GpuPool


def check_offered(parts: Parts) -> list[Problem]:
    """Problems with the Kubernetes version, the system machines, and pools that no machine of the region serves."""
    return [problem for cloud in parts.clouds for problem in _offered(cloud)]


def _offered(parts: CloudParts) -> list[Problem]:
    problems = _version(parts)
    if parts.region not in regions_of(parts.cloud):
        return problems  # the settings say so; which machines there are can't be known
    if parts.system:
        problems += _system_machine(parts.cloud, parts.region, parts.system.machine_type)
    for path, pool in parts.pools.items():
        problems += _pool(parts.region, path, pool)
    return problems


def _version(parts: CloudParts) -> list[Problem]:
    supported = {
        version: f"{version} (to {known.standard_support_until})" if known.standard_support_until else version
        for version, known in kubernetes_versions(parts.cloud).items()
    }
    if parts.version is None or parts.version in supported:
        return []
    allowed = ", ".join(supported.values())
    return [Problem(f"{parts.cloud}.cluster.version", parts.version, allowed, list(supported)[-1])]


def _system_machine(cloud: Cloud, region: str, machine_type: str) -> list[Problem]:
    cpu_machines = [machine.machine_type for machine in machines(region) if not machine.gpu]
    if machine_type in cpu_machines:
        return []
    near = nearest(machine_type, cpu_machines)
    return [Problem(f"{cloud}.cluster.system.machineType", machine_type, ", ".join(cpu_machines), near)]


def _pool(region: str, path: str, pool: GpuPool) -> list[Problem]:
    try:
        choice = choose([region], Asked.by(pool))
    except NoMachineError as error:
        setting = to_camel("purchase" if error.asked == "zones" else error.asked)
        return [Problem(f"{path}.{setting}", error.given, error.allowed, error.near)]
    return _zone(path, pool, choice)


def _zone(path: str, pool: GpuPool, choice: Choice) -> list[Problem]:
    if pool.zone is None and pool.capacity_reservation:
        return [Problem(f"{path}.zone", NOTHING, "the zone of the capacity block", choice.zones[0])]
    if pool.zone and not pool.stands:
        return [
            Problem(f"{path}.zone", pool.zone, "only with a fabric, placementGroup or capacityReservation")
        ]
    if pool.zone and pool.zone not in choice.zones:
        offered = f"where {choice.machines[0].machine_type} is: {', '.join(choice.zones)}"
        return [Problem(f"{path}.zone", pool.zone, offered, nearest(pool.zone, choice.zones))]
    return []
