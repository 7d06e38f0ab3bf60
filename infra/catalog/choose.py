"""The chooser: from what people ask for (GPUs, a fabric, how it is bought) to machine types and zones, cheapest
first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infra.catalog import risk
from infra.catalog.gpus import gpus
from infra.catalog.machines import Machine, Quote, machines, offered_in
from infra.catalog.tables import CatalogError
from infra.settings.pools import GpuPool
from infra.settings.purchase import MARKETS, SPOT
from infra.spelling import nearest

ANY = "any"


@dataclass(frozen=True)
class Asked:
    """What a pool asks of the catalogue: one kind of GPU, or any with enough memory; and how many of them in a node.

    `min_gpu_memory_gib` is in the driver's GiB, or a card's nominal size (24, 48, 80), which asks for its class.
    `fabric` is one of `settings.pools.FABRICS`. `purchase` is one way of buying, or any. `nodes` of a pool with a
    fabric are lost together when one is taken back, and `lost_hours` of work with them. Spot is refused where it saves
    less than `min_spot_saving` of the on-demand price. Nodes that must be in `one_zone` are in `zone`, or else in the
    cheapest; all others may come up in any zone, and are priced at the median.
    """

    gpu: str | None = None
    min_gpu_memory_gib: float | None = None
    gpus_per_node: int = 1
    fabric: str = "none"
    purchase: str = "spot"
    nodes: int = 1
    lost_hours: float = 1.0
    min_spot_saving: float = 0.1
    one_zone: bool = False
    zone: str | None = None

    @classmethod
    def by(cls, pool: GpuPool, purchase: str) -> Asked:
        """What a pool of the settings asks, bought in one of its ways."""
        return cls(
            gpu=pool.gpu,
            min_gpu_memory_gib=pool.min_gpu_memory_gib,
            gpus_per_node=pool.gpus_per_node,
            fabric=pool.fabric,
            purchase=purchase,
            nodes=pool.most_nodes,
            lost_hours=pool.hours_lost_per_reclaim,
            min_spot_saving=pool.min_spot_saving,
            one_zone=pool.colocated,
            zone=pool.zone,
        )

    @property
    def purchases(self) -> tuple[str, ...]:
        """The ways of buying that may be chosen from."""
        return MARKETS if self.purchase == ANY else (self.purchase,)

    @property
    def reclaimed_together(self) -> int:
        """Nodes that one reclaim stops."""
        return self.nodes if self.fabric != "none" else 1

    @property
    def what(self) -> str:
        """The GPU, as people would say it."""
        return self.gpu or f"a GPU with {self.min_gpu_memory_gib:g} GiB"


@dataclass(frozen=True)
class Offer:
    """A machine bought in one way: USD an hour in the `zones` where it would be, and an hour's useful work once the
    risk of spot is paid for."""

    machine: Machine
    purchase: str
    quote: Quote
    usd: float
    useful_usd: float
    zones: tuple[str, ...]


@dataclass(frozen=True)
class Rejected:
    """A machine that does not serve (bought as `purchase`, or at all), the request that it fails, and why."""

    machine: Machine
    purchase: str
    asked: str
    why: str


@dataclass(frozen=True)
class Choice:
    """Offers that serve a pool, the cheapest useful hour first, and why every other machine fell out."""

    offers: tuple[Offer, ...]
    rejected: tuple[Rejected, ...]

    @property
    def machines(self) -> tuple[Machine, ...]:
        """Machine types of one kind of GPU, that of the cheapest: a pool's pods must not meet another."""
        gpu = self.offers[0].machine.gpu
        return tuple(dict.fromkeys(offer.machine for offer in self.offers if offer.machine.gpu == gpu))

    @property
    def zones(self) -> tuple[str, ...]:
        """Zones of the cheapest machine, by what it costs there."""
        offered = self.machines[0].zones
        priced = [zone for zone in self.offers[0].quote.zones if zone in offered]
        return (*priced, *(zone for zone in offered if zone not in priced))


class NoMachineError(CatalogError):
    """No machine serves. `asked` names the request that left none (gpu, min_gpu_memory_gib, gpus_per_node, fabric,
    zones, zone or purchase), `rejected` has every machine with its reason."""

    rejected: Sequence[Rejected] = ()

    def __init__(self, asked: str, given: str, allowed: str, near: str | None) -> None:
        self.asked, self.given, self.allowed, self.near = asked, given, allowed, near
        super().__init__(f"{asked} {given}: allowed is {allowed}" + (f"; {near}" if near else ""))


