"""The chooser against brute force, its reasons, and its refusals."""

from __future__ import annotations

import csv
import math
import random
import statistics
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import geography
from infra.catalog import risk
from infra.catalog.choose import ANY, Asked, NoMachineError, choose
from infra.catalog.machines import Machine, Price, everywhere, machine
from infra.catalog.resolved import resolve
from infra.catalog.tables import DATA, Band, InterruptionRow, PlacementRow, PriceRow, read
from infra.settings.pools import FABRICS, GpuPool
from infra.settings.purchase import MARKETS
from tests.examples import examples

MUMBAI = ["ap-south-1"]
ROWS: dict[tuple[str, str], list[PriceRow]] = {}
for price in read(DATA / "prices.csv", PriceRow):
    ROWS.setdefault((price.region, price.machine_type), []).append(price)
BANDS = read(DATA / "interruptions.csv", InterruptionRow)
SCORES = read(DATA / "placement.csv", PlacementRow)
with (DATA / "gpus.csv").open() as lines:
    CARDS = {
        row["name"]: (float(row["memory_gib"]), float(row["nominal_gb"])) for row in csv.DictReader(lines)
    }
GPUS = sorted({found.gpu for found in everywhere() if found.gpu})

asked = st.builds(
    Asked,
    gpu=st.none() | st.sampled_from(GPUS),
    min_gpu_memory_gib=st.sampled_from(
        [3.0, 15.5, 16.0, 22.4, 23.0, 24.0, 40.0, 46.0, 48.0, 80.0, 141.0, 300.0]
    ),
    gpus_per_node=st.sampled_from([1, 2, 4, 8]),
    fabric=st.sampled_from(FABRICS),
    purchase=st.sampled_from([*MARKETS, "capacity-block", ANY]),
    nodes=st.integers(1, 64),
    lost_hours=st.floats(0, 48),
    min_spot_saving=st.sampled_from([0, 0.1, 0.5, 0.9]),
    one_zone=st.booleans(),
    zone=st.none()
    | st.sampled_from([zone for region in geography.REGIONS.values() for zone in region.zones]),
)
regions = st.lists(st.sampled_from(list(geography.REGIONS)), min_size=1, max_size=4, unique=True)


def usd_of(m: Machine, purchase: str, wanted: Asked) -> float | None:
    """Straight from the rows of prices.csv: on demand everywhere alike, spot by zone where the zones are told apart."""
    rows = ROWS.get((m.region, m.machine_type), [])
    if purchase != "spot":
        return next((row.usd_hour for row in rows if row.purchase == "on-demand"), None)
    spot = [row for row in rows if row.purchase == "spot"]
    told_apart = [row for row in spot if row.zone]
    if wanted.zone in m.zones:
        told_apart = [row for row in told_apart if row.zone == wanted.zone]
    if not any(row.zone for row in spot):
        told_apart = spot
    figures = [row.usd_hour for row in told_apart]
    if not figures:
        return None
    return min(figures) if wanted.one_zone else statistics.median(figures)


def reclaims(m: Machine, usd: float, wanted: Asked) -> float:
    """A day loses the share of the band: the last, where spot is scarce or nothing is known of today's market."""
    rows = ROWS[m.region, m.machine_type]
    newest = max(row.as_of for row in rows)
    band = next((b for b in BANDS if (b.region, b.machine_type) == (m.region, m.machine_type)), None)
    dear = next((row.usd_hour for row in rows if row.purchase == "on-demand"), None)
    zones = [
        row.zone for row in rows if row.purchase == "spot" and row.zone and wanted.zone in (row.zone, None)
    ]
    if wanted.zone and wanted.zone not in m.zones:
        zones = [row.zone for row in rows if row.purchase == "spot" and row.zone]
    if wanted.one_zone:
        at = [
            row.zone for row in rows if row.purchase == "spot" and row.usd_hour == usd and row.zone in zones
        ]
        zones = sorted(at)[:1]
    mine = [s for s in SCORES if (s.region, s.machine_type) == (m.region, m.machine_type)]
    scores = [s.score for s in mine if s.zone in zones or not zones]
    known = band.band if band is not None and (newest - band.as_of).days <= 90 else None
    scarce = (dear is not None and usd / dear > 0.7) or (scores and max(scores) == 1)
    share = 0.3 if known is None or scarce else risk.BANDS[known]
    return -math.log(1 - share) / 24


