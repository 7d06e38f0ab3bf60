"""Which workloads have a PostgreSQL database at a site."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from infra.contracts.needs import Place, WorkloadNeeds
from infra.settings.aws_pools import AwsPool
from infra.settings.google_pools import GooglePool
from infra.settings.on_premises import OnPremisesPool
from infra.settings.stack import Settings
from infra.settings.workloads.workload import InOneCloud


def with_database(settings: Settings, place: Place, needs: Iterable[WorkloadNeeds]) -> list[str]:
    """The names of the workloads that a cloud keeps a database for: one that stands elsewhere has it there."""
    return [
        each.name
        for each in needs
        if each.database and each.namespace and _place(settings, each) in (None, place)
    ]


def _place(settings: Settings, needs: WorkloadNeeds) -> Place | None:
    """The cloud that the workload names, or where its pool is; None for one that may run at every site of the stack."""
    asked = settings.workloads.chosen.get(needs.name)
    if isinstance(asked, InOneCloud):
        return asked.cloud
    use = asked.pool_use if asked else None
    if use is None:
        return None
    pools: Mapping[Place, Sequence[AwsPool | GooglePool | OnPremisesPool]] = {
        "aws": settings.aws.cluster.pools if settings.aws else [],
        "gcp": settings.gcp.cluster.pools if settings.gcp else [],
        "onPremises": settings.on_premises.pools if settings.on_premises else [],
    }
    return next((place for place, there in pools.items() if use.pool in [pool.name for pool in there]), None)
