"""The shipped tables against moto's own copy of what EC2 answers, and against themselves.

What `make catalog` has refreshed since is newer than moto, and so is not held against it.
"""

from __future__ import annotations

import gzip
import json
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from infra import geography
from infra.catalog.gpus import gpus, memory_of
from infra.catalog.machines import everywhere
from infra.catalog.refresh.aws import GPU_NAMES
from infra.catalog.refresh.merge import impossible, load
from infra.catalog.tables import DATA, InterruptionRow, MachineRow, read

# Found and not imported: moto takes seconds, and this wants a file of it.
_MOTO = find_spec("moto")
assert _MOTO and _MOTO.origin
RESOURCES = Path(_MOTO.origin).parent / "ec2" / "resources"
TABLES = load(DATA)
INTERRUPTIONS = read(DATA / "interruptions.csv", InterruptionRow)


def resource(name: str) -> Any:
    return json.loads(gzip.decompress((RESOURCES / f"{name}.json.gz").read_bytes()))


MOTO = resource("instance_types")
AWS = [row for row in TABLES.machines if row.cloud == "aws"]
OF_MOTO = [row for row in AWS if row.source == "moto"]


@pytest.mark.parametrize("region", geography.regions_of("aws"))
def test_the_gpu_machines_of_a_region_are_those_that_moto_lists(region: str) -> None:
    if any(row.source != "moto" for row in TABLES.offerings if row.region == region):
        pytest.skip(f"{region} was refreshed since")
    listed: dict[str, set[str]] = {}
    for offering in resource(f"instance_type_offerings/availability-zone-id/{region}"):
        gpus = MOTO.get(offering["InstanceType"], {}).get("GpuInfo", {}).get("Gpus", ())
        if any(gpu["Manufacturer"] == "NVIDIA" for gpu in gpus):
            listed.setdefault(offering["InstanceType"], set()).add(offering["Location"])
    gpu_types = {row.machine_type for row in AWS if row.gpu}
    ours = {
        row.machine_type: set(row.zones)
        for row in TABLES.offerings
        if row.region == region and row.machine_type in gpu_types
    }
    assert ours == listed


@pytest.mark.parametrize("row", OF_MOTO, ids=lambda row: row.machine_type)
def test_a_machine_is_what_moto_says(row: MachineRow) -> None:
    told = MOTO[row.machine_type]
    network = told["NetworkInfo"]
    assert row.vcpus == told["VCpuInfo"]["DefaultVCpus"]
    assert row.memory_gib == told["MemoryInfo"]["SizeInMiB"] / 1024
    assert row.nvme_gb == told.get("InstanceStorageInfo", {}).get("TotalSizeInGB", 0)
    assert row.efa_interfaces == network.get("EfaInfo", {}).get("MaximumEfaInterfaces", 0)
    assert row.network_cards == network["MaximumNetworkCards"]
    assert row.network == network["NetworkPerformance"]
    gpus = told.get("GpuInfo", {}).get("Gpus", [])
    assert len(gpus) == bool(row.gpu)
    for gpu in gpus:
        assert row.gpu == GPU_NAMES.get(gpu["Name"], gpu["Name"])
        assert row.gpu_count == gpu["Count"]
        told_gib = gpu["MemoryInfo"]["SizeInMiB"] / 1024
        # Of a whole GPU EC2 tells the driver's figure of some and the nominal size of others: T4 16 GiB for 15.
        assert row.gpu_memory_gib == pytest.approx(told_gib, rel=0.07 if gpu["Count"] else 0, abs=0.05)
        assert row.gpu_fraction == (0 if gpu["Count"] else gpu["GpuPartitionSize"])


@pytest.mark.parametrize("row", TABLES.machines, ids=lambda row: row.machine_type)
def test_a_machine_does_not_contradict_itself(row: MachineRow) -> None:
    assert ("efa" in row.fabrics) == bool(row.efa_interfaces)
    if row.cloud == "aws":
        assert "efa" in row.fabrics or "rdma" not in row.fabrics
    assert bool(row.gpu) == bool(row.gpu_count or row.gpu_fraction) == bool(row.gpu_memory_gib)
    assert not (row.gpu_count and row.gpu_fraction)
    assert bool(row.gpu_link) == (row.gpu_count > 1)


def test_a_kind_of_gpu_has_one_memory_on_every_cloud() -> None:
    """Drivers report 92 % to all of the nominal size, read as GiB."""
    for row in TABLES.machines:
        if row.gpu_count:
            assert row.gpu_memory_gib == gpus()[row.gpu].memory_gib, row.machine_type
    for found in everywhere():
        if found.gpu_count:
            assert found.gpu_memory_gib == gpus()[found.gpu].memory_gib
    for card in gpus().values():
        assert 0.92 * card.nominal_gb <= card.memory_gib <= card.nominal_gb


def test_a_fresh_row_of_the_cloud_does_not_change_the_memory() -> None:
    assert memory_of("T4", 1, 16.0) == memory_of("T4", 4, 15.2) == 15.0
    assert memory_of("L4", 0, 2.8) == 2.8
    assert memory_of("V100", 1, 16.0) == 16.0


def test_the_tables_do_not_contradict_each_other() -> None:
    assert list(impossible(TABLES)) == []
    assert {row.machine_type for row in TABLES.machines} == {row.machine_type for row in TABLES.offerings}


def test_a_row_is_there_once() -> None:
    for keys in (
        [row.machine_type for row in TABLES.machines],
        [(row.region, row.machine_type) for row in TABLES.offerings],
        [(row.region, row.machine_type, row.purchase, row.zone) for row in TABLES.prices],
        [(row.region, row.machine_type) for row in INTERRUPTIONS],
    ):
        assert len(keys) == len(set(keys))


def test_no_fact_is_of_tomorrow() -> None:
    every = [*TABLES.machines, *TABLES.offerings, *TABLES.prices, *INTERRUPTIONS]
    assert [row for row in every if row.as_of > date.today()] == []


def test_a_source_is_told_in_sources_md() -> None:
    told = (DATA / "SOURCES.md").read_text()
    every = {row.source for row in (*TABLES.machines, *TABLES.offerings, *TABLES.prices, *INTERRUPTIONS)}
    assert sorted(source for source in every if f"| {source} |" not in told) == []


def test_a_way_is_priced_by_zone_or_for_the_region() -> None:
    """A price for all of the region beside those of its zones would be counted by nobody."""
    zoned = {(row.region, row.machine_type, row.purchase) for row in TABLES.prices if row.zone}
    whole = {(row.region, row.machine_type, row.purchase) for row in TABLES.prices if not row.zone}
    assert not zoned & whole