def too_small(m: Machine, gib: float) -> bool:
    """By the driver's figure of the whole card or, for the nominal size of some card, by its own."""
    if not m.gpu_count:
        return m.gpu_memory_gib < gib
    driver, nominal = CARDS[m.gpu]
    return (nominal if gib in {size for _, size in CARDS.values()} else driver) < gib


def brute_force(where: list[str], wanted: Asked) -> list[tuple[float, str, str, str]]:
    """Every machine in every way of buying, kept if nothing that was asked forbids it; no early end, no shared code."""
    found = []
    for m in everywhere():
        for purchase in ("spot", "on-demand", "capacity-block"):
            usd, on_demand = usd_of(m, purchase, wanted), usd_of(m, "on-demand", wanted)
            forbidden = [
                m.region not in where,
                m.gpu == "",
                wanted.gpu is not None and wanted.gpu != m.gpu,
                bool(m.gpu)
                and wanted.min_gpu_memory_gib is not None
                and too_small(m, wanted.min_gpu_memory_gib),
                m.gpu_count != wanted.gpus_per_node,
                wanted.fabric != "none" and wanted.fabric not in m.fabrics,
                not m.zones,
                purchase not in (("spot", "on-demand") if wanted.purchase == "any" else (wanted.purchase,)),
                purchase == "capacity-block" and not m.capacity_blocks,
                m.purchases != () and purchase not in m.purchases,
                usd is None,
                purchase == "spot"
                and on_demand is not None
                and usd is not None
                and 1 - usd / on_demand < wanted.min_spot_saving,
            ]
            if any(forbidden) or usd is None:
                continue
            together = 1 if wanted.fabric == "none" else wanted.nodes
            losses = reclaims(m, usd, wanted) * together * wanted.lost_hours if purchase == "spot" else 0
            found.append((usd * (1 + losses), m.machine_type, m.region, purchase))
    return sorted(found)


@given(regions, asked)
def test_it_equals_brute_force(where: list[str], wanted: Asked) -> None:
    expected = brute_force(where, wanted)
    try:
        chosen = choose(where, wanted)
    except NoMachineError as refused:
        assert expected == []
        assert refused.asked in ("gpu", "min_gpu_memory_gib", "gpus_per_node", "fabric", "zones", "purchase")
        return
    offers = [(o.useful_usd, o.machine.machine_type, o.machine.region, o.purchase) for o in chosen.offers]
    assert sorted(offers) == expected
    assert [offer[0] for offer in offers] == [offer[0] for offer in expected]
    judged = {(o.machine.region, o.machine.machine_type) for o in (*chosen.offers, *chosen.rejected)}
    assert judged == {(m.region, m.machine_type) for m in everywhere() if m.region in where}
    assert len({m.gpu for m in chosen.machines}) == 1


def test_every_other_machine_has_its_reason() -> None:
    chosen = choose(MUMBAI, Asked("H100", gpus_per_node=8, fabric="efa"))
    assert [found.machine_type for found in chosen.machines] == ["p5.48xlarge"]
    assert set(chosen.zones) == {"aps1-az1", "aps1-az2", "aps1-az3"}
    costs = [chosen.machines[0].price("spot", [zone]) or 0 for zone in chosen.zones]
    assert costs[0] > 0 and costs == sorted(costs)
    reasons = {one.machine.machine_type: one.why for one in chosen.rejected}
    assert reasons["p5.4xlarge"] == "has 1 GPUs, not 8"
    assert reasons["p5en.48xlarge"] == "has H200, not H100"
    assert reasons["m6a.xlarge"] == "has no GPU, not H100"


def test_a_fraction_of_a_gpu_is_not_a_gpu() -> None:
    reasons = {one.machine.machine_type: one.why for one in choose(MUMBAI, Asked("L4")).rejected}
    assert reasons["g6f.xlarge"] == "has a fraction of a GPU (2.8 GiB)"


def test_memory_instead_of_a_kind() -> None:
    chosen = choose(MUMBAI, Asked(min_gpu_memory_gib=40, purchase=ANY))
    assert chosen.offers[0].machine.gpu == "L40S"
    assert {offer.machine.gpu for offer in chosen.offers} >= {"L40S", "H100"}
    assert {found.gpu for found in chosen.machines} == {"L40S"}


