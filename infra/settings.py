"""What a stack may say: typed, with units, ranges and defaults.

YAML is camelCase (`maxGpus`), Python is snake_case (`max_gpus`). `load` reads the configuration of the running stack at
one place and refuses it before anything is created, with every mistake at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from ipaddress import IPv4Network
from typing import Any, Literal, TypeVar

import pulumi
from pulumi.runtime import config as runtime_config
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel

from infra.geography import Cloud, regions_of
from infra.settings_errors import NOTHING, Problem, SettingsError, nearest, problems_of, refuse
from infra.settings_types import (
    PRIVATE_NETWORKS,
    AwsRegion,
    CapacityReservation,
    DnsLabel,
    Email,
    Folder,
    GoogleProject,
    GoogleRegion,
    IamMember,
    KubernetesVersion,
    LogRetentionDays,
    PodsCidr,
    PrincipalArn,
    PrivateCidr,
    TagValue,
)

PERSONAL_CLASSES = ("personal", "sensitive", "payment")
# DPDP Rules 2025, rule 8(3): personal data, and the logs of its processing, are kept for at least a year.
PERSONAL_RETENTION_DAYS = 365
GOOGLE_POOL_NAME = 30
GOOGLE_LOG_DAYS = 3650  # the longest that Cloud Logging keeps a bucket's entries

SYSTEM_POOL = "system"
# Where the extra network cards of Google's fast machines have their addresses: cluster-toolkit's examples give them
# 192.168.0.0/16 in networks of their own.
GOOGLE_FABRIC_CIDR = "192.168.0.0/16"

Purchase = Literal["spot", "on-demand", "capacity-block"]
Fabric = Literal["none", "efa", "tcpx", "rdma"]
AWS_FABRICS, GOOGLE_FABRICS = ("none", "efa"), ("none", "tcpx", "rdma")
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


class AwsPool(GpuPool):
    """A pool on AWS, whose fabric is EFA."""

    @field_validator("fabric")
    @classmethod
    def _fabric_of_aws(cls, fabric: str) -> str:
        if fabric not in AWS_FABRICS:
            raise refuse(f"{', '.join(AWS_FABRICS)}: {fabric} is Google's", near="efa")
        return fabric


class Cluster(_Model):
    """EKS: a Kubernetes minor version, the system pool and the GPU pools."""

    version: KubernetesVersion = "1.35"
    system: SystemPool = SystemPool()
    pools: list[AwsPool] = []
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


class GoogleNetwork(_Model):
    """The VPC: the addresses of nodes, pods and services, and how many days its flow logs are kept at least."""

    cidr: PrivateCidr = "10.64.0.0/20"
    pods_cidr: PodsCidr = "10.68.0.0/14"
    services_cidr: PrivateCidr = "10.65.0.0/20"
    flow_log_days: int = Field(default=365, ge=365, le=GOOGLE_LOG_DAYS)


class GoogleSystemPool(SystemPool):
    """The untainted nodes that run the operators; their numbers are for the whole region, not a zone."""

    machine_type: str = "e2-standard-4"


class GooglePool(GpuPool):
    """A pool on Google Cloud: a fabric there is TCPX or RDMA, and nothing is sold by the block.

    Its name is part of longer ones (a fabric's networks, a second pool on demand), which Google limits.
    """

    @field_validator("name")
    @classmethod
    def _name_that_google_takes(cls, name: str) -> str:
        if name[0].isdigit() or len(name) > GOOGLE_POOL_NAME:
            near = (f"pool-{name}" if name[0].isdigit() else name)[:GOOGLE_POOL_NAME].rstrip("-")
            raise refuse(
                f"a letter first, and {GOOGLE_POOL_NAME} letters, digits and dashes at most", near=near
            )
        return name

    @field_validator("purchase")
    @classmethod
    def _no_blocks(cls, purchase: str) -> str:
        if purchase == "capacity-block":
            raise refuse("spot or on-demand: only AWS sells capacity blocks", near="on-demand")
        return purchase

    @field_validator("fabric")
    @classmethod
    def _fabric_of_google(cls, fabric: str, info: ValidationInfo) -> str:
        if fabric not in GOOGLE_FABRICS:
            near = "tcpx" if info.data.get("gpu") == "H100" else "rdma"
            raise refuse(f"{', '.join(GOOGLE_FABRICS)}: {fabric} is of AWS", near=near)
        return fabric


class GoogleCluster(_Model):
    """GKE: a Kubernetes minor version, the system pool and the GPU pools."""

    version: KubernetesVersion = "1.35"
    system: GoogleSystemPool = GoogleSystemPool()
    pools: list[GooglePool] = []
    deletion_protection: bool = False


class GoogleAccess(_Model):
    """Who has which rights: IAM members, groups best (`group:ml@example.in`)."""

    data_engineers: list[IamMember] = []
    ml_engineers: list[IamMember] = []
    auditors: list[IamMember] = []


class GoogleAudit(_Model):
    """Who is mailed about alerts."""

    alert_emails: list[Email] = []


class GoogleLake(_Model):
    """`dual_region` keeps the data in Mumbai and Delhi at once; it can't be changed once buckets hold data."""

    dual_region: bool = False


class Org(_Model):
    """The folder that gets organisation policies; it may hold more projects than this one."""

    folder: Folder


class Gcp(_Model):
    """The platform on Google Cloud, in one Indian region of a project that exists."""

    project: GoogleProject
    region: GoogleRegion
    network: GoogleNetwork = GoogleNetwork()
    cluster: GoogleCluster = GoogleCluster()
    access: GoogleAccess = GoogleAccess()
    audit: GoogleAudit = GoogleAudit()
    lake: GoogleLake = GoogleLake()
    org: Org | None = None
    protect_data: bool = True


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
    gcp: Gcp | None = None
    aws: Aws | None = Field(default=None, validate_default=True)
    workloads: Workloads = Workloads()

    @field_validator("retention_days")
    @classmethod
    def _personal_data_is_kept_a_year(cls, days: int, info: ValidationInfo) -> int:
        if info.data.get("data_class", "personal") in PERSONAL_CLASSES and days < PERSONAL_RETENTION_DAYS:
            floor = str(PERSONAL_RETENTION_DAYS)
            raise refuse(f"at least {floor} days for personal data (DPDP Rules, 8(3))", near=floor)
        return days

    @field_validator("aws", "gcp", mode="before")
    @classmethod
    def _empty_is_none(cls, given: Any) -> Any:
        """The engine gives a cloud that is not written as the default of Pulumi.yaml, `{}`."""
        return None if given == {} else given

    @field_validator("aws")
    @classmethod
    def _some_cloud(cls, aws: Aws | None, info: ValidationInfo) -> Aws | None:
        if aws is None and info.data.get("gcp", ...) is None:
            raise refuse("a cloud to build on: aws or gcp, with its region")
        return aws


def _at_most(least: int, most: int | None) -> int:
    if most is not None and least > most:
        raise refuse(f"no more than the {most} nodes of the limit", near=str(most))
    return least


@dataclass(frozen=True)
class CloudParts:
    """The right parts of one cloud. `pools` and `ranges` (networks in CIDR notation) are by their path."""

    cloud: Cloud
    region: str | None
    version: str | None
    system: SystemPool | None
    pools: Mapping[str, GpuPool]
    ranges: Mapping[str, str]


@dataclass(frozen=True)
class Parts:
    """The parts of a configuration that are right on their own.

    Checks between parts run on these, so that one wrong setting does not hide another. `pool_names` holds every name
    that was written, of wrong pools too.
    """

    clouds: tuple[CloudParts, ...]
    pool_names: tuple[str, ...]
    training: Training | None
    serving: Serving | None

    @property
    def pools(self) -> dict[str, GpuPool]:
        """The pools of all clouds, by their path."""
        return {path: pool for cloud in self.clouds for path, pool in cloud.pools.items()}


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
    for check in (_pools_are_told_apart, _networks_are_apart, _workloads_fit_their_pools, *checks):
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


# The models of a cloud's cluster and network; their defaults are what a stack that says nothing has.
_CLUSTERS: Mapping[Cloud, tuple[type[Cluster | GoogleCluster], type[SystemPool], type[GpuPool]]] = {
    "aws": (Cluster, SystemPool, AwsPool),
    "gcp": (GoogleCluster, GoogleSystemPool, GooglePool),
}
_NETWORKS: Mapping[Cloud, type[Network | GoogleNetwork]] = {"aws": Network, "gcp": GoogleNetwork}


def _parts(values: Mapping[str, Any]) -> Parts:
    workloads = _mapping(values.get("workloads"))
    clouds = tuple(_cloud_parts(cloud, _mapping(values[cloud])) for cloud in _CLUSTERS if values.get(cloud))
    written = [pool for cloud in _CLUSTERS for pool in _written_pools(_mapping(values.get(cloud)))]
    return Parts(
        clouds=clouds,
        pool_names=tuple(name for pool in written if isinstance(name := _mapping(pool).get("name"), str)),
        training=_read(Training, workloads.get("training")),
        serving=_read(Serving, workloads.get("serving")),
    )


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
            for name, cidr in (network.model_dump(by_alias=True) if network else {}).items()
            if name.lower().endswith("cidr")
        },
    )


