"""Google's APIs are googleapiclient's mocks, with answers in the shape of the real ones."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from infra.catalog.refresh import gcp
from infra.catalog.refresh.answers import Answer, NoCredentialsError, Unread
from infra.catalog.refresh.merge import load
from infra.catalog.tables import DATA

KNOWN = load(DATA).machines
PROJECT = "a-project"

G2 = {
    "name": "g2-standard-8",
    "guestCpus": 8,
    "memoryMb": 32768,
    "accelerators": [{"guestAcceleratorType": "nvidia-l4", "guestAcceleratorCount": 1}],
}
A3 = {
    "name": "a3-highgpu-1g",
    "guestCpus": 26,
    "memoryMb": 239616,
    "accelerators": [{"guestAcceleratorType": "nvidia-h100-80gb", "guestAcceleratorCount": 1}],
    "bundledLocalSsds": {"defaultInterface": "NVME", "partitionCount": 2},
}
A4 = {
    "name": "a4-highgpu-8g",
    "guestCpus": 224,
    "memoryMb": 4063232,
    "accelerators": [{"guestAcceleratorType": "nvidia-b200", "guestAcceleratorCount": 8}],
}
N1 = {"name": "n1-standard-4", "guestCpus": 4, "memoryMb": 15360}
T4 = {"name": "nvidia-tesla-t4", "maximumCardsPerInstance": 4}


def sku(description: str, usd: float, **told: Any) -> dict[str, Any]:
    """A SKU of the catalogue; `unit`, `usage` and `regions` where they are not the usual."""
    unit_price = {"currencyCode": "USD", "units": str(int(usd)), "nanos": round(usd % 1 * 1e9)}
    expression = {
        "usageUnit": told.get("unit", "h"),
        "tieredRates": [{"startUsageAmount": 0, "unitPrice": unit_price}],
    }
    return {
        "description": description,
        "category": {"resourceFamily": "Compute", "usageType": told.get("usage", "OnDemand")},
        "serviceRegions": told.get("regions", ["asia-south1"]),
        "pricingInfo": [{"pricingExpression": expression}],
    }


SKUS = [
    sku("G2 Instance Core running in Mumbai", 0.03),
    sku("G2 Instance Ram running in Mumbai", 0.004, unit="GiBy.h"),
    sku("Nvidia L4 GPU running in Mumbai", 0.6),
    sku("Spot Preemptible G2 Instance Core running in Mumbai", 0.01, usage="Preemptible"),
    sku("Spot Preemptible G2 Instance Ram running in Mumbai", 0.001, unit="GiBy.h", usage="Preemptible"),
    sku("Nvidia L4 GPU attached to Spot Preemptible VMs running in Mumbai", 0.25, usage="Preemptible"),
]
# What must not be taken for the above: dearer, so that one that slips through shows.
OTHERS = [
    sku("Commitment v1: Nvidia L4 GPU running in Mumbai for 1 Year", 9, usage="Commit1Yr"),
    sku("Nvidia L4 GPU attached to Sole Tenancy VMs running in Mumbai", 9),
    sku("Reserved Nvidia L4 GPU in Mumbai", 9),
    sku("Nvidia L4 GPU attached to DWS Defined Duration VMs running in Mumbai", 9),
    sku("Nvidia L4 GPU running in Mumbai (Calendar Mode)", 9),
    sku("G2 Custom Instance Core running in Mumbai", 9),
    sku("Nvidia L4 GPU running in Tokyo", 9, regions=["asia-northeast1"]),
    sku("SSD backed Local Storage in Mumbai", 9, unit="By"),
]


def apis(compute: list[Any], billing: list[Any]) -> gcp.Services:
    """Services that answer with these bodies in turn; a number stands for an error of that status."""
    # Imported after gcp, which silences what google.api_core says on import.
    from googleapiclient.http import HttpMockSequence

    made = {}
    for name, answers in (("compute", compute), ("cloudbilling", billing)):
        sequence = [
            ({"status": str(one)}, json.dumps({"error": {"message": "not granted"}}))
            if isinstance(one, int)
            else ({"status": "200"}, json.dumps(one))
            for one in answers
        ]
        made[name] = gcp.discovery.build(name, "v1", http=HttpMockSequence(sequence), static_discovery=True)
    return gcp.Services(PROJECT, made["compute"], made["cloudbilling"])


def region(*zones: tuple[list[Any], list[Any]]) -> list[Any]:
    """The answers of a region's three zones: machine types, then accelerator types."""
    padded = [*zones, *([([], [])] * (3 - len(zones)))]
    return [{"items": items} if items else {} for zone in padded for items in zone]


def answer(compute: list[Any], billing: list[Any], now: datetime) -> Answer:
    """Mumbai's answer; Delhi, which comes after it, has nothing."""
    mumbai, delhi = gcp.read(apis([*compute, *region()], billing), KNOWN, now)
    assert isinstance(mumbai, Answer), mumbai
    assert isinstance(delhi, Unread)
    return mumbai


