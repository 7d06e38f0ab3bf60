"""Settings of a pool on AWS: its ways of buying, its fabric, and what of sharing EKS can do."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from infra.settings.errors import refuse
from infra.settings.pools import AWS_FABRICS, Fabric, GpuPool, PlacementGroup, one_of
from infra.settings.purchase import (
    CAPACITY_BLOCK,
    ON_DEMAND,
    RESERVED,
    Purchase,
    in_words,
    on_aws,
)
from infra.settings.sharing import MIG, TIME_SLICING, Sharing


class AwsPool(GpuPool):
    """Nodes on AWS with one kind of GPU."""

    fabric: Annotated[Fabric, one_of(AWS_FABRICS)] = Field(
        default="none",
        description="The fast network between nodes. A pool with one is static, unless it is `elastic`.",
    )
    placement_group: bool | PlacementGroup = Field(
        default=False,
        description="Nodes are close to each other, and the pool is static. The name of a group is for "
        "`reserved` alone: that which the reservation was made in, for a new group has none of its "
        "machines.",
    )

    @field_validator("purchase")
    @classmethod
    def _purchases_of_aws(cls, purchases: tuple[Purchase, ...], info: ValidationInfo) -> tuple[Purchase, ...]:
        on_aws(purchases)
        group = info.data.get("placement_group")
        other = in_words(
            [purchase for purchase in purchases if purchase not in (RESERVED, CAPACITY_BLOCK)] or [ON_DEMAND]
        )
        if CAPACITY_BLOCK in purchases and group:
            raise refuse(
                "without placementGroup: the machines of a capacity block are close already, in no group",
                near=other,
            )
        if RESERVED in purchases and group is True:
            raise refuse(
                "with placementGroup: the name of the group that the reservation was made in, or without it",
                near=other,
            )
        if RESERVED not in purchases and isinstance(group, str):
            raise refuse(
                "with placementGroup: true, which makes a group for the pool: only reserved takes the name of a group"
            )
        return purchases

    @field_validator("fabric")
    @classmethod
    def _fabric_of_aws(cls, fabric: str) -> str:
        if fabric not in AWS_FABRICS:
            raise refuse(f"{', '.join(AWS_FABRICS)}: only Google has {fabric}", near="efa")
        return fabric

    @field_validator("sharing")
    @classmethod
    def _sharing_of_aws(cls, sharing: Sharing | None) -> Sharing | None:
        if sharing and sharing.mode == MIG:
            raise refuse(
                f"mode: {TIME_SLICING}: a node of EKS is cut only after pods may have begun on it (docs/sharing.md)"
            )
        return sharing
