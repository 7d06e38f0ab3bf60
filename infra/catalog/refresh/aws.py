"""Machine types, zones and prices of AWS in India, from EC2 and the Price List API.

Read: `ec2:DescribeRegions` (is the region enabled), `ec2:DescribeInstanceTypes`, `ec2:DescribeInstanceTypeOfferings`,
`ec2:DescribeSpotPriceHistory`, `ec2:DescribeAvailabilityZones`, `pricing:GetProducts`. The API tells nothing of how
GPUs are joined nor of RDMA: both follow from the family here (p4 and later: NVSwitch, RDMA over EFA). Spot Advisor's
bands have no API.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlparse

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra import geography
from infra.catalog.gpus import memory_of
from infra.catalog.refresh.answers import Answer, NoCredentialsError, Unread
from infra.catalog.tables import MachineRow, OfferingRow, PriceRow

PRICE_LIST_REGION = "ap-south-1"  # one of the API's few endpoints, and the one in India
GPU_NAMES = {"RTX PRO Server 6000": "RTX PRO 6000"}  # as the API says, and as this catalogue does
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


def session() -> boto3.Session:
    """The login of this shell.

    Raises:
        NoCredentialsError: there is none, or its profile does not exist.
    """
    needs = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    try:
        found = boto3.Session()
        if found.get_credentials() is not None:
            return found
    except BotoCoreError as error:
        raise NoCredentialsError(f"{error}: {needs}") from None
    raise NoCredentialsError(needs)


def read(login: boto3.Session, known: Sequence[MachineRow], now: datetime) -> list[Answer | Unread]:
    """India's NVIDIA GPU machines, and the CPU machines that are `known`; USD an hour, Linux, without tax."""
    cpu_types = {row.machine_type for row in known if row.cloud == "aws" and not row.gpu}
    return [_region(login, region, cpu_types, now) for region in geography.regions_of("aws")]


def _region(login: boto3.Session, region: str, cpu_types: Collection[str], now: datetime) -> Answer | Unread:
    ec2 = login.client("ec2", region_name=region)
    endpoint = urlparse(ec2.meta.endpoint_url).hostname or ""
    if not endpoint.endswith((".amazonaws.com", ".api.aws")):
        return Unread(region, f"EC2 is asked at {endpoint}, which is not AWS: unset AWS_ENDPOINT_URL")
    try:
        if geography.region(region).opt_in and not _enabled(login, region):
            return Unread(region, "it is opt-in and not enabled in this account: enable it under AWS Regions")
        types = {facts["InstanceType"]: facts for facts in _types(ec2, cpu_types)}
        zones = _zones(ec2, types)
    except (BotoCoreError, ClientError) as error:
        return Unread(region, _why("ec2", error))
    if not zones:
        return Unread(region, "EC2 names no machine type of the catalogue there")
    prices, notes = _prices(login, region, list(zones), now)
    seen = {"as_of": now.date(), "source": "aws ec2"}
    return Answer(
        region,
        machines=tuple(MachineRow(**_machine(types[name]), **seen) for name in zones),
        offerings=tuple(
            OfferingRow(region=region, machine_type=name, zones=zones[name], **seen) for name in zones
        ),
        prices=prices,
        notes=notes,
    )


def _enabled(login: boto3.Session, region: str) -> bool:
    ec2 = login.client("ec2", region_name=PRICE_LIST_REGION)
    (found,) = ec2.describe_regions(RegionNames=[region], AllRegions=True)["Regions"]
    return found["OptInStatus"] != "not-opted-in"


def _types(ec2: Any, cpu_types: Collection[str]) -> Iterator[Mapping[str, Any]]:
    for page in ec2.get_paginator("describe_instance_types").paginate():
        for facts in page["InstanceTypes"]:
            nvidia = any(gpu["Manufacturer"] == "NVIDIA" for gpu in facts.get("GpuInfo", {}).get("Gpus", ()))
            if nvidia or facts["InstanceType"] in cpu_types:
                yield facts


