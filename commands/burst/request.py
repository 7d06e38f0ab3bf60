"""What is to run elsewhere: a workload of a stack, the class of its data, and what only its people know."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from commands.buckets import addresses
from commands.burst.providers import BurstError
from infra.catalog.resolved import ResolvedPool, resolve
from infra.contracts.burst import Burst
from infra.contracts.cluster import Pool
from infra.contracts.governance import DATA
from infra.geography import Cloud, region
from infra.settings.pools import GpuPool
from infra.settings.stack import PERSONAL_CLASSES, Settings
from infra.settings.workloads.workload import OWN_REGISTRY
from infra.spelling import nearest
from workloads.registry import WORKLOADS

SCHEMES: Mapping[Cloud, str] = {"aws": "s3", "gcp": "gs"}
# Whose metadata service announces that a machine is taken back.
NOTICES: Mapping[Cloud, str] = {"aws": "aws", "gcp": "google"}
_ROLE = re.compile(rf"\{{({'|'.join(DATA)})\}}")


@dataclass(frozen=True)
class Request:
    """A workload to run elsewhere, with the addresses of the lake and the registry filled in."""

    stack: str
    data_class: str
    burst: Burst
    pool: ResolvedPool[GpuPool]
    buckets: Mapping[str, str]
    """Addresses of the lake's buckets by role, as far as they were given."""

    @property
    def personal(self) -> bool:
        """Whether its data are personal."""
        return self.data_class in PERSONAL_CLASSES

    @property
    def scratch(self) -> str | None:
        """The address of the bucket that it writes to."""
        return self.buckets.get(self.burst.writes or "")


def request(
    stack: str, settings: Settings, workload: str | None, buckets: Path | None, registry: str | None
) -> Request:
    """The workload of a stack as it would run elsewhere.

    Raises:
        BurstError: there is no such workload, it needs a cluster, or an address is missing.
        BucketsError: the file of buckets is something else.
    """
    name = _chosen(settings, workload)
    asked = settings.workloads.chosen[name]
    row = next(each for each in WORKLOADS if each.needs.name == name)
    pool = _pool(settings, asked.pool_use.pool if asked.pool_use else "")
    if row.burst is None:
        raise BurstError(f"{name} needs a cluster: it can't run elsewhere")
    cloud = region(pool.region).cloud
    try:
        burst = row.burst(asked, _as_seen(pool, cloud), settings.currency.usd_inr)
    except ValueError as error:
        raise BurstError(str(error)) from error
    lake = addresses(buckets, SCHEMES[cloud]) if buckets else {}
    return Request(stack, settings.data_class, _filled(burst, lake, registry), pool, lake)


def _chosen(settings: Settings, workload: str | None) -> str:
    there = [
        each.needs.name for each in WORKLOADS if each.burst and each.needs.name in settings.workloads.chosen
    ]
    if workload is None and len(there) == 1:
        return there[0]
    if workload in there:
        return workload
    near = nearest(workload, there) if workload else None
    hint = f"; the nearest is {near}" if near else ""
    raise BurstError(
        f"WORKLOAD={workload or ''}: what this stack has that can run elsewhere: {', '.join(there) or 'nothing'}{hint}"
    )


def _pool(settings: Settings, name: str) -> ResolvedPool[GpuPool]:
    for cloud in filter(None, (settings.aws, settings.gcp)):
        for pool in cloud.cluster.pools:
            if pool.name == name:
                return resolve(cloud.region, pool)
    raise BurstError(
        f"the pool {name} is on premises: only one of a cloud has prices and machines to compare with"
    )


def _as_seen(pool: ResolvedPool[GpuPool], cloud: Cloud) -> Pool:
    """The pool as a workload sees it, without a fabric: rented machines have none that is theirs alone."""
    return Pool(
        name=pool.name,
        gpu=pool.machine.gpu,
        gpus_per_node=pool.settings.gpus_per_node,
        purchase=pool.settings.purchase,
        fabric="none",
        machine_types=pool.machine_types,
        max_nodes=pool.settings.most_nodes,
        notices=NOTICES[cloud],
        reclaims_per_hour=pool.reclaims_per_hour,
        usd_per_hour=pool.usd_per_hour,
    )


def _filled(burst: Burst, buckets: Mapping[str, str], registry: str | None) -> Burst:
    """The same with addresses for `{role}`, which programs don't say, and for `{registry}`."""
    if burst.image.startswith(OWN_REGISTRY) and not registry:
        raise BurstError(
            f"the image {burst.image} is in the stack's own registry: give its host, such as "
            "REGISTRY=<account>.dkr.ecr.ap-south-1.amazonaws.com"
        )
    texts = {path: text for path, text in burst.files.items() if not path.endswith(".py")}
    if missing := {role for text in (burst.command, *texts.values()) for role in _ROLE.findall(text)} - {
        *buckets
    }:
        raise BurstError(
            f"it uses the lake's {', '.join(sorted(missing))}: give the names of its buckets, BUCKETS=buckets.json "
            "of `pulumi stack output buckets --json > buckets.json`"
        )

    def fill(text: str) -> str:
        return _ROLE.sub(lambda found: buckets[found[1]], text)

    return replace(
        burst,
        image=burst.image.replace(OWN_REGISTRY, registry or ""),
        command=fill(burst.command),
        files={**burst.files, **{path: fill(text) for path, text in texts.items()}},
    )
