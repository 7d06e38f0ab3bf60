"""The table of providers: its regions agree with the geography and the policies, and what it lacks is refused."""

from __future__ import annotations

import pytest

from commands.burst.providers import BurstError, providers
from infra.catalog.gpus import gpus
from infra.geography import REGIONS
from policies.readers.tables import table


def test_skypilots_regions_are_indian_and_of_the_clouds_that_stacks_are_on() -> None:
    known = {f"{place.cloud}/{name}" for name, place in REGIONS.items()}
    skypilot = providers()["skypilot"]
    assert set(skypilot.regions.countries) <= known
    assert skypilot.indian == list(skypilot.regions.countries)


def test_the_policies_know_runpods_data_centres_as_we_do() -> None:
    told = {row["word"].upper(): row["country"] for row in table("places.csv") if row["provider"] == "RunPod"}
    assert told == dict(providers()["runpod"].regions.countries)
    assert providers()["runpod"].indian == ["AP-IN-1"]


def test_no_region_of_modals_is_india() -> None:
    assert providers()["modal"].indian == []


def test_gpus_are_those_of_the_catalogue() -> None:
    for name, provider in providers().items():
        assert set(provider.gpus.names) <= set(gpus()), name
        assert provider.regions.source
        assert provider.gpus.source


@pytest.mark.parametrize(
    ("provider", "gpu", "count", "message"),
    [
        ("modal", "L99", 1, "there is no L99 there; its GPUs are T4, A10G, L4"),
        ("modal", "A10G", 5, "5 A10G are not in one machine there; at most 4 are"),
        ("runpod", "L4", 0, "0 L4 are not in one machine there"),
        ("runpod", "L4", -1, "-1 L4 are not"),
    ],
)
def test_gpus_that_a_provider_lacks_are_refused(provider: str, gpu: str, count: int, message: str) -> None:
    with pytest.raises(BurstError, match=message):
        providers()[provider].gpu(gpu, count)


def test_a_region_that_is_nowhere_is_refused_with_the_nearest() -> None:
    with pytest.raises(BurstError, match="there is no region mars-1 there"):
        providers()["modal"].region("mars-1")
    with pytest.raises(BurstError, match="the nearest is AP-IN-1"):
        providers()["runpod"].region("ap-in-2")
