"""The tracking server that the settings ask for, told to the workloads that are built after it."""

import pulumi

from infra.contracts.site import Service, Sites
from infra.settings.errors import Problem
from infra.settings.valid_parts import Parts
from infra.settings.workloads import path_of
from infra.settings.workloads.tracking import Tracking
from workloads.tracking.needs import ARTIFACTS, NAME, NAMESPACE, NEEDS, PORT
from workloads.workload import Workload


def check_cloud(parts: Parts) -> list[Problem]:
    """A problem where it is not said, or wrongly, in which cloud's cluster the server is."""
    asked = parts.workload(Tracking)
    clouds = [each.cloud for each in parts.clouds]
    if asked is None or not clouds or asked.cloud in clouds or (asked.cloud is None and len(clouds) == 1):
        return []
    allowed = f"{' or '.join(clouds)}: the cloud whose cluster has the trainers"
    return [Problem(f"{path_of(Tracking)}.cloud", str(asked.cloud or "none given"), allowed, clouds[0])]


def build(settings: Tracking, sites: Sites) -> None:
    """The server, in the cluster of its cloud."""
    # The SDK of Kubernetes, which only who builds waits for.
    from workloads.tracking.component import TrackingServer, TrackingServerArgs

    here = sites.of(NEEDS)
    site = here[settings.cloud] if settings.cloud else next(iter(here.values()))
    server = TrackingServer(
        NAME,
        TrackingServerArgs(
            cluster=site.cluster,
            settings=settings,
            image=site.image(settings.image),
            artifacts=pulumi.Output.concat(site.lake["models"].uri, "/", ARTIFACTS.rstrip("/")),
            endpoint=site.lake.endpoint,
        ),
    )
    site.services[NAME] = Service(server.url, NAMESPACE, PORT)
    pulumi.export("trackingUrl", server.url)


WORKLOAD = Workload(NEEDS, build, checks=(check_cloud,))
