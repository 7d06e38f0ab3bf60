"""The feature store that the settings ask for."""

import pulumi

from infra.contracts.site import Sites
from infra.settings.errors import Problem
from infra.settings.valid_parts import Parts
from infra.settings.workloads import path_of
from infra.settings.workloads.features import Features
from workloads.features.needs import FOLDER, NEEDS
from workloads.features.package import files
from workloads.workload import Workload


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


def check_cloud(parts: Parts) -> list[Problem]:
    """A problem where it is not said, or wrongly, in which cloud it is."""
    asked = parts.workload(Features)
    clouds = [each.cloud for each in parts.clouds]
    if asked is None or not clouds or asked.cloud in clouds or (asked.cloud is None and len(clouds) == 1):
        return []
    allowed = f"{' or '.join(clouds)}: the cloud whose lake has the features"
    return [Problem(f"{path_of(Features)}.cloud", str(asked.cloud or "none given"), allowed, clouds[0])]


def build(settings: Features, sites: Sites) -> None:
    """The feature store, in the cluster of its cloud."""
    # The SDK of Kubernetes, which only who builds waits for.
    from workloads.features.component import FeatureStore, FeatureStoreArgs

    here = sites.of(NEEDS)
    site = here[settings.cloud] if settings.cloud else next(iter(here.values()))
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


WORKLOAD = Workload(NEEDS, build, checks=(check_definitions, check_cloud))
