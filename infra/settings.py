"""What a stack may say: typed, with units, ranges and defaults.

YAML is camelCase (`maxGpus`), Python is snake_case (`max_gpus`). `load` reads the configuration of the running stack at
one place and refuses it before anything is created, with every mistake at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, TypeVar

import pulumi
from pulumi.runtime import config as runtime_config
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel

from infra.geography import regions_of
from infra.settings_errors import NOTHING, Problem, SettingsError, nearest, problems_of, refuse
from infra.settings_types import (
    AwsRegion,
    CapacityReservation,
    DnsLabel,
    Email,
    KubernetesVersion,
    LogRetentionDays,
    PrincipalArn,
    PrivateCidr,
    TagValue,
)

PERSONAL_CLASSES = ("personal", "sensitive", "payment")
# DPDP Rules 2025, rule 8(3): personal data, and the logs of its processing, are kept for at least a year.
PERSONAL_RETENTION_DAYS = 365

SYSTEM_POOL = "system"

Purchase = Literal["spot", "on-demand", "capacity-block"]
Fabric = Literal["none", "efa"]
DataClass = Literal["personal", "sensitive", "payment", "internal", "public"]
Environment = Literal["local", "dev", "prod"]


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class Budget(_Model):
    """What the stack may cost a month, in rupees without tax."""

    monthly_inr: int = Field(gt=0)


class Currency(_Model):
    """Rupees for a US dollar on a day, and the goods and services tax that AWS India adds, in percent."""

    usd_inr: float = Field(gt=0)
    as_of: date
    gst_percent: float = Field(default=18, ge=0, le=50)


class Usage(_Model):
    """What a month is assumed to carry, for the price: GiB stored and moved, millions of requests and events.

    Nothing enforces it. `lake_gib` is all that the lake holds; `log_gib` what is written to logs in a month.
    """

    lake_gib: float = Field(default=2000, ge=0)
    lake_requests_millions: float = Field(default=10, ge=0)
    log_gib: float = Field(default=50, ge=0)
    nat_gib: float = Field(default=200, ge=0)
    endpoint_gib: float = Field(default=200, ge=0)
    internet_gib: float = Field(default=50, ge=0)
    audit_events_millions: float = Field(default=20, ge=0)


class Network(_Model):
    """The VPC: its addresses, one NAT gateway or one a zone, and how many days its flow logs are kept."""

    cidr: PrivateCidr = "10.0.0.0/16"
    nat_per_zone: bool = False
    flow_log_days: LogRetentionDays = 365


class SystemPool(_Model):
    """The untainted nodes that run the operators."""

    machine_type: str = "m6a.xlarge"
    max_nodes: int = Field(default=4, ge=1)
    min_nodes: int = Field(default=2, ge=1)

    @field_validator("min_nodes")
    @classmethod
    def _min_fits_max(cls, least: int, info: ValidationInfo) -> int:
        return _at_most(least, info.data.get("max_nodes"))


class GpuPool(_Model):
    """Nodes with one kind of GPU. The catalogue turns it into machine types and zones.

    `gpu` names the kind, or `min_gpu_memory_gib` asks for the cheapest with that much memory. Spot is weighed by
    `hours_lost_per_reclaim`, and refused where it saves less than the share `min_spot_saving`. A
    `capacity_reservation` is the id of a capacity block that was bought, in its `zone` (an ID: aps1-az1), which other
    pools that stand may name too. `expected_nodes` is what the price of the stack counts on: without it, what the
    stack's own workloads ask for.

    `max_nodes` or `max_gpus` is the most that the pool grows to: one of them, in whole nodes. A pool is elastic (from
    zero, by what is asked for) unless it has a fabric or a placement group: such a pool stands, in one zone, with
    `min_nodes` nodes, all of them unless given, or grows from zero there if it is `elastic`.
    `on_demand_fallback` lets an elastic spot pool buy on-demand when there
    is no spot.
    """

    name: DnsLabel
    gpu: str | None = Field(default=None, min_length=1)
    min_gpu_memory_gib: float | None = Field(default=None, gt=0, validate_default=True)
    gpus_per_node: int = Field(default=1, ge=1)
    purchase: Purchase = "spot"
    zone: str | None = None
    capacity_reservation: CapacityReservation | None = Field(default=None, validate_default=True)
    min_spot_saving: float = Field(default=0.1, ge=0, lt=1)
    hours_lost_per_reclaim: float = Field(default=1, ge=0)
    fabric: Fabric = "none"
    placement_group: bool = False
    elastic: bool = False
    max_nodes: int | None = Field(default=None, ge=1)
    max_gpus: int | None = Field(default=None, ge=1, validate_default=True)
    min_nodes: int | None = Field(default=None, ge=0)
    on_demand_fallback: bool = False
    expected_nodes: float | None = Field(default=None, ge=0)

    @property
    def together(self) -> bool:
        """Its nodes are in one zone and belong to each other."""
        return self.placement_group or self.fabric != "none" or self.capacity_reservation is not None

    @property
    def stands(self) -> bool:
        """Its nodes are there whether they are used or not."""
        return self.together and not self.elastic

    @property
    def most_nodes(self) -> int:
        """The pool's size limit in nodes."""
        return self.max_nodes or (self.max_gpus or 0) // self.gpus_per_node

    @property
    def most_gpus(self) -> int:
        """The pool's size limit in GPUs."""
        return self.most_nodes * self.gpus_per_node

    @property
    def standing_nodes(self) -> int:
        """Nodes that are always there."""
        if not self.stands:
            return 0
        return self.most_nodes if self.min_nodes is None else self.min_nodes

    @field_validator("min_gpu_memory_gib")
    @classmethod
    def _a_gpu_or_its_memory(cls, gib: float | None, info: ValidationInfo) -> float | None:
        if "gpu" in info.data and (gib is None) == (info.data["gpu"] is None):
            raise refuse("gpu or minGpuMemoryGib, one of the two")
        return gib

    @field_validator("capacity_reservation")
    @classmethod
    def _blocks_are_no_spot(cls, reservation: str | None, info: ValidationInfo) -> str | None:
        block = info.data.get("purchase") == "capacity-block"
        if reservation and not block:
            raise refuse("only with purchase: capacity-block; a block is paid for whole, before it begins")
        if block and not reservation:
            raise refuse("the id of the block that you bought (cr-…), with purchase: capacity-block")
        return reservation

    @field_validator("elastic")
    @classmethod
    def _only_a_fabric_can_do_without_standing(cls, elastic: bool, info: ValidationInfo) -> bool:
        if elastic and info.data.get("fabric", "none") == "none":
            raise refuse("only with a fabric: a pool without one is elastic anyway", near="false")
        return elastic

    @field_validator("max_gpus")
    @classmethod
    def _one_limit_in_whole_nodes(cls, gpus: int | None, info: ValidationInfo) -> int | None:
        if "max_nodes" not in info.data or "gpus_per_node" not in info.data:
            return gpus
        if (gpus is None) == (info.data["max_nodes"] is None):
            raise refuse("maxNodes or maxGpus, one of the two")
        per_node = info.data["gpus_per_node"]
        if gpus is not None and gpus % per_node:
            raise refuse(f"whole nodes of {per_node} GPUs", near=str(gpus + per_node - gpus % per_node))
        return gpus

    @field_validator("min_nodes")
    @classmethod
    def _min_fits_max(cls, least: int | None, info: ValidationInfo) -> int | None:
        if least is None:
            return None
        if least and not _stands(info.data):
            raise refuse("only with a fabric or placementGroup: other pools grow from zero", near="0")
        most, gpus, per_node = (info.data.get(key) for key in ("max_nodes", "max_gpus", "gpus_per_node"))
        return _at_most(least, most or (gpus // per_node if gpus and per_node else None))

    @field_validator("on_demand_fallback")
    @classmethod
    def _fallback_is_for_elastic_spot(cls, fallback: bool, info: ValidationInfo) -> bool:
        if fallback and (_stands(info.data) or info.data.get("purchase", "spot") != "spot"):
            raise refuse("only with purchase: spot, without a fabric or placementGroup", near="false")
        return fallback

    @field_validator("expected_nodes")
    @classmethod
    def _standing_nodes_are_expected(cls, nodes: float | None, info: ValidationInfo) -> float | None:
        if nodes is not None and _stands(info.data):
            raise refuse("only for a pool that grows from zero: the nodes of this one stand")
        return nodes


def _stands(given: Mapping[str, Any]) -> bool:
    """`GpuPool.stands` of what has been read so far."""
    together = (
        given.get("placement_group")
        or given.get("fabric", "none") != "none"
        or given.get("purchase") == "capacity-block"
    )
    return bool(together) and not given.get("elastic")


class Cluster(_Model):
    """EKS: a Kubernetes minor version, the system pool and the GPU pools."""

    version: KubernetesVersion = "1.35"
    system: SystemPool = SystemPool()
    pools: list[GpuPool] = []
    deletion_protection: bool = False


class Access(_Model):
    """Who may assume which role: ARNs of IAM roles or users."""

    data_engineers: list[PrincipalArn] = []
    ml_engineers: list[PrincipalArn] = []
    auditors: list[PrincipalArn] = []


class Audit(_Model):
    """Threat detection, and who is mailed about findings and spot notices."""

    guardduty: bool = True
    alert_emails: list[Email] = []


class Replica(_Model):
    """The lake a second time, in the other Indian region; after a `failover` workloads use that one."""

    region: AwsRegion
    failover: bool = False


class Aws(_Model):
    """The platform on AWS, in one Indian region, with the lake in both if there is a `replica`."""

    region: AwsRegion
    replica: Replica | None = None
    network: Network = Network()
    cluster: Cluster = Cluster()
    access: Access = Access()
    audit: Audit = Audit()
    protect_data: bool = True

    @field_validator("replica")
    @classmethod
    def _replica_is_elsewhere(cls, replica: Replica | None, info: ValidationInfo) -> Replica | None:
        home = info.data.get("region")
        if replica and replica.region == home:
            other = next(name for name in regions_of("aws") if name != home)
            raise refuse("its region: the other one in India", near=other)
        return replica


class Training(_Model):
    """A distributed training job: `nodes` workers on a pool, each with `gpus_per_node` GPUs.

    `image` is built from workloads/training/Dockerfile, in a registry that the cluster reaches.
    """

    name: DnsLabel = "train"
    pool: DnsLabel
    image: str = Field(min_length=1)
    nodes: int = Field(default=1, ge=1)
    gpus_per_node: int = Field(default=1, ge=1)


class Serving(_Model):
    """A model server: replicas of one model on a pool, each with `gpus` GPUs."""

    name: DnsLabel = "serve"
    pool: DnsLabel
    model: str = Field(min_length=1)
    replicas: int = Field(default=1, ge=1)
    gpus: int = Field(default=1, ge=1)


class Workloads(_Model):
    """What runs on the GPU pools."""

    training: Training | None = None
    serving: Serving | None = None


class Settings(_Model):
    """All that a stack says. `retention_days` is for the data; personal data is kept for a year at least."""

    owner: TagValue
    environment: Environment
    purpose: TagValue
    budget: Budget
    currency: Currency
    usage: Usage = Usage()
    data_class: DataClass = "personal"
    retention_days: int = Field(default=PERSONAL_RETENTION_DAYS, ge=1)
    aws: Aws | None = Field(default=None, validate_default=True)
    workloads: Workloads = Workloads()

    @field_validator("retention_days")
    @classmethod
    def _personal_data_is_kept_a_year(cls, days: int, info: ValidationInfo) -> int:
        if info.data.get("data_class", "personal") in PERSONAL_CLASSES and days < PERSONAL_RETENTION_DAYS:
            floor = str(PERSONAL_RETENTION_DAYS)
            raise refuse(f"at least {floor} days for personal data (DPDP Rules, 8(3))", near=floor)
        return days

    @field_validator("aws")
    @classmethod
    def _some_cloud(cls, aws: Aws | None) -> Aws | None:
        if aws is None:
            raise refuse("a cloud to build on: aws with its region")
        return aws


def _at_most(least: int, most: int | None) -> int:
    if most is not None and least > most:
        raise refuse(f"no more than the {most} nodes of the limit", near=str(most))
    return least


@dataclass(frozen=True)
class Parts:
    """The parts of a configuration that are right on their own.

    Checks between parts run on these, so that one wrong setting does not hide another. `pools` are by their path;
    `pool_names` holds every name that was written, of wrong pools too.
    """

    region: str | None
    version: str | None
    system: SystemPool | None
    pools: Mapping[str, GpuPool]
    pool_names: tuple[str, ...]
    training: Training | None
    serving: Serving | None


Check = Callable[[Parts], list[Problem]]
M = TypeVar("M", bound=BaseModel)


def load(config: pulumi.Config, *checks: Check) -> Settings:
    """The settings of the running stack.

    `checks` look at what settings alone can't know, such as the machines of a region (`catalog.check_offered`).

    Raises:
        SettingsError: with every problem at once.
    """
    # pulumi.Config can't list its keys, and a mistyped one must not pass unseen.
    given = {**runtime_config.get_config_env(), **runtime_config.CONFIG.get()}
    prefix = f"{config.name}:"
    values = {key.removeprefix(prefix): _value(text) for key, text in given.items() if key.startswith(prefix)}
    return parse(values, *checks)


def parse(values: Mapping[str, Any], *checks: Check) -> Settings:
    """Settings from plain values, as the YAML of a stack holds them; see `load`."""
    problems: list[Problem] = []
    settings = None
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems = problems_of(error, Settings)
    parts = _parts(values)
    for check in (_pools_are_told_apart, _workloads_fit_their_pools, *checks):
        problems += check(parts)
    if settings is None or problems:
        raise SettingsError(problems)
    return settings


def _value(text: str) -> Any:
    """The engine hands objects and lists over as JSON, and everything else as it was written."""
    if not text.startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _parts(values: Mapping[str, Any]) -> Parts:
    aws = _mapping(values.get("aws"))
    cluster = _mapping(aws.get("cluster"))
    workloads = _mapping(values.get("workloads"))
    written = cluster.get("pools")
    written = written if isinstance(written, list) else []
    read = {f"aws.cluster.pools[{i}]": _read(GpuPool, pool) for i, pool in enumerate(written)}
    region, version = aws.get("region"), cluster.get("version", Cluster().version)
    return Parts(
        region=region if isinstance(region, str) else None,
        version=version if isinstance(version, str) else None,
        system=_read(SystemPool, cluster.get("system", {})),
        pools={path: pool for path, pool in read.items() if pool},
        pool_names=tuple(name for pool in written if isinstance(name := _mapping(pool).get("name"), str)),
        training=_read(Training, workloads.get("training")),
        serving=_read(Serving, workloads.get("serving")),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _read(model: type[M], value: object) -> M | None:
    try:
        return model.model_validate(value)
    except ValidationError:
        return None  # already among the problems of the whole


def _pools_are_told_apart(parts: Parts) -> list[Problem]:
    first = {SYSTEM_POOL: "the system pool"}
    problems = []
    for path, pool in parts.pools.items():
        if pool.name in first:
            allowed = f"a name of its own: {first[pool.name]} has this one"
            problems.append(Problem(f"{path}.name", pool.name, allowed, f"{pool.name}-2"))
        first.setdefault(pool.name, path)
    return problems


def _workloads_fit_their_pools(parts: Parts) -> list[Problem]:
    pools = {pool.name: pool for pool in parts.pools.values()}
    problems = []
    if train := parts.training:
        problems += _fits("workloads.training", train.pool, "gpusPerNode", train.gpus_per_node, parts)
        problems += _nodes_fit(train, pools.get(train.pool))
    if serve := parts.serving:
        problems += _fits("workloads.serving", serve.pool, "gpus", serve.gpus, parts)
    return problems


def _fits(path: str, name: str, setting: str, gpus: int, parts: Parts) -> list[Problem]:
    if name not in parts.pool_names:
        allowed = ", ".join(parts.pool_names) or NOTHING
        near = nearest(name, parts.pool_names)
        return [Problem(f"{path}.pool", name, f"a pool of aws.cluster.pools: {allowed}", near)]
    pool = next((pool for pool in parts.pools.values() if pool.name == name), None)
    if pool and gpus > pool.gpus_per_node:
        allowed = f"no more GPUs than a node of pool {name} has"
        return [Problem(f"{path}.{setting}", str(gpus), allowed, str(pool.gpus_per_node))]
    return []


def _nodes_fit(train: Training, pool: GpuPool | None) -> list[Problem]:
    """A job that needs more nodes than there will ever be would wait for ever."""
    if pool is None:
        return []
    most = pool.standing_nodes if pool.stands else pool.most_nodes
    if train.nodes <= most:
        return []
    limit = "has standing (minNodes)" if pool.stands else "grows to"
    allowed = f"no more nodes than pool {pool.name} {limit}"
    return [Problem("workloads.training.nodes", str(train.nodes), allowed, str(most))]
