"""Whether the quotas of a Google project hold what a stack grows to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import inf
from typing import Any

from commands.preflight.account import Finding
from commands.preflight.google_apis import UNSAID, Google, why
from commands.preflight.google_needs import BY_FAMILY, Need, needs
from infra.pricing.resources import ResourceGraph

# The quota by family only this API tells ("View quotas", Cloud Quotas API); googleapiclient has no description of it.
FAMILIES = (
    "https://cloudquotas.googleapis.com/v1/projects/{project}/locations/global/services/compute.googleapis.com"
    "/quotaInfos/GPUS-PER-GPU-FAMILY-per-project-region"
)
QUOTAS_PAGE = "https://console.cloud.google.com/iam-admin/quotas"

# Limits by their name, each with what is used of it.
Limits = Mapping[str, tuple[float, float]]


def check(stack: ResourceGraph, project: str, region: str, asked: Google) -> Iterator[Finding]:
    """The quotas as they are today; what is used of them, by this stack too, is not free."""
    ask: Mapping[str, Callable[[], Limits]] = {
        "project": lambda: _limits(asked.compute.projects().get(project=project).execute()),
        "region": lambda: _limits(asked.compute.regions().get(project=project, region=region).execute()),
        "family": lambda: _families(asked.get(FAMILIES.format(project=project)), region),
    }
    answers: dict[str, Limits | str] = {}
    for need in needs(stack):
        if need.per not in answers:
            try:
                answers[need.per] = ask[need.per]()
            except UNSAID as error:
                answers[need.per] = why(error)
        yield _judged(need, answers[need.per], project, region)


def _judged(need: Need, limits: Limits | str, project: str, region: str) -> Finding:
    wanted = f"{need.amount:g}"
    if isinstance(limits, str):
        return Finding("quota", _named(need, need.names[0], region), wanted, limits, "unknown")
    name = next((name for name in need.names if limits.get(name, (0, 0))[0]), need.names[0])
    limit, used = limits.get(name, (None, 0))
    if limit is None:
        there, verdict = "not told", "unknown"
    else:
        there = ("no limit" if limit == inf else f"{limit:g}") + (f", {used:g} used" if used else "")
        verdict = "ok" if limit - used >= need.amount else "missing"
    fix = "" if verdict == "ok" else f"ask for {need.amount + used:g} at {QUOTAS_PAGE}?project={project}"
    return Finding("quota", _named(need, name, region), wanted, there, verdict, fix)


def _limits(answer: Mapping[str, Any]) -> Limits:
    """The quotas of a project or a region, as Compute Engine tells them."""
    return {one["metric"]: (_limit(one["limit"]), one.get("usage", 0)) for one in answer.get("quotas", ())}


def _families(answer: Mapping[str, Any], region: str) -> Limits:
    """The limit of each GPU family in a region: its own, else that of every region."""
    limits = {}
    for info in sorted(answer.get("dimensionsInfos", ()), key=lambda info: len(info.get("dimensions", {}))):
        of = info.get("dimensions", {})
        if of.get("region", region) == region and "gpu_family" in of:
            limits[of["gpu_family"]] = (_limit(info.get("details", {}).get("value", 0)), 0)
    return limits


def _limit(value: str | float) -> float:
    """-1 is no limit."""
    return inf if float(value) < 0 else float(value)


def _named(need: Need, name: str, region: str) -> str:
    metric = f"{BY_FAMILY} of gpu_family {name}" if need.per == "family" else name
    place = "all regions" if need.per == "project" else region
    return f"{metric} in {place}{'' if need.verified else ', unverified'}"
