"""The pools that a trace is replayed on: a stack's, or those of a YAML file in place of the stack's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from infra.catalog.machines import Machine, machine
from infra.catalog.offered import check_offered
from infra.catalog.resolved import ResolvedPool, resolver
from infra.geography import Cloud, region
from infra.settings.errors import SettingsError
from infra.settings.money import Currency
from infra.settings.pools import GpuPool, SystemPool
from infra.settings.reading import parse
from infra.settings.stack import Settings
from infra.stacks import StackFileError, file_of, read_yaml, settings_in
from localcloud.directories import PROJECT

CLOUDS: tuple[Cloud, ...] = ("aws", "gcp")


class NoDesignError(ValueError):
    """No such stack, or no pools in the file; the message says what there is."""


@dataclass(frozen=True)
class Place:
    """A cluster of a design: its region, system nodes, and GPU pools by name."""

    region: str
    system: SystemPool
    pools: Mapping[str, ResolvedPool[GpuPool]]

    @property
    def cloud(self) -> Cloud:
        """The cloud that has the region."""
        return region(self.region).cloud


@dataclass(frozen=True)
class Design:
    """The clusters of a stack, and the rupees of a dollar. `left_out` are pools on premises, which no cloud bills."""

    name: str
    places: tuple[Place, ...]
    currency: Currency
    left_out: tuple[str, ...] = ()

    @property
    def resolved(self) -> Mapping[str, ResolvedPool[GpuPool]]:
        """The GPU pools of all clusters: no two have one name."""
        return {name: pool for place in self.places for name, pool in place.pools.items()}

    @property
    def pools(self) -> Mapping[str, GpuPool]:
        """Their settings."""
        return {name: pool.settings for name, pool in self.resolved.items()}

    def place_of(self, pool: str, zone: str = "") -> Place:
        """The cluster of a pool, or of a zone: both have system nodes."""
        for place in self.places:
            if pool in place.pools or zone in region(place.region).zones:
                return place
        return self.places[0]

    def machine(self, pool: str, zone: str, machine_type: str) -> Machine:
        """A node's machine type."""
        return machine(self.place_of(pool, zone).region, machine_type)


def read(what: str, stack: str) -> Design:
    """The design called `what`: a stack's name, or a YAML file with a list of pools, for which `stack` gives the rest.

    Raises:
        NoDesignError: there is no such stack or file, or its settings are wrong (all of them are named).
    """
    if not what.endswith((".yaml", ".yml")):
        return _design(what, _values(what))
    values = _values(stack)
    for cloud, pools in _pools(Path(what), [cloud for cloud in CLOUDS if values.get(cloud)]).items():
        there = _mapping(values.get(cloud))
        cluster = {**_mapping(there.get("cluster")), "pools": pools}
        values = {**values, cloud: {**there, "cluster": cluster}}
    # The stack's workloads name its own pools; the trace says what runs here.
    return _design(Path(what).stem, {**values, "workloads": {}}, what)


def gpus_of(pool: GpuPool) -> int:
    """The most GPUs that the pool has at any time."""
    return pool.static_nodes * pool.gpus_per_node if pool.static else pool.most_gpus


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _design(name: str, values: Mapping[str, Any], file: str = "") -> Design:
    resolve = resolver()
    try:
        settings: Settings = parse(values, partial(check_offered, resolve=resolve))
    except SettingsError as error:
        raise NoDesignError(f"{file or f'Pulumi.{name}.yaml'}: {error}") from None
    clouds = [cloud for cloud in (settings.aws, settings.gcp) if cloud]
    places = tuple(
        Place(
            cloud.region,
            cloud.cluster.system,
            {pool.name: resolve(cloud.region, pool) for pool in cloud.cluster.pools},
        )
        for cloud in clouds
    )
    if not any(place.pools for place in places):
        where = " or ".join(f"{place.cloud}.cluster.pools" for place in places)
        raise NoDesignError(f"stack {name} has no GPU pools: give it some under {where}")
    site = settings.on_premises.pools if settings.on_premises else ()
    return Design(name, places, settings.currency, tuple(pool.name for pool in site))


def _values(stack: str) -> dict[str, Any]:
    try:
        return settings_in(file_of(stack, PROJECT))
    except StackFileError as error:
        raise NoDesignError(str(error)) from None


def _pools(file: Path, clouds: Sequence[str]) -> Mapping[str, list[Any]]:
    """The pools of a file by cloud: a list is of the stack's first cloud, and `aws: […]`, `gcp: […]` say whose."""
    if not file.exists():
        raise NoDesignError(
            f"{file}: no such file; it should hold a list of pools as aws.cluster.pools has them"
        )
    found = _yaml(file)
    pools = found.get("pools", found) if isinstance(found, dict) else found
    given = {clouds[0]: pools} if isinstance(pools, list) and clouds else _mapping(pools)
    if (
        not given
        or not set(given) <= set(clouds)
        or not all(isinstance(some, list) and some for some in given.values())
    ):
        raise NoDesignError(
            f"{file}: a list of pools is needed, such as\n  - {{name: train, gpu: L4, maxNodes: 2}}\n"
            f"or one for each cloud of the stack ({', '.join(clouds)})"
        )
    return given


def _yaml(file: Path) -> Any:
    try:
        return read_yaml(file) or {}
    except StackFileError as error:
        raise NoDesignError(str(error)) from None
