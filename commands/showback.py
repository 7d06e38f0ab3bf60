"""`make showback`: rupees of the last days by namespace or owner, as OpenCost adds them up in the cluster.

Source: opencost/opencost@5f65333, pkg/costmodel/aggregation.go (ComputeAllocationHandler) and
core/pkg/opencost/allocation_json.go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import typer
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from rich.box import SIMPLE_HEAD
from rich.table import Table

from commands.console import console
from infra.catalog.tables import CatalogError
from infra.pricing.rupees import format_inr
from infra.spelling import nearest

ADDRESS = "http://127.0.0.1:9003"
FORWARD = "kubectl -n opencost port-forward service/opencost 9003"
AGGREGATES: Mapping[str, str] = {"namespace": "namespace", "owner": "label:owner"}
# What nobody asked for, and pods without the label.
NOBODYS = {"__idle__": "(idle)", "__unallocated__": "(no label)"}
TIMEOUT_SECONDS = 120


class Allocation(BaseModel):
    """What one namespace or owner was given, in the currency of OpenCost's prices: rupees."""

    model_config = ConfigDict(alias_generator=to_camel)

    cpu_cost: float = 0
    ram_cost: float = 0
    gpu_cost: float = 0
    total_cost: float


class Answer(BaseModel):
    """OpenCost's answer: one set of allocations by name, since they are accumulated."""

    data: list[dict[str, Allocation] | None]


class ShowbackError(CatalogError):
    """OpenCost did not answer, or not as it should."""


def showback(
    address: Annotated[str, typer.Option(help="where OpenCost's API answers")] = ADDRESS,
    days: Annotated[int, typer.Option(help="how many of the last days", min=1)] = 7,
    by: Annotated[str, typer.Option(help="namespace, or owner: the pods' label")] = "namespace",
) -> None:
    """Print rupees of the last days by namespace or owner, the dearest first."""
    if by not in AGGREGATES:
        near = nearest(by, AGGREGATES)
        hint = f"; the nearest is {near}" if near else ""
        raise ShowbackError(f"by {by}: one of {', '.join(AGGREGATES)}{hint}")
    found = read(address, days, AGGREGATES[by])
    console.print(_table(found, days, by))


def read(address: str, days: int, aggregate: str) -> dict[str, Allocation]:
    """Allocations of the last days by name.

    Raises:
        ShowbackError: nothing answers at the address, or not OpenCost.
    """
    asked = {"window": f"{days}d", "aggregate": aggregate, "accumulate": "true", "includeIdle": "true"}
    try:
        with urlopen(f"{address}/allocation?{urlencode(asked)}", timeout=TIMEOUT_SECONDS) as answer:
            sets = Answer.model_validate(json.load(answer)).data
    except HTTPError as error:
        raise ShowbackError(f"OpenCost refused: {error.code} {error.reason}") from error
    except OSError as error:
        raise ShowbackError(
            f"no OpenCost at {address} ({error}): {FORWARD}, in another shell; on the local cloud it does not run"
        ) from error
    except (ValueError, ValidationError) as error:
        raise ShowbackError(f"what answers at {address} is not OpenCost's API") from error
    return {name: spent for part in sets for name, spent in (part or {}).items()}


def _table(found: Mapping[str, Allocation], days: int, by: str) -> Table:
    table = Table(by, "₹ GPU", "₹ CPU", "₹ memory", "₹ in all", box=SIMPLE_HEAD, title_justify="left")
    table.title = f"Rupees of the last {days} days by {by}, before tax, at the catalogue's prices"
    for column in table.columns[1:]:
        column.justify = "right"
    for name, spent in sorted(found.items(), key=lambda one: -one[1].total_cost):
        parts = (spent.gpu_cost, spent.cpu_cost, spent.ram_cost, spent.total_cost)
        table.add_row(NOBODYS.get(name, name), *map(format_inr, parts))
    table.add_section()
    table.add_row("all", "", "", "", format_inr(sum(spent.total_cost for spent in found.values())))
    return table
