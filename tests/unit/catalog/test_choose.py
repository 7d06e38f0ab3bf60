"""The chooser against brute force, its reasons, and its refusals."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import catalog, geography
from infra.catalog import Asked, NoMachineError, choose, choose_for, everywhere, risk
from infra.catalog.machines import Price
from infra.settings.pools import GpuPool

MUMBAI = ["ap-south-1"]
GPUS = sorted({found.gpu for found in everywhere() if found.gpu})

asked = st.builds(
    Asked,
    gpu=st.none() | st.sampled_from(GPUS),
    min_gpu_memory_gib=st.sampled_from([3.0, 22.4, 24.0, 40.0, 80.0, 141.0, 300.0]),
    gpus_per_node=st.sampled_from([1, 2, 4, 8]),
    fabric=st.sampled_from(catalog.FABRICS),
    purchase=st.sampled_from([*catalog.PURCHASES, "capacity-block", catalog.ANY]),
    nodes=st.integers(1, 64),
    lost_hours=st.floats(0, 48),
    min_spot_saving=st.sampled_from([0, 0.1, 0.5, 0.9]),
)
regions = st.lists(st.sampled_from(list(geography.REGIONS)), min_size=1, max_size=4, unique=True)


def brute_force(where: list[str], wanted: Asked) -> list[tuple[float, str, str, str]]:
    """Every machine in every way of buying, kept if nothing that was asked forbids it; no early end, no shared code."""
    found = []
    for m in everywhere():
        for way in ("spot", "on-demand", "capacity-block"):
            usd = m.spot_usd if way == "spot" else m.on_demand_usd
            forbidden = [
                m.region not in where,
                m.gpu == "",
                wanted.gpu is not None and wanted.gpu != m.gpu,
                wanted.min_gpu_memory_gib is not None and m.gpu_memory_gib < wanted.min_gpu_memory_gib,
                m.gpu_count != wanted.gpus_per_node,
                wanted.fabric != "none" and wanted.fabric not in m.fabrics,
                not m.zones,
                way not in (("spot", "on-demand") if wanted.purchase == "any" else (wanted.purchase,)),
                way == "capacity-block" and not m.capacity_blocks,
                m.ways != () and way not in m.ways,
                usd is None,
                way == "spot"
                and m.on_demand_usd is not None
                and m.spot_usd is not None
                and 1 - m.spot_usd / m.on_demand_usd < wanted.min_spot_saving,
            ]
            if any(forbidden) or usd is None:
                continue
            together = 1 if wanted.fabric == "none" else wanted.nodes
            losses = risk.reclaims_per_hour(m) * together * wanted.lost_hours if way == "spot" else 0
            found.append((usd * (1 + losses), m.machine_type, m.region, way))
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
    assert chosen.zones == ("aps1-az1", "aps1-az2", "aps1-az3")
    reasons = {one.machine.machine_type: one.why for one in chosen.rejected}
    assert reasons["p5.4xlarge"] == "has 1 GPUs, not 8"
    assert reasons["p5en.48xlarge"] == "has H200, not H100"
    assert reasons["m6a.xlarge"] == "has no GPU, not H100"


def test_a_fraction_of_a_gpu_is_not_a_gpu() -> None:
    reasons = {one.machine.machine_type: one.why for one in choose(MUMBAI, Asked("L4")).rejected}
    assert reasons["g6f.xlarge"] == "has a fraction of a GPU (2.8 GiB)"


def test_memory_instead_of_a_kind() -> None:
    chosen = choose(MUMBAI, Asked(min_gpu_memory_gib=40, purchase=catalog.ANY))
    assert chosen.offers[0].machine.gpu == "L40S"
    assert {offer.machine.gpu for offer in chosen.offers} >= {"L40S", "H100"}
    assert {found.gpu for found in chosen.machines} == {"L40S"}


def test_all_of_india_is_compared() -> None:
    chosen = choose(list(geography.REGIONS), Asked("L40S", gpus_per_node=8, min_spot_saving=0))
    assert [offer.machine.region for offer in chosen.offers] == ["ap-south-2", "ap-south-1"]


def test_risk_can_turn_the_order() -> None:
    """A job over many nodes that loses a day at each reclaim pays more for a band above 20 % than for one below 5 %."""
    l4 = catalog.machine("ap-south-1", "g6.xlarge")
    price = Price(1.0, "observed", date(2026, 1, 1), "test")
    calm, rough = (replace(l4, interruption_band=band, spot=price) for band in ("<5%", ">20%"))
    assert risk.factor(calm, "spot", 64, 24) < 1.12
    assert risk.factor(rough, "spot", 64, 24) > 1.7
    assert risk.factor(rough, "on-demand", 64, 24) == 1
    assert risk.factor(replace(l4, interruption_band=""), "spot", 64, 24) == risk.factor(
        rough, "spot", 64, 24
    )


@pytest.mark.parametrize("band", risk.BANDS)
def test_a_month_at_the_hazard_of_a_band_loses_its_share(band: str) -> None:
    found = replace(catalog.machine("ap-south-1", "g6.xlarge"), interruption_band=band)
    kept = (1 - risk.reclaims_per_hour(found) / 1000) ** (1000 * catalog.MONTH_HOURS)
    assert 1 - kept == pytest.approx(risk.BANDS[band], rel=1e-3)


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
        (MUMBAI, Asked("A100", gpus_per_node=8), "purchase", "p4d.24xlarge: spot saves 7%.*; on-demand"),
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
    chosen = choose(MUMBAI, Asked("A100", gpus_per_node=8, min_spot_saving=0.05))
    assert chosen.offers[0].machine.machine_type == "p4d.24xlarge"


def test_a_pool_has_the_machines_of_the_first_of_its_ways_that_is_offered() -> None:
    there = ["ap-south-2"]
    with pytest.raises(NoMachineError, match="no on-demand price is known"):
        choose(there, Asked("L40S", purchase="on-demand"))
    held = {"purchase": ("reserved", "spot"), "capacity_reservation": "cr-01234567"}
    pool = GpuPool(name="a", gpu="L40S", max_nodes=1, **held)
    assert choose_for("ap-south-2", pool) == choose(there, Asked.by(pool, "spot"))
    with pytest.raises(NoMachineError):
        choose_for("ap-south-2", GpuPool(name="a", gpu="T4", max_nodes=1, purchase=("spot", "on-demand")))