@pytest.mark.parametrize(
    ("asked_gib", "kinds"),
    [
        (16, {"T4", "L4", "A10G"}),
        (22.4, {"L4", "A10G"}),
        (24, {"L4", "A10G"}),
        (48, {"L40S"}),
        (80, {"H100"}),
    ],
)
def test_a_nominal_size_asks_for_the_class_on_both_clouds(asked_gib: float, kinds: set[str]) -> None:
    """The cards that serve are those of the class, of whichever cloud, and larger ones; never smaller ones."""
    offers = choose(
        list(geography.REGIONS), Asked(min_gpu_memory_gib=asked_gib, purchase=ANY, min_spot_saving=0)
    ).offers
    served = {offer.machine.gpu for offer in offers}
    assert kinds <= served
    assert not {gpu for gpu in served if CARDS[gpu][1] < asked_gib}
    if "L4" in kinds:
        assert {offer.machine.cloud for offer in offers if offer.machine.gpu == "L4"} == {"aws", "gcp"}


def test_a_near_miss_of_memory_says_what_takes_it() -> None:
    chosen = choose(MUMBAI, Asked(min_gpu_memory_gib=46, purchase=ANY))
    assert "L40S" not in {offer.machine.gpu for offer in chosen.offers}
    reasons = {one.machine.machine_type: one.why for one in chosen.rejected}
    assert reasons["g6e.xlarge"] == "L40S has 45 GiB, not 46: 45 takes it, or 48, its class"
    assert reasons["g6.xlarge"] == "L4 has 22.5 GiB"
    for takes in (45, 48):
        again = choose(MUMBAI, Asked(min_gpu_memory_gib=takes, purchase=ANY))
        assert "L40S" in {offer.machine.gpu for offer in again.offers}


def test_all_of_india_is_compared() -> None:
    chosen = choose(list(geography.REGIONS), Asked("L40S", gpus_per_node=8, min_spot_saving=0))
    assert [offer.machine.region for offer in chosen.offers] == ["ap-south-2", "ap-south-1"]


def banded(
    band: Band | None, as_of: date = date(2026, 11, 1), usd: float = 0.3, score: int | None = None
) -> Machine:
    at = {"region": "ap-south-1", "machine_type": "g6.xlarge", "as_of": as_of, "source": "test"}
    price = Price("spot", "", usd, "observed", date(2026, 11, 1), "test")
    return replace(
        machine("ap-south-1", "g6.xlarge"),
        interruption=InterruptionRow(band=band, **at) if band else None,
        placement=(PlacementRow(zone="aps1-az1", score=score, **at),) if score else (),
        prices=(price, replace(price, purchase="on-demand", usd=1.0)),
    )


def test_a_band_counts_while_it_tells_of_the_market_of_the_prices() -> None:
    calm, rough = banded("<5%"), banded(">20%")
    assert risk.factor(calm, "spot", (), 64, 24) < risk.factor(rough, "spot", (), 64, 24)
    assert risk.factor(rough, "on-demand", (), 64, 24) == 1
    for unknown in (banded(None), banded("<5%", date(2026, 7, 1))):
        assert risk.factor(unknown, "spot", (), 64, 24) == risk.factor(rough, "spot", (), 64, 24)


def test_scarce_spot_counts_as_the_worst_whatever_its_band() -> None:
    worst = risk.reclaims_per_hour(banded(">20%"))
    for calm, scarce in (
        (banded("<5%", usd=0.69), ""),
        (banded("<5%", usd=0.71), "scarce: costs 71% of on demand"),
        (banded("<5%", score=3), ""),
        (banded("<5%", score=1), "scarce: placement score 1 of 10"),
    ):
        assert risk.scarce(calm) == scarce
        assert (risk.reclaims_per_hour(calm) == worst) == bool(scarce)
    elsewhere = banded("<5%", score=1)
    assert not risk.scarce(elsewhere, ["aps1-az3"]), "of that zone nothing is known"


@pytest.mark.parametrize("band", risk.BANDS)
def test_a_day_at_the_hazard_of_a_band_loses_its_share(band: Band) -> None:
    kept = (1 - risk.reclaims_per_hour(banded(band)) / 1000) ** (1000 * risk.RUN_HOURS)
    assert 1 - kept == pytest.approx(risk.BANDS[band], rel=1e-3)


