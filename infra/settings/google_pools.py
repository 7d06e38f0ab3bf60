"""Settings of a pool on Google Cloud: its name, its ways of buying and its fabrics; and of the system pool there."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationInfo, WithJsonSchema, field_validator

from infra.settings.errors import refuse
from infra.settings.fields import DnsLabel, GoogleReservation
from infra.settings.pools import (
    GOOGLE_FABRICS,
    Fabric,
    GpuPool,
    PlacementGroup,
    SystemPool,
    is_static,
    one_of,
)
from infra.settings.purchase import (
    FLEX_START,
    SPOT,
    Purchase,
    in_words,
    on_google,
)

# A node pool's name has 40 characters, less the longest way of buying.
GOOGLE_POOL_NAME = 29
FLEX_START_HOURS = 168


class GoogleSystemPool(SystemPool):
    """Nodes without GPUs, which run the operators."""

    machine_type: str = Field(default="e2-standard-4", description="The machine type, without GPUs.")
    max_nodes: int = Field(
        default=4,
        ge=1,
        description="The most nodes, in the whole region. GKE's autoscaler adds those above `minNodes`.",
    )
    min_nodes: int = Field(default=2, ge=1, description="Nodes that are always there, in the whole region.")


class GooglePool(GpuPool):
    """Nodes on Google Cloud with one kind of GPU."""

    name: DnsLabel = Field(
        description=f"The pool's name, which workloads name it by, such as train: a letter first, {GOOGLE_POOL_NAME} "
        "characters at most, for longer names are made of it. No other pool of the stack has it.",
    )
    fabric: Annotated[Fabric, one_of(GOOGLE_FABRICS)] = Field(
        default="none",
        description="The fast network between nodes: `tcpx` for 8 × H100, `rdma` for 8 × H200. A pool with "
        "one is static, unless it is `elastic`.",
    )
    placement_group: Annotated[bool | PlacementGroup, WithJsonSchema({"type": "boolean"})] = Field(
        default=False, description="Nodes are close to each other (compact placement). Such a pool is static."
    )
    capacity_reservation: GoogleReservation | None = Field(
        default=None,
        validate_default=True,
        description="What `reserved` takes from: the name of the reservation, such as batch-2027.",
    )
    max_run_hours: int | None = Field(
        default=None,
        ge=1,
        le=FLEX_START_HOURS,
        description=f"With `flex-start`: hours after which such a node ends. {FLEX_START_HOURS}, a week, unless given.",
    )

    @property
    def taken_names(self) -> tuple[str, ...]:
        """Names that no other pool may have: its own, and those of its GKE node pools."""
        return (self.name, *map(self.node_pool, self.purchase))

    def node_pool(self, purchase: str) -> str:
        """The name of its GKE node pool for one way of buying. Each way of a chain has one, whatever their order."""
        return f"{self.name}-{purchase}" if self.has_fallback else self.name

    @field_validator("placement_group")
    @classmethod
    def _no_name_of_a_group(cls, group: bool | str) -> bool | str:
        if isinstance(group, str):
            raise refuse("true or false: only on AWS does it take the name of a group", near="true")
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
    def _purchases_of_google(
        cls, purchases: tuple[Purchase, ...], info: ValidationInfo
    ) -> tuple[Purchase, ...]:
        on_google(purchases)
        if FLEX_START in purchases and (info.data.get("placement_group") or is_static(info.data)):
            near = in_words([purchase for purchase in purchases if purchase != FLEX_START] or [SPOT])
            raise refuse(
                "without flex-start, whose nodes come when Google has some and in no placement group: a pool with a "
                "fabric can have it if it is elastic",
                near=near,
            )
        return purchases

    @field_validator("max_run_hours")
    @classmethod
    def _only_flex_start_ends(cls, hours: int | None, info: ValidationInfo) -> int | None:
        if hours is not None and FLEX_START not in info.data.get("purchase", (FLEX_START,)):
            raise refuse("only with flex-start in purchase: other nodes do not end by themselves")
        return hours

    @field_validator("fabric")
    @classmethod
    def _fabric_of_google(cls, fabric: str, info: ValidationInfo) -> str:
        if fabric not in GOOGLE_FABRICS:
            near = "tcpx" if info.data.get("gpu") == "H100" else "rdma"
            raise refuse(f"{', '.join(GOOGLE_FABRICS)}: only AWS has {fabric}", near=near)
        return fabric
