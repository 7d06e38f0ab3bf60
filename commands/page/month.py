"""Rupees a month: the same estimate as `make cost`, from what stands, by component and by team."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from commands.cost.command import as_json
from commands.cost.show_estimate import GST, LEFT_OUT, rests_on
from commands.page.document import Cell, Section, Table, columns, listed, row
from commands.page.state import State
from commands.showback import AGGREGATES, NOBODYS, Allocation
from commands.showback import read as ask_opencost
from infra.catalog.exchange_rate import doubt
from infra.catalog.machines import stale
from infra.pricing.estimate import Estimate, estimate
from infra.pricing.lines import STRENGTH
from infra.pricing.resources import Resource, ResourceGraph, plain
from infra.pricing.rupees import format_inr
from infra.settings.stack import Settings

# Where a resource or a provider says whose it is: a tag of AWS, a label of Google or of Kubernetes.
OWNED = (("tags",), ("labels",), ("metadata", "labels"), ("defaultTags", "tags"), ("defaultLabels",))
OWNERS = ("owner", "dpdp:owner", "dpdp-owner")


@dataclass(frozen=True)
class OpenCost:
    """Where OpenCost of the stack's cluster answers, and for how many of the last days it is asked."""

    address: str
    days: int


@dataclass(frozen=True)
class Month:
    """The month's figures as `make cost` writes them, the same by owner, and what OpenCost says, if it was asked."""

    told: Mapping[str, Any]
    by_owner: Mapping[str, Any]
    bill: Estimate
    settings: Settings
    spent: Mapping[str, Allocation] | None
    days: int


def month(state: State, settings: Settings, opencost: OpenCost | None) -> Month:
    """Price what stands.

    Raises:
        ShowbackError: an OpenCost is given, and does not answer.
    """
    bill = estimate(state.priced, settings.usage)
    owned = estimate(state.priced, settings.usage, owner_or(settings.owner))
    spent = ask_opencost(opencost.address, opencost.days, AGGREGATES["owner"]) if opencost else None
    told = as_json(state.stack, bill, settings, [], None)
    by_owner = as_json(state.stack, owned, settings, [], None)
    return Month(told, by_owner, bill, settings, spent, opencost.days if opencost else 0)


def owner_or(otherwise: str) -> Callable[[ResourceGraph, Resource], str]:
    """Whose a resource is: by its own tags or labels, or else those that its provider gives; `otherwise` where neither
    says."""

    def owner(graph: ResourceGraph, resource: Resource) -> str:
        bearers = (resource, graph.by_urn.get(resource.provider))
        found = (name for bearer in bearers if bearer for name in _owners(bearer.inputs))
        return next(found, otherwise)

    return owner


def _owners(inputs: Mapping[str, Any]) -> Iterator[str]:
    for head, *rest in OWNED:
        # A provider's inputs are texts, some of them of JSON.
        value = inputs.get(head)
        given = plain(json.loads(value) if isinstance(value, str) and value.startswith("{") else value, *rest)
        for name in OWNERS if isinstance(given, Mapping) else ():
            if isinstance(given.get(name), str) and given[name]:
                yield given[name]


def section(found: Month) -> Section:
    """The month in words, by component, by team, and line by line."""
    tables = [
        _components(found),
        _teams(found),
        *([_spent(found)] if found.spent is not None else []),
        _lines(found),
    ]
    return Section("month", "Rupees a month", _words(found), tables)


