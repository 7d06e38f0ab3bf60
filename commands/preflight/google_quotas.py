"""Whether the quotas of a Google project hold what a stack grows to."""

from __future__ import annotations

from collections.abc import Iterator

from commands.preflight.account import Finding
from commands.preflight.google_apis import UNSAID, Google, why
from commands.preflight.google_needs import GcpQuotaRow, gpus
from infra.pricing.resources import ResourceGraph

# The quota of newer GPUs is one metric with the family as a dimension, which only this API tells ("View quotas", Cloud
# Quotas API); googleapiclient has no description of it.
FAMILIES = (
    "https://cloudquotas.googleapis.com/v1/projects/{project}/locations/global/services/compute.googleapis.com"
    "/quotaInfos/GPUS-PER-GPU-FAMILY-per-project-region"
)
QUOTAS_PAGE = "https://console.cloud.google.com/iam-admin/quotas"


def check(stack: ResourceGraph, project: str, region: str, asked: Google) -> Iterator[Finding]:
    """The GPU quotas of the region as they are today; what is used of them is not free."""
    wanted = gpus(stack)
    if not wanted:
        return
    try:
        told = asked.compute.regions().get(project=project, region=region).execute()
        free = {one["metric"]: (one["limit"], one.get("usage", 0)) for one in told.get("quotas", ())}
        families = _families(project, region, asked) if any(row.family for row, _ in wanted) else {}
    except UNSAID as error:
        for row, count in wanted:
            yield Finding("quota", _named(row, region), f"{count:g}", why(error), "unknown")
        return
    for row, count in wanted:
        limit, used = (families.get(row.family), 0) if row.family else free.get(row.metric, (None, 0))
        there = "not told" if limit is None else f"{limit:g}" + (f", {used:g} used" if used else "")
        verdict = "unknown" if limit is None else "ok" if limit - used >= count else "missing"
        fix = "" if verdict == "ok" else f"ask for {count + used:g} at {QUOTAS_PAGE}?project={project}"
        yield Finding("quota", _named(row, region), f"{count:g}", there, verdict, fix)


def _families(project: str, region: str, asked: Google) -> dict[str, float]:
    """The limit of each GPU family in a region."""
    limits = {}
    for info in asked.get(FAMILIES.format(project=project)).get("dimensionsInfos", ()):
        of = info.get("dimensions", {})
        if of.get("region") == region and "gpu_family" in of:
            limits[of["gpu_family"]] = float(info["details"].get("value", 0))
    return limits


def _named(row: GcpQuotaRow, region: str) -> str:
    family = f" of gpu_family {row.family}" if row.family else ""
    return f"{row.metric}{family} in {region}{', unverified' if row.basis == 'unverified' else ''}"
