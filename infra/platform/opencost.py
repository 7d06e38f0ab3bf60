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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.core.v1 import ConfigMap
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.catalog.machines import Machine, machine
from infra.catalog.resolved import ResolvedPool
from infra.contracts import prometheus
from infra.contracts.labels import INSTANCE_TYPE_LABEL
from infra.contracts.platform_profile import PlatformProfile
from infra.platform.charts import charts
from infra.settings.google_pools import GooglePool
from infra.settings.money import Currency
from infra.settings.pools import SYSTEM_POOL, GpuPool
from infra.settings.purchase import ON_DEMAND

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
PROMETHEUS = {
    "serviceName": prometheus.SERVICE,
    "namespaceName": prometheus.NAMESPACE,
    "port": prometheus.PORT,
}


@dataclass(frozen=True)
class Price:
    """A node's price in rupees an hour without tax; `node` is the value of its cloud's `price_label`."""

    node: str
    machine_type: str
    purchase: str
    inr: float


def price_sheet(
    profile: PlatformProfile,
    region: str,
    pools: Sequence[ResolvedPool[GpuPool]],
    system_type: str,
    currency: Currency,
) -> list[Price]:
    """A price for each kind of node of a cluster, by `Price.node`; of two, as where two pools buy the same machine in
    different ways, the dearer. A machine without a price in the catalogue has none here."""
    system = machine(region, system_type)
    by_type = profile.price_label == INSTANCE_TYPE_LABEL
    found = [*_price(system_type if by_type else SYSTEM_POOL, system, ON_DEMAND, (), currency)]
    for pool in pools:
        found += _prices_of(pool, currency)
    by_node: dict[str, Price] = {}
    for price in sorted(found, key=lambda price: price.inr):
        by_node[price.node] = price
    return sorted(by_node.values(), key=lambda price: price.node)


def to_csv(profile: PlatformProfile, prices: Sequence[Price]) -> str:
    """The sheet as OpenCost's CSV provider reads it: all of a node in one row, its GPUs with it."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(COLUMNS)
    label = f"metadata.labels.{profile.price_label}"
    for price in prices:
        rows.writerow(("", price.node, "", "node", label, price.machine_type, f"{price.inr:.4f}", ""))
    return written.getvalue()


def create_prices(
    profile: PlatformProfile, prices: Sequence[Price], opts: pulumi.ResourceOptions
) -> ConfigMap:
    """The sheet where OpenCost's pod mounts it; it is read again every hour."""
    return ConfigMap(
        "opencost-prices",
        metadata=ObjectMetaArgs(name=CONFIG_MAP, namespace=charts()["opencost"].namespace),
        data={FILE: to_csv(profile, prices)},
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


def _prices_of(resolved: ResolvedPool[GpuPool], currency: Currency) -> Iterator[Price]:
    pool = resolved.settings
    if isinstance(pool, GooglePool):
        for purchase in pool.purchase:
            yield from _price(pool.node_pool(purchase), resolved.machine, purchase, resolved.zones, currency)
        return
    for sold in resolved.machines:
        yield from _price(sold.machine_type, sold, pool.purchase[0], resolved.zones, currency)


def _price(
    node: str, sold: Machine, purchase: str, zones: tuple[str, ...], currency: Currency
) -> Iterator[Price]:
    usd = sold.price(purchase, zones)
    if usd is not None:
        yield Price(node, sold.machine_type, purchase, usd * currency.usd_inr)
