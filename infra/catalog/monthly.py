"""What a stack costs a month before its traffic: the services with a fixed price, and the machines of its nodes."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from .machines import MONTH_HOURS, Machine


@dataclass(frozen=True)
class Item:
    """A line of the bill: USD a month as bought, and all on demand (None where no price is known)."""

    what: str
    count: int
    usd: float | None
    on_demand_usd: float | None


@dataclass(frozen=True)
class _Service:
    what: str
    usd_month: float


@cache
def _services() -> Mapping[str, _Service]:
    text = (files("infra.catalog") / "data" / "services_aws.csv").read_text(encoding="utf-8")
    hours = {"hour": MONTH_HOURS, "month": 1}
    return {
        row["type"]: _Service(row["what"], float(row["usd"]) * hours[row["per"]])
        for row in csv.DictReader(text.splitlines())
    }


def services(resources: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Item]:
    """Bill lines of the (Pulumi type, inputs) pairs that have a fixed price; the order is that of the table."""
    counts: Counter[str] = Counter()
    for type_, inputs in resources:
        if type_ in _services():
            counts[type_] += _units(type_, inputs)
    return [
        Item(
            service.what, counts[type_], counts[type_] * service.usd_month, counts[type_] * service.usd_month
        )
        for type_, service in _services().items()
        if counts[type_]
    ]


def _units(type_: str, inputs: Mapping[str, Any]) -> int:
    if type_ != "aws:ec2/vpcEndpoint:VpcEndpoint":
        return 1
    # Gateway endpoints are free; an interface endpoint is paid in each zone that it stands in.
    return len(inputs.get("subnetIds") or ()) if inputs.get("vpcEndpointType") == "Interface" else 0


def machines(nodes: Iterable[tuple[Machine, bool]]) -> list[Item]:
    """Bill lines of (machine, bought as spot) pairs, one a machine type and way of buying."""
    counts = Counter(nodes)
    return [
        Item(
            f"{machine.machine_type} {'spot' if spot else 'on-demand'}",
            count,
            _month(machine.spot_usd if spot else machine.on_demand_usd, count),
            _month(machine.on_demand_usd, count),
        )
        for (machine, spot), count in counts.items()
    ]


def _month(usd_hour: float | None, count: int) -> float | None:
    return None if usd_hour is None else usd_hour * MONTH_HOURS * count
