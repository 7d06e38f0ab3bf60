"""The feature store that the settings ask for."""

import pulumi

from infra.contracts.site import Sites
from infra.settings.errors import Problem
from infra.settings.valid_parts import Parts
from infra.settings.workloads import path_of
from infra.settings.workloads.features import Features
from workloads.features.needs import FOLDER, NEEDS
from workloads.features.package import files
from workloads.one_cloud import in_one_cloud
from workloads.workload import Kept, Workload


def check_definitions(parts: Parts) -> list[Problem]:
    """A problem where there are no definitions."""
    asked = parts.workload(Features)
    if asked is None:
        return []
    try:
        files(asked.definitions)
    except ValueError as error:
        return [Problem(f"{path_of(Features)}.definitions", asked.definitions, str(error))]
    return []


def build(settings: Features, sites: Sites) -> None:
    """The feature store, in the cluster of its cloud."""
    # The SDK of Kubernetes, which only who builds waits for.
    from workloads.features.component import FeatureStore, FeatureStoreArgs

    site = sites.in_cloud(settings.cloud, NEEDS)
    store = FeatureStore(
        settings.name,
        FeatureStoreArgs(
            cluster=site.cluster,
            settings=settings,
            image=site.image(settings.image),
            redis_image=site.image(settings.redis_image),
            lake=pulumi.Output.concat(site.lake["features"].uri, f"/{FOLDER}/", settings.project),
        ),
    )
    pulumi.export("featuresUrl", store.url)


def keeps(settings: Features) -> list[Kept]:
    """The values in Redis, which follow the lake."""
    return [
        Kept(
            "values of features in Redis", f"the next run of CronJob {settings.name}-materialise deletes them"
        )
    ]


WORKLOAD = Workload(
    NEEDS,
    build,
    checks=(check_definitions, in_one_cloud(Features, "the cloud whose lake has the features")),
    keeps=keeps,
)
