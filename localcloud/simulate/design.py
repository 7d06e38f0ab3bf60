"""The pools that a trace is replayed on: a stack's, or those of a YAML file in place of the stack's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.catalog import check_offered
from infra.settings import Settings, parse
from infra.settings.errors import SettingsError
from infra.settings.pools import GpuPool, SystemPool
from infra.settings.stack import Currency
from infra.stacks import StackFileError, file_of, read_yaml, settings_in

from ..paths import PROJECT


class NoDesign(ValueError):
    """No such stack, or no pools in the file; the message says what there is."""


@dataclass(frozen=True)
class Design:
    """A region, its system nodes, GPU pools by name, and the rupees of a dollar."""

    name: str
    region: str
    system: SystemPool
    pools: Mapping[str, GpuPool]
    currency: Currency


def read(what: str, stack: str) -> Design:
    """The design called `what`: a stack's name, or a YAML file with a list of pools, for which `stack` gives the rest.

    Raises:
        NoDesign: there is no such stack or file, or its settings are wrong (all of them are named).
    """
    if not what.endswith((".yaml", ".yml")):
        return _design(what, _values(what))
    values = _values(stack)
    aws = _mapping(values.get("aws"))
    cluster = {**_mapping(aws.get("cluster")), "pools": _pools(Path(what))}
    # The stack's workloads name its own pools; the trace says what runs here.
    values = {**values, "aws": {**aws, "cluster": cluster}, "workloads": {}}
    return _design(Path(what).stem, values, what)


def gpus_of(pool: GpuPool) -> int:
    """The most GPUs that the pool has at any time."""
    return pool.standing_nodes * pool.gpus_per_node if pool.stands else pool.most_gpus


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _design(name: str, values: Mapping[str, Any], file: str = "") -> Design:
    try:
        settings: Settings = parse(values, check_offered)
    except SettingsError as error:
        raise NoDesign(f"{file or f'Pulumi.{name}.yaml'}: {error}") from None
    aws = settings.aws
    if aws is None:
        raise NoDesign(f"stack {name} is on Google Cloud alone: what is replayed is Karpenter, on AWS")
    pools = {pool.name: pool for pool in aws.cluster.pools}
    if not pools:
        raise NoDesign(f"stack {name} has no GPU pools: give it some under aws.cluster.pools")
    return Design(name, aws.region, aws.cluster.system, pools, settings.currency)


def _values(stack: str) -> dict[str, Any]:
    try:
        return settings_in(file_of(stack, PROJECT))
    except StackFileError as error:
        raise NoDesign(str(error)) from None


def _pools(file: Path) -> list[Any]:
    if not file.exists():
        raise NoDesign(f"{file}: no such file; it should hold a list of pools as aws.cluster.pools has them")
    found = _yaml(file)
    pools = found.get("pools") if isinstance(found, dict) else found
    if not isinstance(pools, list) or not pools:
        raise NoDesign(
            f"{file}: a list of pools is needed, such as\n  - {{name: train, gpu: L4, maxNodes: 2}}"
        )
    return pools


def _yaml(file: Path) -> Any:
    try:
        return read_yaml(file) or {}
    except StackFileError as error:
        raise NoDesign(str(error)) from None
