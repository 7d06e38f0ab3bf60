import pytest

from infra import geography


def test_india_has_four_regions_in_three_cities() -> None:
    cities = {name: place.city for name, place in geography.REGIONS.items()}
    assert cities == {
        "ap-south-1": "Mumbai",
        "ap-south-2": "Hyderabad",
        "asia-south1": "Mumbai",
        "asia-south2": "Delhi",
    }


def test_zones_are_told_apart_everywhere() -> None:
    zones = [zone for place in geography.REGIONS.values() for zone in place.zones]
    assert len(zones) == len(set(zones)) == 12


def test_regions_of_a_cloud() -> None:
    assert geography.regions_of("aws") == ("ap-south-1", "ap-south-2")
    assert geography.regions_of("gcp") == ("asia-south1", "asia-south2")


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("ap-south1", "ap-south-1"), ("ap-southeast-1", "ap-south-1"), ("asia-south3", "asia-south")],
)
def test_an_unknown_region_names_the_nearest(wrong: str, meant: str) -> None:
    with pytest.raises(
        geography.UnknownRegionError, match=f"{wrong} is not a region in India.*did you mean {meant}"
    ):
        geography.region(wrong)


def test_a_region_far_away_is_not_corrected() -> None:
    with pytest.raises(geography.UnknownRegionError) as refused:
        geography.region("us-east-1")
    assert "ap-south-1, ap-south-2" in str(refused.value)


def test_a_zone_is_of_one_region() -> None:
    for place in geography.REGIONS.values():
        assert {geography.region_of_zone(zone) for zone in place.zones} == {place}
    assert geography.region_of_zone("use1-az1") is None
