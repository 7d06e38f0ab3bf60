"""GPU pools: what every cloud's pools may say, and what only AWS's or Google's may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from infra.settings.errors import refuse
from infra.settings.fields import CapacityReservation, DnsLabel, GoogleReservation
from infra.settings.model import Model
from infra.settings.purchase import (
    CAPACITY_BLOCK,
    FLEX_START,
    ON_DEMAND,
    RESERVED,
    SPOT,
    Purchases,
    Way,
    in_words,
    on_aws,
    on_google,
)

GOOGLE_POOL_NAME = 29  # a node pool's has 40, less the longest way of buying
FLEX_START_HOURS = 168
SYSTEM_POOL = "system"
# EC2's own limit on a placement group's name.
PlacementGroup = Annotated[str, Field(pattern=r"^[ -~]{1,255}$")]
Fabric = Literal["none", "efa", "tcpx", "rdma"]
AWS_FABRICS, GOOGLE_FABRICS = ("none", "efa"), ("none", "tcpx", "rdma")


class SystemPool(Model):
    """The untainted nodes that run the operators."""

    machine_type: str = "m6a.xlarge"
    max_nodes: int = Field(default=4, ge=1)
    min_nodes: int = Field(default=2, ge=1)

    @field_validator("min_nodes")
    @classmethod
    def _min_fits_max(cls, least: int, info: ValidationInfo) -> int:
        return _at_most(least, info.data.get("max_nodes"))


class GoogleSystemPool(SystemPool):
    """The untainted nodes that run the operators; their numbers are for the whole region, not a zone."""

    machine_type: str = "e2-standard-4"


class GpuPool(Model):
    """Nodes with one kind of GPU. The catalogue turns it into machine types and zones.

    `gpu` names the kind, or `min_gpu_memory_gib` asks for the cheapest with that much memory. `purchase` is how its
    nodes are bought: a way, or a chain of ways of which each is tried when those before it have nothing. Spot is
    weighed by `hours_lost_per_reclaim`, and refused where it saves less than the share `min_spot_saving`. A
    `capacity_reservation` is what `reserved` or `capacity-block` takes from; a pool that stands on it names its `zone`
    (an ID: aps1-az1), which other pools that stand may name too. `expected_nodes` is what the price of the stack counts
    on: without it, what the stack's own workloads ask for.

    `max_nodes` or `max_gpus` is the most that the pool grows to: one of them, in whole nodes. A pool is elastic (from
    zero, by what is asked for) unless it has a fabric or a placement group: such a pool stands, in one zone, with
    `min_nodes` nodes, all of them unless given, or grows from zero there if it is `elastic`. Only an elastic pool has a
    chain.
    """

    name: DnsLabel
    gpu: str | None = Field(default=None, min_length=1)
    min_gpu_memory_gib: float | None = Field(default=None, gt=0, validate_default=True)
    gpus_per_node: int = Field(default=1, ge=1)
    fabric: Fabric = "none"
    placement_group: bool | PlacementGroup = False
    elastic: bool = False
    purchase: Purchases = (SPOT,)
    zone: str | None = None
    capacity_reservation: CapacityReservation | None = Field(default=None, validate_default=True)
    min_spot_saving: float = Field(default=0.1, ge=0, lt=1)
    hours_lost_per_reclaim: float = Field(default=1, ge=0)
    max_nodes: int | None = Field(default=None, ge=1)
    max_gpus: int | None = Field(default=None, ge=1, validate_default=True)
    min_nodes: int | None = Field(default=None, ge=0)
    expected_nodes: float | None = Field(default=None, ge=0)

    @property
    def together(self) -> bool:
        """Its nodes are in one zone and belong to each other."""
        return bool(self.placement_group) or self.fabric != "none" or CAPACITY_BLOCK in self.purchase

    @property
    def chained(self) -> bool:
        """It has more than one way of buying."""
        return len(self.purchase) > 1

    @property
    def taken_names(self) -> tuple[str, ...]:
        """Names that no other pool may have."""
        return (self.name,)

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

    @property
    def stands_on_spot(self) -> bool:
        """Its nodes must be there, and spot may have none: EKS and GKE then fail the group, and the update with it."""
        return self.standing_nodes > 0 and SPOT in self.purchase

    @field_validator("min_gpu_memory_gib")
    @classmethod
    def _a_gpu_or_its_memory(cls, gib: float | None, info: ValidationInfo) -> float | None:
        if "gpu" in info.data and (gib is None) == (info.data["gpu"] is None):
            raise refuse("gpu or minGpuMemoryGib, one of the two")
        return gib

    @field_validator("elastic")
    @classmethod
    def _only_a_fabric_can_do_without_standing(cls, elastic: bool, info: ValidationInfo) -> bool:
        if elastic and info.data.get("fabric", "none") == "none":
            raise refuse("only with a fabric: a pool without one is elastic anyway", near="false")
        return elastic

    @field_validator("purchase")
    @classmethod
    def _only_an_elastic_pool_has_a_chain(
        cls, ways: tuple[Way, ...], info: ValidationInfo
    ) -> tuple[Way, ...]:
        if len(ways) > 1 and _stands(info.data):
            raise refuse("one way: only a pool that grows from zero has a chain", near=ways[0])
        if CAPACITY_BLOCK in ways and info.data.get("elastic"):
            raise refuse(
                "a block is for a pool that stands; an elastic one takes from it as reserved", near=RESERVED
            )
        return ways

    @field_validator("capacity_reservation")
    @classmethod
    def _reservations_are_for_who_takes_from_them(
        cls, reservation: str | None, info: ValidationInfo
    ) -> str | None:
        if "purchase" not in info.data:
            return reservation
        takes = {RESERVED, CAPACITY_BLOCK} & set(info.data["purchase"])
        if reservation and not takes:
            raise refuse("only with purchase: reserved, or with purchase: capacity-block on AWS")
        if takes and not reservation:
            raise refuse(
                f"what purchase: {takes.pop()} takes from: the id (AWS, cr-…) or name (Google) of what you hold"
            )
        return reservation

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
        or CAPACITY_BLOCK in given.get("purchase", ())
    )
    return bool(together) and not given.get("elastic")


class AwsPool(GpuPool):
    """A pool on AWS, whose fabric is EFA.

    `placement_group` may also name a group: that which a reservation was made in, and its nodes start in. A new group
    has none of the machines that are held.
    """

    @field_validator("purchase")
    @classmethod
    def _ways_of_aws(cls, ways: tuple[Way, ...], info: ValidationInfo) -> tuple[Way, ...]:
        on_aws(ways)
        group = info.data.get("placement_group")
        other = in_words([way for way in ways if way not in (RESERVED, CAPACITY_BLOCK)] or [ON_DEMAND])
        if CAPACITY_BLOCK in ways and group:
            raise refuse(
                "without placementGroup: the machines of a block are close already, in no group", near=other
            )
        if RESERVED in ways and group is True:
            raise refuse(
                "with placementGroup: the name of the group that the reservation was made in, or without it",
                near=other,
            )
        if RESERVED not in ways and isinstance(group, str):
            raise refuse("with placementGroup: true, a group of the stack's own: only reserved takes a name")
        return ways

    @field_validator("fabric")
    @classmethod
    def _fabric_of_aws(cls, fabric: str) -> str:
        if fabric not in AWS_FABRICS:
            raise refuse(f"{', '.join(AWS_FABRICS)}: {fabric} is Google's", near="efa")
        return fabric


class GooglePool(GpuPool):
    """A pool on Google Cloud: a fabric there is TCPX or RDMA, and nothing is sold by the block.

    Its name is part of longer ones (a fabric's networks, a node pool for each way of a chain), which Google limits. A
    flex-start node ends after `max_run_hours`: a week, unless given.
    """

    capacity_reservation: GoogleReservation | None = Field(default=None, validate_default=True)
    max_run_hours: int | None = Field(default=None, ge=1, le=FLEX_START_HOURS)

    @property
    def taken_names(self) -> tuple[str, ...]:
        return (self.name, *map(self.node_pool, self.purchase))

    def node_pool(self, way: str) -> str:
        """The name of its node pool for one way: of a chain each has one, which no other order of it changes."""
        return f"{self.name}-{way}" if self.chained else self.name

    @field_validator("placement_group")
    @classmethod
    def _no_name_of_a_group(cls, group: bool | str) -> bool | str:
        if isinstance(group, str):
            raise refuse("true or false: groups of nodes have names on AWS only", near="true")
        return group

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
    def _ways_of_google(cls, ways: tuple[Way, ...], info: ValidationInfo) -> tuple[Way, ...]:
        on_google(ways)
        if FLEX_START in ways and (info.data.get("placement_group") or _stands(info.data)):
            near = in_words([way for way in ways if way != FLEX_START] or [SPOT])
            raise refuse(
                "without flex-start, whose nodes come when there are some, not in a placement group: a pool with a "
                "fabric can have it if it is elastic",
                near=near,
            )
        return ways

    @field_validator("max_run_hours")
    @classmethod
    def _only_flex_start_ends(cls, hours: int | None, info: ValidationInfo) -> int | None:
        if hours is not None and FLEX_START not in info.data.get("purchase", (FLEX_START,)):
            raise refuse("only with flex-start in purchase: other nodes have no end")
        return hours

    @field_validator("fabric")
    @classmethod
    def _fabric_of_google(cls, fabric: str, info: ValidationInfo) -> str:
        if fabric not in GOOGLE_FABRICS:
            near = "tcpx" if info.data.get("gpu") == "H100" else "rdma"
            raise refuse(f"{', '.join(GOOGLE_FABRICS)}: {fabric} is of AWS", near=near)
        return fabric


def _at_most(least: int, most: int | None) -> int:
    if most is not None and least > most:
        raise refuse(f"no more than the {most} nodes of the limit", near=str(most))
    return least
