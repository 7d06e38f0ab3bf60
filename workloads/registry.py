"""The workloads that a stack may ask for, each one row. How to write one: docs/writing-a-workload.md."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from infra.advice import check_fits
from infra.catalog.fabric_floors import check_floors
from infra.catalog.offered import check_offered
from infra.catalog.resolved import Resolve, resolve
from infra.contracts.database import CERTIFICATE, SECRET, VARIABLES
from infra.contracts.needs import WorkloadNeeds
from infra.contracts.site import Sites
from infra.settings.errors import Problem
from infra.settings.stack import Settings
from infra.settings.valid_parts import Check, Parts
from workloads.bento.build import WORKLOAD as BENTO
from workloads.compression.build import WORKLOAD as COMPRESSION
from workloads.drift.build import WORKLOAD as DRIFT
from workloads.evaluation.build import WORKLOAD as EVALUATION
from workloads.features.build import WORKLOAD as FEATURES
from workloads.gateway.build import WORKLOAD as GATEWAY
from workloads.lakefs.build import WORKLOAD as LAKEFS
from workloads.proof.build import WORKLOAD as PROOF
from workloads.rayserve.build import WORKLOAD as RAYSERVE
from workloads.serving.build import WORKLOAD as SERVING
from workloads.tracking.build import WORKLOAD as TRACKING
from workloads.training.build import WORKLOAD as TRAINING
from workloads.workload import Workload

# In the order in which they are built: what others use or wait for, and what proves or judges them, comes before them.
WORKLOADS = (
    PROOF,
    LAKEFS,
    TRACKING,
    TRAINING,
    EVALUATION,
    SERVING,
    COMPRESSION,
    GATEWAY,
    FEATURES,
    BENTO,
    RAYSERVE,
    DRIFT,
)


def needs_of(settings: Settings, workloads: Sequence[Workload] = WORKLOADS) -> list[WorkloadNeeds]:
    """What the platform has to make: for those that the stack asks for, and for those that are always there."""
    chosen = settings.workloads.chosen
    return [
        each.needs_with(chosen.get(each.needs.name))
        for each in workloads
        if each.needs.always or each.needs.name in chosen
    ]


def build(settings: Settings, sites: Sites, workloads: Sequence[Workload] = WORKLOADS) -> None:
    """Make those that the stack asks for."""
    chosen = settings.workloads.chosen
    for each in workloads:
        if asked := chosen.get(each.needs.name):
            each.build(asked, sites)


def checks(workloads: Sequence[Workload] = WORKLOADS, resolve: Resolve = resolve) -> tuple[Check, ...]:
    """All that a stack's settings are held to beyond their own fields, before anything is made.

    `resolve` is what they resolve pools with: one that remembers (`catalog.resolver`) has the answers for what follows.
    """
    of_pools = (partial(check, resolve=resolve) for check in (check_offered, check_fits, check_floors))
    of_workloads = (check for each in workloads for check in each.checks)
    return (*of_pools, check_places(workloads), *of_workloads)


def check_places(workloads: Sequence[Workload] = WORKLOADS) -> Check:
    """A check of settings: no workload is on a pool of a place where it does not run, or has no database."""

    def check(parts: Parts) -> list[Problem]:
        return [problem for each in workloads for problem in _misplaced(each.needs, parts)]

    return check


def _misplaced(needs: WorkloadNeeds, parts: Parts) -> list[Problem]:
    path = f"workloads.{needs.name}"
    asked = parts.workloads.get(path)
    use = asked.pool_use if asked else None
    if use is None:
        return []
    places = {pool.name: path.partition(".")[0] for path, pool in parts.pools.items()}
    runs_on = needs.runs_on - {"onPremises"} if needs.database else needs.runs_on
    if places.get(use.pool) in (None, *runs_on):
        return []  # a pool that is nowhere is another check's
    fitting = [name for name, place in places.items() if place in runs_on]
    allowed = f"a pool of {' or '.join(sorted(runs_on))}, where it runs{_why_not_on_premises(needs)}"
    return [Problem(f"{path}.pool", use.pool, allowed, next(iter(fitting), None))]


def _why_not_on_premises(needs: WorkloadNeeds) -> str:
    """What somebody would have to give where no cloud makes the database."""
    if not needs.database or needs.namespace is None or "onPremises" not in needs.runs_on:
        return ""
    return (
        f"; on premises its PostgreSQL database would be yours, given by a Secret {SECRET} in the namespace "
        f"{needs.namespace.name} with {', '.join(VARIABLES)} and {CERTIFICATE}, which no setting takes yet"
    )
