"""OpenCost's price sheet against the catalogue's own tables, and its chart's values."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import pytest

import infra.catalog
from infra import geography
from infra.catalog.resolved import resolve
from infra.platform import opencost
from infra.platform.namespaces import NAMESPACES
from infra.settings import reading
from infra.settings.aws_pools import AwsPool
from infra.settings.google_pools import GooglePool
from infra.settings.money import Currency
from infra.settings.pools import GpuPool
from tests.infra.platform.gpu_cluster import PROFILES
from tests.program.whole_stacks import config_of

CURRENCY = Currency(usd_inr=80.0, as_of=date(2026, 11, 26))
DATA = Path(infra.catalog.__file__).parent / "data" / "prices.csv"
TABLE = list(csv.DictReader(io.StringIO(DATA.read_text())))


def listed(region: str, machine_type: str, purchase: str, zone: str | None = None) -> float | None:
    """USD an hour, straight from the table: of one zone, or the median of all."""
    rows = [
        row
        for row in TABLE
        if (row["region"], row["machine_type"], row["purchase"]) == (region, machine_type, purchase)
    ]
    zonal = [row for row in rows if row["zone"] and zone in (None, row["zone"])] or [
        row for row in rows if not row["zone"]
    ]
    return median(float(row["usd_hour"]) for row in zonal) if zonal else None


def sheet(
    *pools: GpuPool, region: str = "ap-south-1", system: str = "m6a.xlarge"
) -> dict[str, opencost.Price]:
    resolved = [resolve(region, pool) for pool in pools]
    return {
        price.node: price
        for price in opencost.price_sheet(
            PROFILES[geography.region(region).cloud], region, resolved, system, CURRENCY
        )
    }


def pool(**given: Any) -> AwsPool:
    return AwsPool.model_validate({"name": "pool", "gpu": "L4", "maxNodes": 2, **given})


STACKS = ["dev", "local", "prod"]


@pytest.mark.parametrize("stack", STACKS)
def test_every_machine_of_a_stacks_elastic_pools_has_the_catalogues_price(stack: str):
    read = reading.parse(
        {key.partition(":")[2]: value for key, value in config_of(stack).items() if "infra:" in key}
    )
    assert read.aws
    region, rate = read.aws.region, read.currency.usd_inr
    cluster = read.aws.cluster
    pools = [resolve(region, asked) for asked in cluster.pools]
    prices = opencost.price_sheet(PROFILES["aws"], region, pools, cluster.system.machine_type, read.currency)
    by_type = {price.node: price.inr for price in prices}
    assert len(by_type) == len(prices)
    wanted: dict[str, list[float]] = {}
    for pool in pools:
        for machine in pool.machines:
            usd = listed(region, machine.machine_type, pool.settings.purchase[0], pool.zone)
            if usd is not None:
                wanted.setdefault(machine.machine_type, []).append(usd * rate)
    assert wanted
    for machine_type, prices_of_pools in wanted.items():
        assert by_type[machine_type] == pytest.approx(max(prices_of_pools)), machine_type
    assert by_type[cluster.system.machine_type] == pytest.approx(
        (listed(region, cluster.system.machine_type, "on-demand") or 0) * rate
    )


def test_google_has_a_row_for_each_way_of_a_chain():
    pools = [
        GooglePool.model_validate(
            {"name": "serve", "gpu": "L4", "purchase": ["spot", "on-demand"], "maxGpus": 4}
        )
    ]
    found = sheet(*pools, region="asia-south1", system="e2-standard-4")
    machine_type = resolve("asia-south1", pools[0]).machine.machine_type
    for purchase in ("spot", "on-demand"):
        usd = listed("asia-south1", machine_type, purchase)
        assert usd and found[f"serve-{purchase}"].inr == pytest.approx(usd * 80)
    assert found["serve-spot"].inr < found["serve-on-demand"].inr
    assert found["system"].machine_type == "e2-standard-4"


def test_a_pool_in_a_zone_is_priced_there_and_an_elastic_one_over_its_zones():
    fabric = {"gpu": "H100", "gpusPerNode": 8, "fabric": "efa", "elastic": True, "purchase": "spot"}
    for zone in ("aps1-az1", "aps1-az3"):
        usd = listed("ap-south-1", "p5.48xlarge", "spot", zone)
        assert usd and sheet(pool(**fabric, zone=zone))["p5.48xlarge"].inr == pytest.approx(usd * 80)
    usd = listed("ap-south-1", "g6.xlarge", "spot")
    assert usd and sheet(pool(purchase="spot"))["g6.xlarge"].inr == pytest.approx(usd * 80)


def test_of_two_ways_to_buy_one_machine_the_dearer_is_shown():
    both = sheet(pool(name="a", purchase="spot"), pool(name="b", purchase="on-demand"))
    turned = sheet(pool(name="b", purchase="on-demand"), pool(name="a", purchase="spot"))
    usd = listed("ap-south-1", "g6.xlarge", "on-demand")
    assert usd and both["g6.xlarge"].inr == turned["g6.xlarge"].inr == pytest.approx(usd * 80)


@pytest.mark.parametrize(
    ("cloud", "label"),
    [("aws", "node.kubernetes.io/instance-type"), ("gcp", "cloud.google.com/gke-nodepool")],
)
def test_a_node_finds_its_row_as_opencost_looks_for_it(cloud: Any, label: str):
    """csvprovider.go: the label is all after `metadata.labels.`; values compare in lower case; no region in any row."""
    written = opencost.to_csv(PROFILES[cloud], [opencost.Price("g6.xlarge", "g6.xlarge", "spot", 33.4)])
    (row,) = csv.DictReader(io.StringIO(written))
    assert tuple(row) == opencost.COLUMNS
    assert ".".join(row["InstanceIDField"].split(".")[2:]) == label
    assert (row["InstanceID"].lower(), row["AssetClass"], row["Region"]) == ("g6.xlarge", "node", "")
    assert float(row["MarketPriceHourly"]) == 33.4


def test_its_pod_may_run_in_its_namespace_and_asks_the_platforms_prometheus():
    """As Pod Security's `restricted` wants it, which the chart's own defaults are not."""
    values = opencost.values("mumbai")
    (level,) = [spec.pod_security for spec in NAMESPACES if spec.name == "opencost"]
    assert level == "restricted"
    pod, container = values["podSecurityContext"], values["opencost"]["exporter"]["securityContext"]
    assert pod["runAsNonRoot"] and pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert values["opencost"]["prometheus"]["internal"]["serviceName"] == "kube-prometheus-stack-prometheus"
    env = values["opencost"]["exporter"]["extraEnv"]
    (mount,) = values["opencost"]["exporter"]["extraVolumeMounts"]
    (volume,) = values["extraVolumes"]
    assert mount["name"] == volume["name"]
    assert env == {"USE_CSV_PROVIDER": "true", "CSV_PATH": f"{mount['mountPath']}/{opencost.FILE}"}
    assert volume["configMap"] == {"name": opencost.CONFIG_MAP}