def _written_pools(given: Mapping[str, Any]) -> list[Any]:
    written = _mapping(given.get("cluster")).get("pools")
    return written if isinstance(written, list) else []


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


def _networks_are_apart(parts: Parts) -> list[Problem]:
    """Overlapping networks could never be joined, and a machine with two of them sends to the wrong one."""
    taken: dict[str, IPv4Network] = {}
    if any(
        pool.fabric != "none"
        for cloud in parts.clouds
        for pool in cloud.pools.values()
        if cloud.cloud == "gcp"
    ):
        taken["the networks of the fabric"] = IPv4Network(GOOGLE_FABRIC_CIDR)
    problems = []
    for path, text in ((path, text) for cloud in parts.clouds for path, text in cloud.ranges.items()):
        network = IPv4Network(text)
        if inside := next((other for other, range_ in taken.items() if range_.overlaps(network)), None):
            free = _free_network(network.prefixlen, [*taken.values(), *_later_ranges(parts, path)])
            problems.append(Problem(path, text, f"a network apart from {inside} ({taken[inside]})", free))
            continue
        taken[path] = network
    return problems


def _later_ranges(parts: Parts, path: str) -> list[IPv4Network]:
    ranges = {name: text for cloud in parts.clouds for name, text in cloud.ranges.items()}
    return [IPv4Network(text) for name, text in list(ranges.items())[list(ranges).index(path) + 1 :]]


def _free_network(prefix: int, taken: Sequence[IPv4Network]) -> str | None:
    """The first private network of that size that overlaps none of `taken`."""
    return next(
        (
            str(free)
            for private in PRIVATE_NETWORKS
            if private.prefixlen <= prefix
            for free in private.subnets(new_prefix=prefix)
            if not any(free.overlaps(other) for other in taken)
        ),
        None,
    )


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
        where = " or ".join(f"{cloud.cloud}.cluster.pools" for cloud in parts.clouds) or "a cloud"
        return [Problem(f"{path}.pool", name, f"a pool of {where}: {allowed}", near)]
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
