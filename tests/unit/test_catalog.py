from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import catalog, geography
from infra.catalog import CatalogError, NoMachineError, choose, machine, machines, offered_in, rupees
from infra.settings import Currency

EVERY_MACHINE = [found for region in geography.regions_of("aws") for found in machines(region)]
GPU_MACHINES = [found for found in EVERY_MACHINE if found.gpu_count]


@pytest.mark.parametrize("found", EVERY_MACHINE, ids=lambda found: f"{found.region}-{found.machine_type}")
def test_a_machine_is_told_in_full(found: catalog.Machine) -> None:
    place = geography.region(found.region)
    assert found.cloud == place.cloud
    assert set(found.zones) <= set(place.zones)
    assert found.zones
    assert found.vcpus > 0
    assert found.memory_gib > 0
    assert found.source
    assert date.fromisoformat(found.as_of) <= date.today()
    assert bool(found.basis) == (found.on_demand_usd is not None)
    assert found.efa_interfaces <= found.network_cards


@pytest.mark.parametrize("found", EVERY_MACHINE, ids=lambda found: f"{found.region}-{found.machine_type}")
def test_spot_is_never_dearer(found: catalog.Machine) -> None:
    if found.spot_usd is not None and found.on_demand_usd is not None:
        assert found.spot_usd <= found.on_demand_usd


def test_machine_types_are_listed_once() -> None:
    keys = [(found.region, found.machine_type) for found in EVERY_MACHINE]
    assert len(keys) == len(set(keys))


def test_larger_cpu_machines_of_a_family_cost_more() -> None:
    for region in geography.regions_of("aws"):
        for family in ("m6a", "m6i", "m7i", "c7i"):
            sizes = [
                machine(region, f"{family}.{size}") for size in ("large", "xlarge", "2xlarge", "4xlarge")
            ]
            prices = [found.on_demand_usd or 0 for found in sizes]
            assert prices == sorted(prices)
            assert prices[0] > 0


def test_figures_that_people_rely_on() -> None:
    p5 = machine("ap-south-1", "p5.48xlarge")
    assert (p5.gpu, p5.gpu_count, p5.efa_interfaces, p5.network_cards) == ("H100", 8, 32, 32)
    assert (p5.on_demand_usd, p5.spot_usd) == (66.048, 12.5591)
    assert machine("ap-south-1", "p5en.48xlarge").efa_interfaces == 16
    assert machine("ap-south-1", "p6-b200.48xlarge").zones == ("aps1-az2",)


def test_an_unknown_machine_names_the_nearest() -> None:
    with pytest.raises(CatalogError, match=r"p5\.48xlage is not offered in ap-south-1.*p5\.48xlarge"):
        machine("ap-south-1", "p5.48xlage")


def test_a_machine_of_another_region_says_where_it_is() -> None:
    with pytest.raises(CatalogError, match="not offered in ap-south-2; it is in ap-south-1"):
        machine("ap-south-2", "p5.48xlarge")


def test_where_a_gpu_is() -> None:
    assert offered_in("H200") == {"ap-south-1": ("aps1-az1", "aps1-az3")}
    assert offered_in("L40S", 8) == {
        "ap-south-1": ("aps1-az1", "aps1-az3"),
        "ap-south-2": ("aps2-az1", "aps2-az2"),
    }
    assert offered_in("MI300X") == {}


def test_the_cheapest_comes_first_and_each_other_has_its_reason() -> None:
    chosen = choose("ap-south-1", gpu="H100", gpus_per_node=8, fabric="efa", purchase="spot")
    assert [found.machine_type for found in chosen.machines] == ["p5.48xlarge"]
    assert chosen.zones == ("aps1-az1", "aps1-az2", "aps1-az3")
    reasons = {found.machine_type: why for found, why in chosen.rejected}
    assert reasons["p5.4xlarge"] == "has 1 GPUs, not 8"
    assert reasons["p5en.48xlarge"] == "has H200, not H100"
    assert reasons["m6a.xlarge"] == "has no GPU, not H100"


def test_a_fraction_of_a_gpu_is_not_a_gpu() -> None:
    chosen = choose("ap-south-1", gpu="L4", gpus_per_node=1, fabric="none", purchase="spot")
    reasons = {found.machine_type: why for found, why in chosen.rejected}
    assert reasons["g6f.xlarge"] == "has a fraction of a GPU (2.8 GiB)"


@given(
    st.sampled_from(GPU_MACHINES), st.sampled_from(["none", "efa"]), st.sampled_from(["spot", "on-demand"])
)
def test_what_is_chosen_is_what_was_asked_for(wanted: catalog.Machine, fabric: str, purchase: str) -> None:
    asked = {"gpu": wanted.gpu, "gpus_per_node": wanted.gpu_count, "fabric": fabric, "purchase": purchase}
    try:
        chosen = choose(wanted.region, **asked)
    except NoMachineError as refused:
        assert refused.asked in ("fabric", "purchase")
        return
    prices = [found.price(purchase) for found in chosen.machines]
    assert prices == sorted(prices)  # type: ignore[type-var]
    assert {(found.gpu, found.gpu_count) for found in chosen.machines} == {(wanted.gpu, wanted.gpu_count)}
    assert fabric == "none" or all(found.efa_interfaces for found in chosen.machines)
    everything = {*chosen.machines, *(found for found, _ in chosen.rejected)}
    assert everything == set(machines(wanted.region))


@pytest.mark.parametrize(
    ("region", "asked", "setting", "says"),
    [
        ("ap-south-2", {"gpu": "H200"}, "gpu", r"ap-south-1 \(aps1-az1, aps1-az3\)"),
        ("ap-south-1", {"gpu": "l40"}, "gpu", "L40S"),
        ("ap-south-1", {"gpu": "H100", "gpus_per_node": 4}, "gpus_per_node", "1, 8 a node"),
        ("ap-south-1", {"gpu": "L4", "gpus_per_node": 3}, "gpus_per_node", "ap-south-1: 1, 4, 8 a node; 4"),
        ("ap-south-1", {"gpu": "T4", "gpus_per_node": 1, "fabric": "efa"}, None, ""),
        ("ap-south-2", {"gpu": "L40S", "purchase": "on-demand"}, "purchase", "spot"),
    ],
)
def test_a_refusal_says_what_to_change(region: str, asked: dict, setting: str | None, says: str) -> None:
    asked = {"gpus_per_node": 1, "fabric": "none", "purchase": "spot", **asked}
    if setting is None:
        assert choose(region, **asked).machines[0].efa_interfaces == 1
        return
    with pytest.raises(NoMachineError, match=says) as refused:
        choose(region, **asked)
    assert refused.value.asked == setting


def test_rupees_with_and_without_tax() -> None:
    currency = Currency(usd_inr=80, as_of=date(2026, 1, 1), gst_percent=18)
    assert rupees(2, currency) == 160
    assert rupees(2, currency, with_gst=True) == pytest.approx(188.8)


def test_kubernetes_versions_name_their_images() -> None:
    newest = list(catalog.kubernetes_versions().values())[-1]
    assert newest.ami_release.startswith(f"{newest.version}.")
    assert newest.ami_alias == "al2023@v" + newest.ami_release[-8:]