def _zones(ec2: Any, types: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Zone IDs by machine type, without local zones (`aps1-del1-az1`), which an account may have enabled."""
    found: dict[str, list[str]] = {}
    pages = ec2.get_paginator("describe_instance_type_offerings").paginate(
        LocationType="availability-zone-id"
    )
    for offering in (offering for page in pages for offering in page["InstanceTypeOfferings"]):
        if offering["InstanceType"] in types and offering["Location"].count("-") == 1:
            found.setdefault(offering["InstanceType"], []).append(offering["Location"])
    return {name: tuple(sorted(found[name])) for name in sorted(found)}


def _machine(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The row of machines.csv that the API's `facts` make. A fraction of a GPU has Count 0 and GpuPartitionSize."""
    name, network = facts["InstanceType"], facts["NetworkInfo"]
    gpu = facts["GpuInfo"]["Gpus"][0] if "GpuInfo" in facts else {}
    count = gpu.get("Count", 0)
    efa = network.get("EfaInfo", {}).get("MaximumEfaInterfaces", 0)
    joined = name.startswith("p") and not name.startswith("p3")
    return {
        "cloud": "aws",
        "machine_type": name,
        "gpu": GPU_NAMES.get(gpu.get("Name", ""), gpu.get("Name", "")),
        "gpu_count": count,
        "gpu_fraction": 0 if count else gpu.get("GpuPartitionSize", 0),
        "gpu_memory_gib": memory_of(
            GPU_NAMES.get(str(gpu["Name"]), str(gpu["Name"])),
            count,
            round(gpu["MemoryInfo"]["SizeInMiB"] / 1024, 1),
        )
        if gpu
        else 0,
        "gpu_link": ""
        if count < 2
        else "NVSwitch"
        if joined
        else "NVLink"
        if name.startswith("p3")
        else "PCIe",
        "vcpus": facts["VCpuInfo"]["DefaultVCpus"],
        "memory_gib": facts["MemoryInfo"]["SizeInMiB"] / 1024,
        "nvme_gb": facts.get("InstanceStorageInfo", {}).get("TotalSizeInGB", 0),
        "network": network["NetworkPerformance"],
        "network_cards": network["MaximumNetworkCards"],
        "efa_interfaces": efa,
        "fabrics": ("efa", "rdma") if efa and joined else ("efa",) if efa else (),
        "extra_networks": 0,
        "capacity_blocks": "capacity-block" in facts.get("SupportedUsageClasses", ()),
    }


def _prices(
    login: boto3.Session, region: str, types: Sequence[str], now: datetime
) -> tuple[tuple[PriceRow, ...], tuple[str, ...]]:
    """What each way of buying costs; one that may not be asked leaves a note, and so its rows as they are."""
    purchases: tuple[tuple[str, str, str, Callable[[], Mapping[tuple[str, str], float]]], ...] = (
        ("on-demand", "pricing", "aws price list", lambda: _on_demand(login, region, types)),
        ("spot", "ec2", "aws spot history", lambda: _spot(login, region, types, now)),
    )
    rows: list[PriceRow] = []
    notes: list[str] = []
    for purchase, service, source, ask in purchases:
        try:
            found = ask()
        except (BotoCoreError, ClientError) as error:
            notes.append(f"{purchase} prices are kept: {_why(service, error)}")
            continue
        told = {"purchase": purchase, "basis": "observed", "as_of": now.date(), "source": source}
        rows += [
            PriceRow(region=region, machine_type=name, zone=zone, usd_hour=usd, **told)
            for (name, zone), usd in found.items()
        ]
    return tuple(rows), tuple(notes)


def _spot(
    login: boto3.Session, region: str, types: Sequence[str], now: datetime
) -> dict[tuple[str, str], float]:
    """By machine type and zone ID, each at its latest price of the last day; without local zones."""
    latest: dict[tuple[str, str], tuple[datetime, float]] = {}
    ec2 = login.client("ec2", region_name=region)
    ids = {
        zone["ZoneName"]: zone["ZoneId"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]
    }
    pages = ec2.get_paginator("describe_spot_price_history")
    asked = {"InstanceTypes": list(types), "ProductDescriptions": ["Linux/UNIX"]}
    for page in pages.paginate(**asked, StartTime=now - timedelta(days=1), EndTime=now):
        for told in page["SpotPriceHistory"]:
            zone = ids.get(told["AvailabilityZone"], "")
            if zone.count("-") != 1:
                continue  # a local zone (aps1-del1-az1), or one that the account does not see
            at = (told["InstanceType"], zone)
            latest[at] = max(
                latest.get(at, (told["Timestamp"], 0.0)), (told["Timestamp"], float(told["SpotPrice"]))
            )
    order = {name: number for number, name in enumerate(types)}
    known = sorted((at for at in latest if at[0] in order), key=lambda at: (order[at[0]], at[1]))
    return {at: latest[at][1] for at in known}


def _on_demand(login: boto3.Session, region: str, types: Sequence[str]) -> dict[tuple[str, str], float]:
    """The list price of each machine type that has exactly one, alike in every zone; the others keep the row that they
    have."""
    products = login.client("pricing", region_name=PRICE_LIST_REGION).get_paginator("get_products")
    found: dict[tuple[str, str], float] = {}
    for name in types:
        pages = products.paginate(ServiceCode="AmazonEC2", Filters=product_filters(region, name))
        listed = {
            usd
            for page in pages
            for product in page["PriceList"]
            for usd in _list_prices(json.loads(product))
        }
        if len(listed) == 1:
            found[name, ""] = listed.pop()
    return found


def product_filters(region: str, machine_type: str) -> list[dict[str, str]]:
    """What tells one Linux machine from its hundred products in the price list."""
    wanted = {
        "instanceType": machine_type,
        "regionCode": region,
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
    }
    return [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()]


def _list_prices(product: Mapping[str, Any]) -> Iterator[float]:
    """USD an hour; capacity blocks are bought otherwise, and listed at nought."""
    if product["product"]["attributes"].get("marketoption", "OnDemand") != "OnDemand":
        return
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for price in term["priceDimensions"].values():
            usd = float(price["pricePerUnit"].get("USD", 0))
            if price["unit"] == "Hrs" and usd:
                yield usd


def _why(service: str, error: BotoCoreError | ClientError) -> str:
    if not isinstance(error, ClientError):
        return str(error)
    action, code = f"{service}:{error.operation_name}", error.response["Error"]["Code"]
    return f"the login may not {action}" if code in DENIED else f"{action} failed ({code})"
