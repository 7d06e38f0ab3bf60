"""The parts of the settings that are valid by themselves, for checks between parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from infra.geography import Cloud
from infra.settings.aws import Cluster, ClusterAccess, Network
from infra.settings.aws_pools import AwsPool
from infra.settings.errors import Problem
from infra.settings.gcp import GoogleCluster, GoogleClusterAccess, GoogleNetwork
from infra.settings.google_pools import GooglePool, GoogleSystemPool
from infra.settings.money import Credit, Currency
from infra.settings.networks import OnPremisesCidr, OnPremisesPodsCidr
from infra.settings.on_premises import OnPremisesPool
from infra.settings.pools import GpuPool, SystemPool
from infra.settings.workloads import kinds
from infra.settings.workloads.workload import WorkloadSettings

M = TypeVar("M", bound=BaseModel)
W = TypeVar("W", bound=WorkloadSettings)
# The models of each cloud's cluster and network; their defaults hold where a stack leaves a setting out.
_CLUSTERS: Mapping[Cloud, tuple[type[Cluster | GoogleCluster], type[SystemPool], type[GpuPool]]] = {
    "aws": (Cluster, SystemPool, AwsPool),
    "gcp": (GoogleCluster, GoogleSystemPool, GooglePool),
}
_ACCESS: Mapping[Cloud, type[ClusterAccess | GoogleClusterAccess]] = {
    "aws": ClusterAccess,
    "gcp": GoogleClusterAccess,
}
_NETWORKS: Mapping[Cloud, type[Network | GoogleNetwork]] = {"aws": Network, "gcp": GoogleNetwork}


@dataclass(frozen=True)
class CloudParts:
    """The valid parts of one cloud. `pools` and `ranges` (networks in CIDR notation) are by their path.

    `access` says who reaches the cluster. It is None where it is not valid, as are the others.
    """

    cloud: Cloud
    region: str | None
    version: str | None
    system: SystemPool | None
    pools: Mapping[str, GpuPool]
    ranges: Mapping[str, str]
    access: ClusterAccess | GoogleClusterAccess | None


@dataclass(frozen=True)
class OnPremisesParts:
    """The valid parts of the site on premises, by their path."""

    pools: Mapping[str, OnPremisesPool] = field(default_factory=dict)
    ranges: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Parts:
    """The parts of the settings that are valid by themselves.

    Checks between parts run on these, so that one wrong setting does not hide another. `pool_names` are the names of
    all pools, of wrong ones too; `environment` may be wrong. `workloads` and `credits` are by their path; `rate_of` is
    the day of the dollar's rate.
    """

    clouds: tuple[CloudParts, ...]
    pool_names: tuple[str, ...]
    workloads: Mapping[str, WorkloadSettings]
    site: OnPremisesParts = OnPremisesParts()
    environment: str | None = None
    credits: Mapping[str, Credit] = field(default_factory=dict)
    rate_of: date | None = None

    @property
    def pools(self) -> dict[str, GpuPool | OnPremisesPool]:
        """The pools of all clouds and of the site, by their path."""
        clouds = {path: pool for cloud in self.clouds for path, pool in cloud.pools.items()}
        return {**clouds, **self.site.pools}

    def workload(self, kind: type[W]) -> W | None:
        """The settings of one workload, by their model, if the stack asks for it and they are right on their own."""
        return next((found for found in self.workloads.values() if isinstance(found, kind)), None)


Check = Callable[[Parts], list[Problem]]


def parts_of(values: Mapping[str, Any]) -> Parts:
    """The valid parts of the plain values of a stack file."""
    clouds = tuple(_cloud_parts(cloud, _mapping(values[cloud])) for cloud in _CLUSTERS if values.get(cloud))
    site = _mapping(values.get("onPremises"))
    written = [pool for cloud in _CLUSTERS for pool in _written_pools(_mapping(values.get(cloud)))]
    written += _list(site.get("pools"))
    return Parts(
        clouds=clouds,
        pool_names=tuple(name for pool in written if isinstance(name := _mapping(pool).get("name"), str)),
        workloads=_workloads(_mapping(values.get("workloads"))),
        site=_on_premises_parts(site),
        environment=text if isinstance(text := values.get("environment"), str) else None,
        credits=_credits(_mapping(values.get("budget"))),
        rate_of=rate.as_of if (rate := _read(Currency, values.get("currency"))) else None,
    )


def _workloads(given: Mapping[str, Any]) -> Mapping[str, WorkloadSettings]:
    read = {path: _read(kind, given.get(path.partition(".")[2])) for path, kind in kinds().items()}
    return {path: workload for path, workload in read.items() if workload}


def _credits(budget: Mapping[str, Any]) -> Mapping[str, Credit]:
    read = {f"budget.credits[{i}]": _read(Credit, one) for i, one in enumerate(_list(budget.get("credits")))}
    return {path: credit for path, credit in read.items() if credit}


def _cloud_parts(cloud: Cloud, given: Mapping[str, Any]) -> CloudParts:
    model, system_model, pool_model = _CLUSTERS[cloud]
    cluster = _mapping(given.get("cluster"))
    region, version = given.get("region"), cluster.get("version", model().version)
    read = {
        f"{cloud}.cluster.pools[{i}]": _read(pool_model, pool) for i, pool in enumerate(_written_pools(given))
    }
    network = _read(_NETWORKS[cloud], given.get("network", {}))
    return CloudParts(
        cloud=cloud,
        region=region if isinstance(region, str) else None,
        version=version if isinstance(version, str) else None,
        system=_read(system_model, cluster.get("system", {})),
        pools={path: pool for path, pool in read.items() if pool},
        ranges={
            f"{cloud}.network.{name}": cidr
            for name, cidr in _own_ranges(network).items()
            if name.lower().endswith("cidr")
        },
        access=_read(_ACCESS[cloud], cluster.get("access", {})),
    )


def _own_ranges(network: Network | GoogleNetwork | None) -> Mapping[str, Any]:
    """The networks that the settings name. Only its cloud knows those of a VPC that exists."""
    if network is None or network.existing:
        return {}
    return network.model_dump(by_alias=True)


def _on_premises_parts(given: Mapping[str, Any]) -> OnPremisesParts:
    read = {
        f"onPremises.pools[{i}]": _read(OnPremisesPool, pool)
        for i, pool in enumerate(_list(given.get("pools")))
    }
    return OnPremisesParts(
        pools={path: pool for path, pool in read.items() if pool},
        ranges={
            f"onPremises.{name}[{i}]": cidr
            for name, kind in (("nodeCidrs", OnPremisesCidr), ("podCidrs", OnPremisesPodsCidr))
            for i, cidr in enumerate(_list(given.get(name)))
            if _is(kind, cidr)
        },
    )


def _is(kind: Any, value: object) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        # A problem of the whole settings already.
        return False
    return True


def _written_pools(given: Mapping[str, Any]) -> list[Any]:
    return _list(_mapping(given.get("cluster")).get("pools"))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _read(model: type[M], value: object) -> M | None:
    try:
        return model.model_validate(value)
    except ValidationError:
        # A problem of the whole settings already.
        return None
