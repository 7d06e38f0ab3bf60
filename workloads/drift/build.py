"""The watch over a model that the settings ask for, and the refusal of one that its program would refuse."""

from __future__ import annotations

import json

from infra.contracts.site import Sites
from infra.settings.errors import Problem
from infra.settings.valid_parts import Parts
from infra.settings.workloads import path_of
from infra.settings.workloads.drift import Drift
from infra.settings.workloads.training import LAKE_BUCKETS
from workloads.drift.needs import NEEDS
from workloads.drift.programs.job import DriftError, Job
from workloads.workload import Workload

# The settings that are the job's own fields, word for word.
FIELDS = Job.model_fields.keys() & Drift.model_fields.keys()


def document(settings: Drift) -> str:
    """The job of the settings, as its program reads it."""
    return json.dumps(settings.model_dump(by_alias=True, exclude_none=True, include=set(FIELDS)), indent=2)


def build(settings: Drift, sites: Sites) -> None:
    """The CronJob and what serves its results, on the CPUs of the stack's first place."""
    # The SDK of Kubernetes, which only who builds waits for.
    from workloads.drift.component import DriftWatch, DriftWatchArgs

    site = next(iter(sites.of(NEEDS).values()))
    DriftWatch(
        f"drift-{settings.model}",
        DriftWatchArgs(
            cluster=site.cluster,
            image=site.image(settings.image),
            job=Job.read(document(settings)),
            document=document(settings),
            words={f"{{{role}}}": site.lake[role].uri for role in LAKE_BUCKETS},
            endpoint=site.lake.endpoint,
        ),
    )


def check_job(parts: Parts) -> list[Problem]:
    """A problem where the program would refuse the job."""
    asked = parts.workload(Drift)
    if asked is None:
        return []
    try:
        Job.read(document(asked))
    except DriftError as error:
        return [Problem(path_of(Drift), asked.model, str(error))]
    return []


WORKLOAD = Workload(NEEDS, build, checks=(check_job,))
