"""Settings of pools on every cloud: with GPUs, and the one that runs the operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, ValidationInfo, WithJsonSchema, field_validator

from infra.settings.errors import refuse
from infra.settings.fields import CapacityReservation, DnsLabel
from infra.settings.model import Model
from infra.settings.purchase import (
    CAPACITY_BLOCK,
    RESERVED,
    SPOT,
    Purchase,
    Purchases,
)
from infra.settings.sharing import Sharing

SYSTEM_POOL = "system"
# EC2's own limit on a placement group's name.
PlacementGroup = Annotated[str, Field(pattern=r"^[ -~]{1,255}$")]
Fabric = Literal["none", "efa", "tcpx", "rdma"]
FABRICS: tuple[Fabric, ...] = get_args(Fabric)
AWS_FABRICS, GOOGLE_FABRICS = ("none", "efa"), ("none", "tcpx", "rdma")


def one_of(words: Sequence[str]) -> WithJsonSchema:
    """What editors and docs offer of a setting that one cloud takes fewer words for."""
    return WithJsonSchema({"type": "string", "enum": list(words)})


class SystemPool(Model):
    """Nodes without GPUs, which run the operators."""

    machine_type: str = Field(default="m6a.xlarge", description="The EC2 instance type, without GPUs.")
    max_nodes: int = Field(
        default=4,
        ge=1,
        description="The most nodes. Karpenter adds those above `minNodes`, on demand, while an operator "
        "finds no room.",
    )
    min_nodes: int = Field(default=2, ge=1, description="Nodes that are always there: a managed node group.")

    @field_validator("min_nodes")
    @classmethod
    def _min_fits_max(cls, least: int, info: ValidationInfo) -> int:
        return _at_most(least, info.data.get("max_nodes"))


class GpuPool(Model):
    """Nodes with one kind of GPU. The catalogue chooses their machine types and zones, the cheapest useful hour first.

    A pool with a fabric, a placement group or a capacity block is static: its nodes are in one zone and there whether
    they are used or not, unless it is `elastic`. Every other pool is elastic: it grows from zero, by what pods ask for.
    """

    name: DnsLabel = Field(
        description="The pool's name, which workloads name it by, such as train. No other pool of the stack has it."
    )
    gpu: str | None = Field(
        default=None,
        min_length=1,
        description="The kind of GPU, such as L4, L40S, H100 or H200: `make choose` lists what the regions "
        "have. Give it or `minGpuMemoryGib`.",
    )
    min_gpu_memory_gib: float | None = Field(
        default=None,
        gt=0,
        validate_default=True,
        description="Instead of `gpu`: the cheapest kind with so much memory a GPU, in the driver's GiB or "
        "by a card's nominal size. 24 takes a 24 GB card (22.5 GiB), 23 does not.",
    )
    gpus_per_node: int = Field(default=1, ge=1, description="GPUs in a node, exactly.")
    fabric: Fabric = Field(
        default="none",
        description="The fast network between nodes. A pool with one is static, unless it is `elastic`.",
    )
    placement_group: bool | PlacementGroup = Field(
        default=False, description="Nodes are close to each other. Such a pool is static."
    )
    elastic: bool = Field(
        default=False,
        description="With a fabric: nodes come from zero when pods ask for them, with the same network and "
        "placement.",
    )
    purchase: Purchases = Field(
        default=(SPOT,),
        description="How nodes are bought: one way, or a chain such as [spot, on-demand], of which each is "
        "tried when those before it have nothing. Only an elastic pool has a chain.",
    )
    zone: str | None = Field(
        default=None,
        description="The zone of a static pool: a zone ID on AWS (aps1-az1), a zone on Google "
        "(asia-south1-c). The cheapest unless given; needed with a reservation.",
    )
    capacity_reservation: CapacityReservation | None = Field(
        default=None,
        validate_default=True,
        description="What `reserved` or `capacity-block` takes from: the id of the reservation or block, "
        "such as cr-0123456789abcdef0.",
    )
    min_spot_saving: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="The least share that spot must save of the on-demand price, or it is refused: 0.1 is 10 %.",
    )
    hours_lost_per_reclaim: float = Field(
        default=1,
        ge=0,
        description="Hours of work that a node loses when spot takes it back. They weigh spot's price.",
    )
    max_nodes: int | None = Field(
        default=None, ge=1, description="The most nodes of the pool. Give it or `maxGpus`."
    )
    max_gpus: int | None = Field(
        default=None,
        ge=1,
        validate_default=True,
        description="The most GPUs of the pool, in whole nodes. Give it or `maxNodes`.",
    )
    min_nodes: int | None = Field(
        default=None, ge=0, description="Nodes that a static pool has at least. All of them unless given."
    )
    expected_nodes: float | None = Field(
        default=None,
        ge=0,
        description="Nodes of an elastic pool that the month's price counts on, such as 0.5. What the "
        "stack's own workloads ask for unless given.",
    )

    sharing: Sharing | None = Field(
        default=None,
        description="Each GPU is several to pods, which share it: docs/sharing.md. For model servers of one GPU, on "
        "a pool that grows from zero.",
    )

    @property
    def parts(self) -> int:
        """Pods to a GPU."""
        return self.sharing.parts if self.sharing else 1

    @property
    def colocated(self) -> bool:
        """Whether its nodes are in one zone, close to each other."""
        return bool(self.placement_group) or self.fabric != "none" or CAPACITY_BLOCK in self.purchase

    @property
    def has_fallback(self) -> bool:
        """Whether it has more than one way of buying."""
        return len(self.purchase) > 1

    @property
    def taken_names(self) -> tuple[str, ...]:
        """Names that no other pool may have."""
        return (self.name,)

    @property
    def static(self) -> bool:
        """Whether it is static: its nodes are there whether they are used or not."""
        return self.colocated and not self.elastic

    @property
    def most_nodes(self) -> int:
        """The pool's size limit in nodes."""
        return self.max_nodes or (self.max_gpus or 0) // self.gpus_per_node

    @property
    def most_gpus(self) -> int:
        """The pool's size limit in GPUs."""
        return self.most_nodes * self.gpus_per_node

    @property
    def static_nodes(self) -> int:
        """Nodes that are always there."""
        if not self.static:
            return 0
        return self.most_nodes if self.min_nodes is None else self.min_nodes

    def holds(self, gpus: int) -> int:
        """How many pods of so many GPUs each it has room for. Of GPUs that are shared a pod gets a part of one."""
        if gpus > 1 and self.parts > 1:
            return 0
        nodes = self.static_nodes if self.static else self.most_nodes
        return nodes * (self.gpus_per_node * self.parts // gpus)

    @property
    def static_on_spot(self) -> bool:
        """Whether it is static and on spot. While spot has no machine, EKS and GKE fail the update."""
        return self.static_nodes > 0 and SPOT in self.purchase

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
            raise refuse("only with a fabric: a pool without a fabric grows from zero anyway", near="false")
        return elastic

    @field_validator("purchase")
    @classmethod
    def _only_an_elastic_pool_has_a_chain(
        cls, purchases: tuple[Purchase, ...], info: ValidationInfo
    ) -> tuple[Purchase, ...]:
        if len(purchases) > 1 and is_static(info.data):
            raise refuse("one way: only a pool that grows from zero has a chain", near=purchases[0])
        if CAPACITY_BLOCK in purchases and info.data.get("elastic"):
            raise refuse(
                "a capacity block is for a static pool; an elastic one takes from the block as reserved",
                near=RESERVED,
            )
        return purchases

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
                f"what purchase: {takes.pop()} takes from: the id (AWS, cr-…) or name (Google) of your reservation"
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
        if least and not is_static(info.data):
            raise refuse("only with a fabric or placementGroup: other pools grow from zero", near="0")
        most, gpus, per_node = (info.data.get(key) for key in ("max_nodes", "max_gpus", "gpus_per_node"))
        return _at_most(least, most or (gpus // per_node if gpus and per_node else None))

    @field_validator("sharing")
    @classmethod
    def _parts_do_not_work_together(cls, sharing: Sharing | None, info: ValidationInfo) -> Sharing | None:
        if sharing and _is_together(info.data):
            raise refuse(
                "only without fabric, placementGroup and capacity-block: those are for work over many GPUs"
            )
        return sharing

    @field_validator("expected_nodes")
    @classmethod
    def _standing_nodes_are_expected(cls, nodes: float | None, info: ValidationInfo) -> float | None:
        if nodes is not None and is_static(info.data):
            raise refuse("only for a pool that grows from zero: the nodes of this one are always there")
        return nodes


def is_static(given: Mapping[str, Any]) -> bool:
    """`GpuPool.static` of what has been read so far."""
    return _is_together(given) and not given.get("elastic")


def _is_together(given: Mapping[str, Any]) -> bool:
    """`GpuPool.colocated` of what has been read so far."""
    return bool(
        given.get("placement_group")
        or given.get("fabric", "none") != "none"
        or CAPACITY_BLOCK in given.get("purchase", ())
    )


def _at_most(least: int, most: int | None) -> int:
    if most is not None and least > most:
        raise refuse(f"no more than the {most} nodes of the limit", near=str(most))
    return least
