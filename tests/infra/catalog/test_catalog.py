from datetime import date, timedelta

import pytest

from infra import geography
from infra.catalog.kubernetes_versions import kubernetes_versions
from infra.catalog.machines import Machine, machine, machines, offered_in, stale
from infra.catalog.tables import CatalogError
from infra.pricing.rupees import rupees
from infra.settings.money import Currency

EVERY_MACHINE = [found for region in geography.REGIONS for found in machines(region)]


@pytest.mark.parametrize("found", EVERY_MACHINE, ids=lambda found: f"{found.region}-{found.machine_type}")
def test_a_machine_is_told_in_full(found: Machine) -> None:
    place = geography.region(found.region)
    assert found.cloud == place.cloud
    assert set(found.zones) <= set(place.zones)
    assert found.zones or found.machine_type.startswith("g4-")  # Google's are not in what was read
    assert found.vcpus > 0
    assert found.memory_gib > 0
    assert found.source
    assert found.as_of <= date.today()
    assert found.efa_interfaces <= found.network_cards


@pytest.mark.parametrize("found", EVERY_MACHINE, ids=lambda found: f"{found.region}-{found.machine_type}")
def test_spot_is_never_dearer(found: Machine) -> None:
    spot, on_demand = found.quote("spot"), found.on_demand_usd
    assert spot is None or on_demand is None or spot.high <= on_demand


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
    assert p5.on_demand_usd == 66.048
    assert machine("ap-south-1", "p5en.48xlarge").efa_interfaces == 16
    assert machine("ap-south-1", "p6-b200.48xlarge").zones == ("aps1-az2",)


def test_an_unknown_machine_names_the_nearest() -> None:
    with pytest.raises(CatalogError, match=r"p5\.48xlage is not offered in ap-south-1.*p5\.48xlarge"):
        machine("ap-south-1", "p5.48xlage")


def test_a_machine_of_another_region_says_where_it_is() -> None:
    with pytest.raises(CatalogError, match="not offered in ap-south-2; it is in ap-south-1"):
        machine("ap-south-2", "p5.48xlarge")


def test_where_a_gpu_is() -> None:
    assert offered_in("H200") == {
        "ap-south-1": ("aps1-az1", "aps1-az3"),
        "asia-south1": ("asia-south1-b",),
        "asia-south2": ("asia-south2-c",),
    }
    assert offered_in("L40S", 8) == {
        "ap-south-1": ("aps1-az1", "aps1-az3"),
        "ap-south-2": ("aps2-az1", "aps2-az2"),
    }
    assert offered_in("MI300X") == {}


def test_rupees_with_and_without_tax() -> None:
    currency = Currency(usd_inr=80, as_of=date(2026, 1, 1), gst_percent=18)
    assert rupees(2, currency) == 160
    assert rupees(2, currency, with_gst=True) == pytest.approx(188.8)


def test_kubernetes_versions_name_their_images() -> None:
    newest = list(kubernetes_versions().values())[-1]
    assert newest.ami_release.startswith(f"{newest.version}.")
    assert newest.ami_alias == "al2023@v" + newest.ami_release[-8:]


def test_old_prices_are_told_with_their_age() -> None:
    oldest = min(price.as_of for found in EVERY_MACHINE for price in found.prices)
    assert stale(oldest) is None
    said = stale(oldest + timedelta(days=91))
    assert said
    assert f"the oldest 91, of {oldest}" in said
    assert "make catalog" in said
