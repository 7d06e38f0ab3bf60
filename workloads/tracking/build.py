"""The tracking server that the settings ask for, told to the workloads that are built after it."""

import pulumi

from infra.contracts.site import Service, Sites
from infra.settings.workloads.tracking import Tracking
from workloads.one_cloud import in_one_cloud
from workloads.tracking.needs import ARTIFACTS, NAME, NAMESPACE, NEEDS, PORT
from workloads.workload import Workload


def build(settings: Tracking, sites: Sites) -> None:
    """The server, in the cluster of its cloud."""
    # The SDK of Kubernetes, which only who builds waits for.
    from workloads.tracking.component import TrackingServer, TrackingServerArgs

    site = sites.in_cloud(settings.cloud, NEEDS)
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


WORKLOAD = Workload(
    NEEDS, build, checks=(in_one_cloud(Tracking, "the cloud whose cluster has the trainers"),)
)