def _words(found: Month) -> list[Cell]:
    told, currency = found.told, found.settings.currency
    total, budget = told["totalInr"], told["budgetInr"]
    over = total["expected"] > budget
    with_tax = total["expected"] * (1 + currency.gst_percent / 100)
    said = [
        Cell(
            f"{format_inr(total['expected'])} is expected, {format_inr(total['low'])} with the pools at their minimum, "
            f"{format_inr(total['high'])} at their maximum; {format_inr(told['onDemandInr']['expected'])} if all "
            f"were bought on demand. With {currency.gst_percent:g} % GST: {format_inr(with_tax)} ({GST})."
        ),
        Cell(
            f"{_percent(total['expected'], budget)} of the budget of {format_inr(budget)}.",
            "bad" if over else "good",
        ),
        Cell(f"{rests_on(found.bill, currency).capitalize()}."),
        Cell(
            f"₹{currency.usd_inr:g} to the dollar, the stack's setting of {currency.as_of}; without tax unless said. "
            f"Left out: {LEFT_OUT}. An estimate from snapshots of list prices, no invoice."
        ),
    ]
    unpriced = [f"{type_} × {count}" for type_, count in told["unpriced"].items()]
    unknown = [f"{item.what} ({item.component})" for item in found.bill.unknown]
    if unpriced or unknown:
        said.append(
            Cell(f"Not in the sum, as no price is known: {', '.join((*unpriced, *unknown))}.", "warn")
        )
    today = date.today()
    return [*said, *(Cell(why, "warn") for why in (doubt(currency, today), stale(today)) if why)]


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %"


def _components(found: Month) -> Table:
    parts = found.told["components"]
    top = max((part["high"] for part in parts), default=0) or 1
    rows = [
        row(
            Cell(part["name"], share=part["expected"] / top, most=part["high"] / top),
            *_figures(part),
        )
        for part in parts
    ]
    names = columns("component", "#₹ at minimum", "#₹ expected", "#₹ at maximum")
    caption = "A month by component, in rupees. Dark bars: as expected; light: with every pool at its maximum"
    return Table(caption, names, [*rows, row("total", *_figures(found.told["totalInr"]))], True)


def _teams(found: Month) -> Table:
    rests: dict[str, dict[str, float]] = {}
    for item in (item for item in found.by_owner["items"] if item["inr"]):
        sums = rests.setdefault(item["component"], dict.fromkeys(STRENGTH, 0.0))
        sums[item["basis"]] += item["inr"]["expected"]
    rows = [
        row(
            part["name"],
            *_figures(part),
            listed(f"{format_inr(inr)} {basis}" for basis, inr in rests.get(part["name"], {}).items() if inr),
        )
        for part in found.by_owner["components"]
    ]
    names = columns(
        "team", "#₹ at minimum", "#₹ expected", "#₹ at maximum", "expected, by what its prices are"
    )
    return Table(
        "The same month by team: the estimate, by the `owner` that resources are tagged with", names, rows
    )


def _spent(found: Month) -> Table:
    spent = sorted((found.spent or {}).items(), key=lambda pair: -pair[1].total_cost)
    rows = [
        row(
            NOBODYS.get(name, name),
            *map(format_inr, (one.gpu_cost, one.cpu_cost, one.ram_cost, one.total_cost)),
        )
        for name, one in spent
    ]
    total = row("all", "", "", "", format_inr(sum(one.total_cost for _, one in spent)))
    names = columns("team", "#₹ GPU", "#₹ CPU", "#₹ memory", "#₹ in all")
    caption = f"Rupees of the last {found.days} days by the pods' label `owner`, as OpenCost adds them up"
    return Table(caption, names, [*rows, total], True)


def _lines(found: Month) -> Table:
    rows = [
        row(
            item["component"],
            item["what"],
            f"{item['count']['expected']:,.0f}",
            *(_figures(item["inr"]) if item["inr"] else [Cell("not known", "warn")] * 3),
            f"{item['basis']}, {item['asOf']}" if item["asOf"] else item["basis"],
        )
        for item in sorted(found.told["items"], key=lambda item: item["component"])
    ]
    names = columns(
        "component", "what", "#count", "#₹ at minimum", "#₹ expected", "#₹ at maximum", "price is"
    )
    return Table("Every line of the month", names, rows, folded=True)


def _figures(inr: Mapping[str, float]) -> list[str]:
    return [format_inr(inr[name]) for name in ("low", "expected", "high")]