def test_a_price_is_the_sum_of_its_skus(now: datetime) -> None:
    found = answer(region(([G2], []), ([G2], [])), [{"skus": [*SKUS, *OTHERS]}], now)
    assert {row.machine_type: row.zones for row in found.offerings} == {
        "g2-standard-8": ("asia-south1-a", "asia-south1-b")
    }
    assert {row.basis for row in found.prices} == {"observed"}
    assert {row.purchase: row.usd_hour for row in found.prices} == {
        "on-demand": pytest.approx(8 * 0.03 + 32 * 0.004 + 0.6),
        "spot": pytest.approx(8 * 0.01 + 32 * 0.001 + 0.25),
    }


def test_pages_are_followed(now: datetime) -> None:
    billing = [{"skus": SKUS[:3], "nextPageToken": "more"}, {"skus": SKUS[3:]}]
    compute = region(([G2], []))
    compute[0] = {"items": [N1], "nextPageToken": "more"}
    compute.insert(1, {"items": [G2]})
    assert len(answer(compute, billing, now).prices) == 2


def test_the_dearer_of_two_skus_counts(now: datetime) -> None:
    broad = [sku("Nvidia L4 GPU running in APAC", 0.5), sku("Nvidia L4 GPU running in India", 0.7)]
    found = answer(region(([G2], [])), [{"skus": [broad[1], *SKUS, broad[0]]}], now)
    assert max(row.usd_hour for row in found.prices) == pytest.approx(8 * 0.03 + 32 * 0.004 + 0.7)


def test_a_bundled_disk_is_paid_for(now: datetime) -> None:
    parts = [
        sku("A3 Instance Core running in Mumbai", 0.04),
        sku("A3 Instance Ram running in Mumbai", 0.003 / 1.073741824, unit="GBy.h"),
        sku("Nvidia H100 80GB GPU running in Mumbai", 9.5),
    ]
    disk = sku("SSD backed Local Storage in Mumbai", 0.096, unit="GiBy.mo")
    assert answer(region(([A3], [])), [{"skus": parts}], now).prices == ()
    (price,) = answer(region(([A3], [])), [{"skus": [*parts, disk]}], now).prices
    assert price.usd_hour == pytest.approx(26 * 0.04 + 234 * 0.003 + 9.5 + 750 * 0.096 / 730, abs=1e-5)


def test_t4_stands_where_both_the_machine_and_the_card_do(now: datetime) -> None:
    parts = [
        sku("N1 Predefined Instance Core running in Mumbai", 0.04),
        sku("N1 Predefined Instance Ram running in Mumbai", 0.005, unit="GiBy.h"),
        sku("Nvidia Tesla T4 GPU running in Mumbai", 0.4),
    ]
    found = answer(region(([N1], [T4]), ([N1], []), ([], [T4])), [{"skus": parts}], now)
    assert {row.machine_type: row.zones for row in found.offerings} == {
        f"n1-standard-4+{count}xT4": ("asia-south1-a",) for count in (1, 2, 4)
    }
    usd = {row.machine_type: row.usd_hour for row in found.prices}
    assert usd["n1-standard-4+4xT4"] == pytest.approx(4 * 0.04 + 15 * 0.005 + 4 * 0.4)


def test_machine_types_without_a_row_are_named(now: datetime) -> None:
    found = answer(region(([G2, A4, N1], [])), [{"skus": SKUS}], now)
    assert found.notes == ("offered, but in no row of machines.csv: a4-highgpu-8g",)


def test_denied_prices_leave_the_zones(now: datetime) -> None:
    found = answer(region(([G2], [])), [403], now)
    assert found.prices == ()
    assert found.notes == (
        "prices are kept: the login may not cloudbilling.services.skus.list (not granted)",
    )


def test_a_denied_region_is_unread(now: datetime) -> None:
    mumbai, delhi = gcp.read(apis([403, 400], [{"skus": SKUS}]), KNOWN, now)
    assert isinstance(mumbai, Unread)
    assert mumbai.why.startswith("the login may not compute.machineTypes.list")
    assert isinstance(delhi, Unread)
    assert delhi.why.endswith("failed (400: not granted)")


def test_a_login_that_has_run_out_leaves_the_region_unread(now: datetime) -> None:
    class Expired:
        def skus(self) -> Expired:
            return self

        services = machineTypes = skus

        def list(self, **_: Any) -> None:
            raise gcp.GoogleAuthError("run gcloud auth again")

    unread = gcp.read(gcp.Services(PROJECT, Expired(), Expired()), KNOWN, now)
    assert all(isinstance(one, Unread) and "run gcloud auth again" in one.why for one in unread)


def test_no_login_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(**_: Any) -> None:
        raise gcp.DefaultCredentialsError

    monkeypatch.setattr("google.auth.default", nobody)
    with pytest.raises(NoCredentialsError, match="GOOGLE_APPLICATION_CREDENTIALS"):
        gcp.services()
    monkeypatch.setattr("google.auth.default", lambda **_: (object(), None))
    with pytest.raises(NoCredentialsError, match="GOOGLE_CLOUD_PROJECT"):
        gcp.services()
