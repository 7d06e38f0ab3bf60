"""The compression Job that the settings ask for, and the refusal of one that its program would refuse."""

from __future__ import annotations

import json

from infra.contracts.site import Sites
from infra.settings.errors import Problem
from infra.settings.valid_parts import Parts
from infra.settings.workloads import path_of
from infra.settings.workloads.compression import Compression
from infra.settings.workloads.training import LAKE_BUCKETS
from workloads.compression.needs import NEEDS
from workloads.compression.programs.job import Job
from workloads.training.trainer.recipe import RecipeError
from workloads.workload import Workload

# The settings that are the job's own fields, word for word.
FIELDS = Job.model_fields.keys() & Compression.model_fields.keys()


def document(settings: Compression) -> str:
    """The job of the settings, as its program reads it."""
    return json.dumps(settings.model_dump(by_alias=True, exclude_none=True, include=set(FIELDS)), indent=2)


def build(settings: Compression, sites: Sites) -> None:
    """The Job, where its pool is."""
    # The SDK of Kubernetes, which only who builds waits for.
    from workloads.compression.component import CompressionJob, CompressionJobArgs

    site = sites.with_pool(settings.pool)
    CompressionJob(
        settings.name,
        CompressionJobArgs(
            cluster=site.cluster,
            pool=settings.pool,
            image=site.image(settings.image),
            document=document(settings),
            words={f"{{{role}}}": site.lake[role].uri for role in LAKE_BUCKETS},
            endpoint=site.lake.endpoint,
        ),
    )


def check_job(parts: Parts) -> list[Problem]:
    """A problem where the program would refuse the job."""
    asked = parts.workload(Compression)
    if asked is None:
        return []
    try:
        Job.read(document(asked))
    except RecipeError as error:
        return [Problem(path_of(Compression), asked.method, str(error))]
    return []


WORKLOAD = Workload(NEEDS, build, checks=(check_job,))
