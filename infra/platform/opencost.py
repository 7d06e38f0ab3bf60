"""OpenCost, with the catalogue's prices in rupees: what each namespace and owner costs.

Sources: opencost/opencost@5f65333, pkg/cloud/provider/csvprovider.go (columns, and which label a row is for) and
Dockerfile (user 1001); opencost/opencost-helm-chart@725bb93, charts/opencost/values.yaml.

OpenCost keeps no currency: its figures are what the sheet holds. A row is found by one label of the node, and that is
all it is told apart by. Google's node pools are of one machine type, bought one way, so each has its row. Karpenter's
are neither: a row there is of the machine type, at the first way in which its pool buys, over the pool's zones, as
`make cost` expects it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pulumi
from pulumi_kubernetes.core.v1 import ConfigMap
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra import geography
from infra.catalog import Choice, Machine, choose_for, machine
from infra.contracts.labels import GKE_NODE_POOL, INSTANCE_TYPE_LABEL
from infra.platform.charts import charts
from infra.settings.pools import SYSTEM_POOL, GooglePool, GpuPool
from infra.settings.purchase import ON_DEMAND
from infra.settings.stack import Currency

NODE_LABELS: Mapping[str, str] = MappingProxyType({"aws": INSTANCE_TYPE_LABEL, "gcp": GKE_NODE_POOL})
COLUMNS = (
    "EndTimestamp",
    "InstanceID",
    "Region",
    "AssetClass",
    "InstanceIDField",
    "InstanceType",
    "MarketPriceHourly",
    "Version",
)
CONFIG_MAP, FILE, MOUNTED = "rupee-prices", "prices.csv", "/etc/opencost-prices"
# Of the chart kube-prometheus-stack, under a release of that name.
PROMETHEUS = {"serviceName": "kube-prometheus-stack-prometheus", "namespaceName": "monitoring", "port": 9090}


@dataclass(frozen=True)
class Price:
    """A node's price in rupees an hour without tax; `node` is the value of its label in NODE_LABELS."""

    node: str
    machine_type: str
    purchase: str
    inr: float


def price_sheet(region: str, pools: Sequence[GpuPool], system_type: str, currency: Currency) -> list[Price]:
    """A price for each kind of node of a cluster, by `Price.node`; of two, as where two pools buy the same machine in
    different ways, the dearer. A machine without a price in the catalogue has none here."""
    system = machine(region, system_type)
    of_aws = geography.region(region).cloud == "aws"
    found = [*_price(system_type if of_aws else SYSTEM_POOL, system, ON_DEMAND, (), currency)]
    for pool in pools:
        found += _prices_of(region, pool, currency)
    by_node: dict[str, Price] = {}
    for price in sorted(found, key=lambda price: price.inr):
        by_node[price.node] = price
    return sorted(by_node.values(), key=lambda price: price.node)


def to_csv(cloud: str, prices: Sequence[Price]) -> str:
    """The sheet as OpenCost's CSV provider reads it: all of a node in one row, its GPUs with it."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(COLUMNS)
    label = f"metadata.labels.{NODE_LABELS[cloud]}"
    for price in prices:
        rows.writerow(("", price.node, "", "node", label, price.machine_type, f"{price.inr:.4f}", ""))
    return written.getvalue()


def create_prices(cloud: str, prices: Sequence[Price], opts: pulumi.ResourceOptions) -> ConfigMap:
    """The sheet where OpenCost's pod mounts it; it is read again every hour."""
    return ConfigMap(
        "opencost-prices",
        metadata=ObjectMetaArgs(name=CONFIG_MAP, namespace=charts()["opencost"].namespace),
        data={FILE: to_csv(cloud, prices)},
        opts=opts,
    )


def values(cluster_name: str) -> dict[str, Any]:
    """OpenCost over the platform's own Prometheus, also on Google: Managed Service for Prometheus has only what the
    alerts use. No page of its own, whose image can't be told to show rupees (opencost/opencost-ui#3)."""
    return {
        "podSecurityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "extraVolumes": [{"name": CONFIG_MAP, "configMap": {"name": CONFIG_MAP}}],
        "opencost": {
            "ui": {"enabled": False},
            "mcp": {"enabled": False},
            "prometheus": {"internal": {"enabled": True, **PROMETHEUS}},
            "metrics": {"serviceMonitor": {"enabled": True}},
            "exporter": {
                "defaultClusterId": cluster_name,
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                "extraEnv": {"USE_CSV_PROVIDER": "true", "CSV_PATH": f"{MOUNTED}/{FILE}"},
                "extraVolumeMounts": [{"name": CONFIG_MAP, "mountPath": MOUNTED, "readOnly": True}],
            },
        },
    }


def _prices_of(region: str, pool: GpuPool, currency: Currency) -> Iterator[Price]:
    choice = choose_for(region, pool)
    if isinstance(pool, GooglePool):
        for way in pool.purchase:
            yield from _price(pool.node_pool(way), choice.machines[0], way, _zones(pool, choice), currency)
        return
    for sold in choice.machines:
        yield from _price(sold.machine_type, sold, pool.purchase[0], _zones(pool, choice), currency)


def _zones(pool: GpuPool, choice: Choice) -> tuple[str, ...]:
    """The one zone of nodes that stand or belong together; none in particular where they come up in any."""
    if pool.zone:
        return (pool.zone,)
    return choice.zones[:1] if pool.stands or pool.together else ()


def _price(node: str, sold: Machine, way: str, zones: tuple[str, ...], currency: Currency) -> Iterator[Price]:
    usd = sold.price(way, zones)
    if usd is not None:
        yield Price(node, sold.machine_type, way, usd * currency.usd_inr)
