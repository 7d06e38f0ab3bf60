"""The tracking server that the settings ask for, told to the workloads that are built after it."""

from pathlib import Path

import pulumi

from infra.contracts.site import Service, Sites
from infra.settings.workloads import path_of
from infra.settings.workloads.tracking import Tracking
from workloads.one_cloud import in_one_cloud
from workloads.tracking.needs import ARTIFACTS, NAME, NAMESPACE, NEEDS, PORT
from workloads.workload import Promotion, Workload


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


def promotion(settings: Tracking) -> Promotion:
    """The program `registry`, held to the gate that the settings name."""
    return Promotion(
        requirements=Path(__file__).with_name("requirements.txt"),
        module="registry",
        key=settings.verdict_key,
        key_setting=f"{path_of(Tracking)}.verdictKey",
        forward=f"kubectl -n {NAMESPACE} port-forward deploy/{NAME} {PORT}",
        port=PORT,
    )


WORKLOAD = Workload(
    NEEDS,
    build,
    checks=(in_one_cloud(Tracking, "the cloud whose cluster has the trainers"),),
    promotion=promotion,
)