def test_risk_turns_the_order_of_many_asks() -> None:
    """What a column is for: of a thousand asks that can be served, it moves the first choice of some, not of most."""
    draw, served, moved, asks = random.Random(12), 0, 0, examples(1000)
    while served < asks:
        wanted = Asked(
            gpu=draw.choice(GPUS),
            gpus_per_node=draw.choice([1, 2, 4, 8]),
            fabric=draw.choice(FABRICS),
            purchase=draw.choice(["spot", ANY]),
            nodes=draw.choice([1, 4, 16, 64]),
            lost_hours=draw.choice([0.5, 1, 6, 24]),
        )
        try:
            offers = choose(draw.sample(list(geography.REGIONS), draw.randint(1, 4)), wanted).offers
        except NoMachineError:
            continue
        served += 1
        moved += offers[0].usd > min(offer.usd for offer in offers)
    assert 0.02 < moved / asks < 0.5, moved


@pytest.mark.parametrize(
    ("where", "wanted", "setting", "says"),
    [
        (["ap-south-2"], Asked("H200"), "gpu", r"ap-south-1 \(aps1-az1, aps1-az3\); asia-south1"),
        (MUMBAI, Asked("l40"), "gpu", "L40S"),
        (MUMBAI, Asked("H100", gpus_per_node=4), "gpus_per_node", "1, 8 a node"),
        (MUMBAI, Asked("L4", gpus_per_node=3), "gpus_per_node", "ap-south-1: 1, 4, 8 a node; 4"),
        (MUMBAI, Asked("H100", gpus_per_node=8, fabric="tcpx"), "fabric", "efa or rdma with 8 a node"),
        (MUMBAI, Asked("T4", gpus_per_node=8, fabric="rdma"), "fabric", "T4 has efa with"),
        (["asia-south1"], Asked("L4", fabric="rdma"), "fabric", "rdma comes with 8 × H200"),
        (
            ["asia-south1"],
            Asked("H200", gpus_per_node=8, purchase="on-demand"),
            "purchase",
            "a3-ultragpu-8g.*; spot",
        ),
        (
            ["asia-south2"],
            Asked("H100", gpus_per_node=4, purchase="on-demand"),
            "purchase",
            "spot or flex-start only",
        ),
        (
            ["asia-south1"],
            Asked("H100", gpus_per_node=2, purchase="reserved"),
            "purchase",
            "spot or flex-start only",
        ),
        (["ap-south-2"], Asked("L40S", purchase="on-demand"), "purchase", "spot"),
        (MUMBAI, Asked("A100", gpus_per_node=8), "purchase", "p4d.24xlarge: spot saves 0%.*; on-demand"),
        (MUMBAI, Asked("L4", purchase="capacity-block"), "purchase", "is not sold in capacity blocks"),
        (MUMBAI, Asked(min_gpu_memory_gib=400), "min_gpu_memory_gib", "179.1 GiB a GPU at most"),
        (["asia-south2"], Asked("RTX PRO 6000"), "zones", "which zones offer it is not known"),
    ],
)
def test_a_refusal_says_what_to_change(where: list[str], wanted: Asked, setting: str, says: str) -> None:
    with pytest.raises(NoMachineError, match=says) as refused:
        choose(where, wanted)
    assert refused.value.asked == setting
    assert refused.value.rejected


def test_spot_that_saves_little_is_taken_when_told() -> None:
    chosen = choose(MUMBAI, Asked("A100", gpus_per_node=8, min_spot_saving=0))
    assert chosen.offers[0].machine.machine_type == "p4d.24xlarge"


def test_a_pool_has_the_machines_of_the_first_of_its_ways_that_is_offered() -> None:
    there = ["ap-south-2"]
    with pytest.raises(NoMachineError, match="no on-demand price is known"):
        choose(there, Asked("L40S", purchase="on-demand"))
    held = {"purchase": ("reserved", "spot"), "capacity_reservation": "cr-01234567"}
    pool = GpuPool(name="a", gpu="L40S", max_nodes=1, **held)
    assert resolve("ap-south-2", pool).choice == choose(there, Asked.by(pool, "spot"))
    with pytest.raises(NoMachineError):
        resolve("ap-south-2", GpuPool(name="a", gpu="T4", max_nodes=1, purchase=("spot", "on-demand")))
