"""GPU pools: what every cloud's pools may say, and what only AWS's or Google's may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from infra.settings.errors import refuse
from infra.settings.model import Model
from infra.settings.types import CapacityReservation, DnsLabel

GOOGLE_POOL_NAME = 30
SYSTEM_POOL = "system"
Purchase = Literal["spot", "on-demand", "capacity-block"]
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


def _at_most(least: int, most: int | None) -> int:
    if most is not None and least > most:
        raise refuse(f"no more than the {most} nodes of the limit", near=str(most))
    return least