def choose(regions: Sequence[str], asked: Asked) -> Choice:
    """Machines of the regions that serve, at price × risk.

    Raises:
        NoMachineError: none; says what there is, and where in India the GPU is.
        geography.UnknownRegionError: a region is not in India.
    """
    judged = [verdict for region in regions for found in machines(region) for verdict in _judge(found, asked)]
    rejected = [verdict for verdict in judged if isinstance(verdict, Rejected)]
    offers = [verdict for verdict in judged if isinstance(verdict, Offer)]
    if not offers:
        refusal = _refusal(regions, asked, rejected)
        refusal.rejected = rejected
        raise refusal
    offers.sort(key=lambda offer: (offer.useful_usd, offer.machine.machine_type, offer.machine.region))
    return Choice(tuple(offers), tuple(rejected))


def _judge(machine: Machine, asked: Asked) -> Iterator[Offer | Rejected]:
    fault = _fault(machine, asked)
    if fault:
        yield Rejected(machine, "", *fault)
        return
    for purchase in asked.purchases:
        yield _bought(machine, purchase, asked)


def offer(machine: Machine, purchase: str, asked: Asked) -> Offer | Rejected:
    """The machine bought in that way, at the price and in the zones of a pool that asks so; or why it does not serve.

    It is what `choose` judges each machine by.
    """
    fault = _fault(machine, asked)
    return Rejected(machine, "", *fault) if fault else _bought(machine, purchase, asked)


def _bought(machine: Machine, purchase: str, asked: Asked) -> Offer | Rejected:
    quote = _quote(machine, purchase, asked)
    usd = None if quote is None else quote.low if asked.one_zone else quote.usd
    why = _not_bought(machine, purchase, usd, asked)
    if why or quote is None or usd is None:
        return Rejected(machine, purchase, "purchase", why)
    zones = quote.zones[:1] if asked.one_zone else quote.zones
    useful = usd * risk.factor(machine, purchase, zones, asked.reclaimed_together, asked.lost_hours)
    return Offer(machine, purchase, quote, usd, useful, zones)


def _quote(machine: Machine, purchase: str, asked: Asked) -> Quote | None:
    """In the zone that is asked for, if it is there; that it is not is for the settings to say."""
    return machine.quote(purchase, {asked.zone} & {*machine.zones} if asked.zone else ())


def _fault(machine: Machine, asked: Asked) -> tuple[str, str] | None:
    """The first request that the machine fails, however it is bought, and why."""
    return next(_faults(machine, asked), None)


def _faults(machine: Machine, asked: Asked) -> Iterator[tuple[str, str]]:
    if asked.gpu and machine.gpu != asked.gpu:
        yield "gpu", f"has {machine.gpu or 'no GPU'}, not {asked.what}"
    if not machine.gpu:
        yield "gpu", "has no GPU"
    if not _has_memory(machine, asked.min_gpu_memory_gib or 0):
        yield "min_gpu_memory_gib", _too_small(machine, asked.min_gpu_memory_gib or 0)
    if not machine.gpu_count:
        yield "gpus_per_node", f"has a fraction of a GPU ({machine.gpu_memory_gib:g} GiB)"
    if machine.gpu_count != asked.gpus_per_node:
        yield "gpus_per_node", f"has {machine.gpu_count} GPUs, not {asked.gpus_per_node}"
    if asked.fabric not in ("none", *machine.fabrics):
        yield "fabric", f"has {' or '.join(machine.fabrics) or 'no fabric'}, not {asked.fabric}"
    if not machine.zones:
        yield "zones", "which zones offer it is not known"


def _has_memory(machine: Machine, gib: float) -> bool:
    """A whole GPU by its driver's figure or its class; a fraction by what the cloud gives it."""
    known = gpus().get(machine.gpu)
    return known.holds(gib) if known and machine.gpu_count else machine.gpu_memory_gib >= gib


def _too_small(machine: Machine, gib: float) -> str:
    """How much it has; and of a card whose class is large enough, though its driver's figure is not, what takes it."""
    has, known = f"{machine.gpu} has {machine.gpu_memory_gib:g} GiB", gpus().get(machine.gpu)
    if known and machine.gpu_count and known.nominal_gb >= gib:
        return f"{has}, not {gib:g}: {known.memory_gib:g} takes it, or {known.nominal_gb}, its class"
    return has


