"""Zones and prices of Google Cloud's GPU machines in India, from Compute Engine and the Cloud Billing catalogue.

No API gives the price of a machine type: it is put together from the SKUs of the Compute Engine service, by their
descriptions, which are matched whole (so commitments, sole tenancy, custom machines, reservations, Calendar Mode and
DWS fall out), by `usageType` (OnDemand, Preemptible) and by `serviceRegions`:

    vCPUs × "G2 Instance Core running in …" + GiB × "G2 Instance Ram running in …"
    + GPUs × "Nvidia L4 GPU running in …" + bundled local SSD × "SSD backed Local Storage …"

Where two SKUs of a region match, the dearer counts. Families and their GPUs: g2 (L4), g4 (RTX PRO 6000), a3-highgpu
(H100), a3-ultragpu (H200), n1 with T4 beside it. Not matched: a3-edgegpu, g4 below 48 vCPUs (parts of a GPU), TPUs, CPU
machines, local SSD that is only an option. A machine type that misses one SKU keeps the prices that it has. Names of
SKUs: cloudpilot-ai/karpenter-provider-gcp `pkg/providers/pricing/instanceprice/families.go`, 2026-08.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from infra import geography
from infra.catalog.machines import MONTH_HOURS
from infra.catalog.refresh.answers import Answer, NoCredentialsError, Unread
from infra.catalog.tables import MachineRow, OfferingRow, PriceRow
from infra.settings.purchase import PricedPurchase

with warnings.catch_warnings():
    # google.api_core tells every run on Python 3.11 in which year it will stop supporting it.
    warnings.simplefilter("ignore", FutureWarning)
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
    from googleapiclient import discovery
    from googleapiclient.errors import HttpError
    from httplib2 import HttpLib2Error

SCOPE = "https://www.googleapis.com/auth/cloud-platform.read-only"
COMPUTE_ENGINE = "services/6F81-5844-456A"
SSD = "SSD backed Local Storage"
# Machine types that begin so: what their SKUs call the family, and the GPU.
BILLED = {
    "g2-": ("G2 Instance", "Nvidia L4 GPU"),
    "g4-": ("G4 Instance", "RTX 6000 96GB"),
    "a3-highgpu-": ("A3 Instance", "Nvidia H100 80GB GPU"),
    "a3-ultragpu-": ("A3Ultra Instance", "H200 141GB GPU"),
    "n1-": ("N1 Predefined Instance", "Nvidia Tesla T4 GPU"),
}
CARDS = {"T4": "nvidia-tesla-t4"}  # GPUs that are put beside a machine type, and not part of it
HOURLY = {"h": 1.0, "GiBy.h": 1.0, "GBy.h": 2**30 / 10**9, "GiBy.mo": 1 / MONTH_HOURS}

_PARTS = [f"{family} {part}" for family, _ in BILLED.values() for part in ("Core", "Ram")]
_DESCRIPTION = re.compile(
    r"(?:(?:Spot )?Preemptible )?"
    rf"({'|'.join(map(re.escape, [*_PARTS, *(gpu for _, gpu in BILLED.values()), SSD]))})"
    r"(?: attached to Spot Preemptible VMs)?(?: (?:running )?in (?!.*(?:Calendar|DWS|Reserved)).+)?"
)

Rates = Mapping[str, float]  # USD an hour of one vCPU, GiB or GPU, by what its SKU calls it


@dataclass(frozen=True)
class Services:
    """The two APIs, and the project that they are asked for."""

    project: str
    compute: Any
    billing: Any


def services() -> Services:
    """The APIs, with application default credentials.

    Raises:
        NoCredentialsError: there are none, or they name no project.
    """
    try:
        credentials, project = google.auth.default(scopes=[SCOPE])
    except DefaultCredentialsError:
        needs = "set GOOGLE_APPLICATION_CREDENTIALS, or `gcloud auth application-default login`"
        raise NoCredentialsError(needs) from None
    if not project:
        raise NoCredentialsError("the login names no project: set GOOGLE_CLOUD_PROJECT")
    # The descriptions of the APIs are those of the package: fetching them would be a call of its own.
    compute = discovery.build("compute", "v1", credentials=credentials, static_discovery=True)
    billing = discovery.build("cloudbilling", "v1", credentials=credentials, static_discovery=True)
    return Services(project, compute, billing)


def read(apis: Services, known: Sequence[MachineRow], now: datetime) -> list[Answer | Unread]:
    """Zones, vCPUs, memory and prices of the `known` machine types; USD an hour, Linux, no tax.

    Machine types that are not known are named in a note: no API tells their GPU memory, network and fabric.
    """
    rows = [row for row in known if row.cloud == "gcp"]
    notes: list[str] = []
    skus: list[Mapping[str, Any]] = []
    try:
        skus = list(_pages(apis.billing.services().skus(), "skus", parent=COMPUTE_ENGINE, currencyCode="USD"))
    except (HttpError, GoogleAuthError, HttpLib2Error, OSError) as error:
        notes.append(f"prices are kept: {_why('cloudbilling.services.skus.list', error)}")
    return [_region(apis, region, rows, skus, notes, now.date()) for region in geography.regions_of("gcp")]


def _region(
    apis: Services,
    region: str,
    known: Sequence[MachineRow],
    skus: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
    today: date,
) -> Answer | Unread:
    facts: dict[str, Mapping[str, Any]] = {}
    zones: dict[str, list[str]] = {}
    try:
        for zone in geography.region(region).zones:
            for name, told in _offered(apis, zone):
                facts[name] = told
                zones.setdefault(name, []).append(zone)
    except (HttpError, GoogleAuthError, HttpLib2Error, OSError) as error:
        return Unread(region, _why("compute.machineTypes.list and compute.acceleratorTypes.list", error))
    seen = {"as_of": today, "source": "google compute"}
    machines = [_machine(row, facts[row.machine_type], seen) for row in known if row.machine_type in zones]
    if not machines:
        return Unread(region, "Compute Engine names no machine type of the catalogue there")
    return Answer(
        region,
        machines=tuple(machines),
        offerings=tuple(
            OfferingRow(
                region=region, machine_type=row.machine_type, zones=tuple(zones[row.machine_type]), **seen
            )
            for row in machines
        ),
        prices=tuple(_prices(region, machines, skus, today)),
        notes=(*notes, *_not_known(facts, known)),
    )


def _offered(apis: Services, zone: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Machine types of a zone; those that GPUs can be put beside also as `n1-standard-4+2xT4`."""
    asked = {"project": apis.project, "zone": zone, "maxResults": 500}
    types = {told["name"]: told for told in _pages(apis.compute.machineTypes(), "items", **asked)}
    cards = {told["name"]: told for told in _pages(apis.compute.acceleratorTypes(), "items", **asked)}
    yield from types.items()
    for gpu, card in CARDS.items():
        for count in (1, 2, 4) if card in cards else ():
            yield from (
                (f"{name}+{count}x{gpu}", told) for name, told in types.items() if name.startswith("n1-")
            )