def _not_bought(machine: Machine, purchase: str, usd: float | None, asked: Asked) -> str:
    """Why it can't, or should not, be bought that way; empty where it can."""
    if purchase == "capacity-block" and not machine.capacity_blocks:
        return "is not sold in capacity blocks"
    if not machine.sold_as(purchase):
        return f"is sold as {' or '.join(machine.purchases)} only"
    if usd is None:
        return _no_price(purchase)
    on_demand = machine.on_demand_usd
    if purchase == SPOT and on_demand is not None and 1 - usd / on_demand < asked.min_spot_saving:
        return f"spot saves {1 - usd / on_demand:.0%}, less than {asked.min_spot_saving:.0%}"
    return ""


def _no_price(purchase: str) -> str:
    return f"no {purchase} price is known"


_ORDER = ("gpu", "min_gpu_memory_gib", "gpus_per_node", "fabric", "zones", "purchase")


def _refusal(regions: Sequence[str], asked: Asked, rejected: Sequence[Rejected]) -> NoMachineError:
    """What the machines that came furthest failed, what they would allow, and the nearest that works."""
    failed = max((one.asked for one in rejected), key=_ORDER.index)
    last = [one for one in rejected if one.asked == failed]
    here = ", ".join(regions)
    match failed:
        case "gpu":
            gpus = sorted({m.gpu for region in regions for m in machines(region) if m.gpu_count})
            return NoMachineError(
                "gpu", asked.what, f"in {here}: {', '.join(gpus)}", _elsewhere(asked.gpu, gpus)
            )
        case "min_gpu_memory_gib":
            most = max(one.machine.gpu_memory_gib for one in last)
            return NoMachineError(
                failed, f"{asked.min_gpu_memory_gib:g}", f"in {here}: {most:g} GiB a GPU at most", f"{most:g}"
            )
        case "gpus_per_node":
            counts = sorted({one.machine.gpu_count for one in last if one.machine.gpu_count})
            allowed = f"of {asked.what} in {here}: {', '.join(map(str, counts)) or 'fractions only'} a node"
            closest = min(counts, key=lambda count: abs(count - asked.gpus_per_node), default=None)
            return NoMachineError(
                failed, str(asked.gpus_per_node), allowed, str(closest) if closest else None
            )
        case "fabric":
            allowed = "; ".join(dict.fromkeys(f"{one.machine.machine_type} {one.why}" for one in last))
            return NoMachineError(failed, asked.fabric, allowed, _with_fabric(regions, asked))
    allowed = "; ".join(dict.fromkeys(f"{one.machine.machine_type}: {one.why}" for one in last))
    if all(one.why == _no_price(one.purchase) for one in last):
        names = ", ".join(dict.fromkeys(one.machine.machine_type for one in last))
        purchases = " or ".join(asked.purchases)
        allowed = f"what has a price: no {purchases} price is known of {names} in {here}"
    return NoMachineError(failed, asked.purchase, allowed, _bought_otherwise(asked, last))


def _elsewhere(gpu: str | None, gpus: Sequence[str]) -> str | None:
    """Where in India the GPU is, or the GPU that was probably meant."""
    places = offered_in(gpu) if gpu else {}
    if not places:
        return nearest(gpu, gpus)
    return f"{gpu} is in " + "; ".join(f"{region} ({', '.join(zones)})" for region, zones in places.items())


def _with_fabric(regions: Sequence[str], asked: Asked) -> str | None:
    """The GPU's fabrics here by their counts, else the machines of these regions that have the fabric."""
    here = [found for region in regions for found in machines(region) if found.gpu_count and found.fabrics]
    same = {
        f"{' or '.join(found.fabrics)} with {found.gpu_count} a node"
        for found in here
        if found.gpu == asked.gpu
    }
    if same:
        return f"{asked.gpu} has {', '.join(sorted(same))}"
    others = sorted({f"{found.gpu_count} × {found.gpu}" for found in here if asked.fabric in found.fabrics})
    return f"{asked.fabric} comes with {', '.join(others)}" if others else None


def _bought_otherwise(asked: Asked, last: Sequence[Rejected]) -> str | None:
    return next(
        (
            purchase
            for purchase in MARKETS
            if purchase not in asked.purchases
            and any(one.machine.price(purchase) is not None and one.machine.sold_as(purchase) for one in last)
        ),
        None,
    )