def _machine(row: MachineRow, told: Mapping[str, Any], seen: dict[str, Any]) -> MachineRow:
    fresh = {"vcpus": told["guestCpus"], "memory_gib": told["memoryMb"] / 1024}
    return MachineRow(**row.model_dump() | fresh | seen)


def _not_known(facts: Mapping[str, Mapping[str, Any]], known: Sequence[MachineRow]) -> Iterator[str]:
    with_gpu = {name for name, told in facts.items() if _nvidia(told) and "+" not in name}
    if others := sorted(with_gpu - {row.machine_type for row in known}):
        yield f"offered, but in no row of machines.csv: {', '.join(others)}"


def _nvidia(told: Mapping[str, Any]) -> bool:
    return any(card["guestAcceleratorType"].startswith("nvidia-") for card in told.get("accelerators", ()))


def _prices(
    region: str, machines: Sequence[MachineRow], skus: Sequence[Mapping[str, Any]], today: date
) -> Iterator[PriceRow]:
    told = {"region": region, "basis": "observed", "as_of": today, "source": "google billing"}
    purchases: tuple[tuple[PricedPurchase, str], ...] = (("on-demand", "OnDemand"), ("spot", "Preemptible"))
    for purchase, usage in purchases:
        rates = _rates(skus, region, usage)
        for row in machines:
            if usd := _usd_hour(row, rates):
                yield PriceRow(
                    machine_type=row.machine_type, purchase=purchase, usd_hour=round(usd, 5), **told
                )


def _rates(skus: Sequence[Mapping[str, Any]], region: str, usage: str) -> Rates:
    found: dict[str, float] = {}
    for sku in skus:
        matched = _DESCRIPTION.fullmatch(sku["description"])
        if matched and region in sku["serviceRegions"] and sku["category"]["usageType"] == usage:
            found[matched[1]] = max(found.get(matched[1], 0), _unit_price(sku))
    return found


def _unit_price(sku: Mapping[str, Any]) -> float:
    """USD an hour of one unit, at the first tier of the latest price; 0 where it is told in an unknown unit."""
    price = sku["pricingInfo"][-1]["pricingExpression"]
    first = price["tieredRates"][0]["unitPrice"]
    return (int(first.get("units", 0)) + first.get("nanos", 0) / 1e9) * HOURLY.get(price["usageUnit"], 0)


def _usd_hour(row: MachineRow, rates: Rates) -> float | None:
    """The sum of a machine's parts, or None where one of them has no price."""
    begins = next((begins for begins in BILLED if row.machine_type.startswith(begins)), None)
    if begins is None or not row.gpu_count:
        return None
    family, gpu = BILLED[begins]
    parts = {
        f"{family} Core": row.vcpus,
        f"{family} Ram": row.memory_gib,
        gpu: row.gpu_count,
        SSD: row.nvme_gb,
    }
    needed = {part: count for part, count in parts.items() if count}
    if not all(rates.get(part) for part in needed):
        return None
    return sum(count * rates[part] for part, count in needed.items())


def _pages(collection: Any, items: str, **asked: Any) -> Iterator[Mapping[str, Any]]:
    request = collection.list(**asked)
    while request is not None:
        answer = request.execute()
        yield from answer.get(items, ())
        request = collection.list_next(request, answer)


def _why(action: str, error: Exception) -> str:
    if not isinstance(error, HttpError):
        return f"{action} failed ({error})"
    if error.status_code == 403:
        return f"the login may not {action} ({error.reason})"
    return f"{action} failed ({error.status_code}: {error.reason})"
