"""lakeFS that the settings ask for."""

import pulumi

from infra.contracts.site import Sites
from infra.settings.workloads.lakefs import Lakefs
from workloads.lakefs.needs import FOLDER, IMAGE, NAME, NEEDS, needs_for
from workloads.one_cloud import in_one_cloud
from workloads.workload import Kept, Workload


def build(settings: Lakefs, sites: Sites) -> None:
    """The server, in the cluster of its cloud."""
    # The SDK of Kubernetes, which only who builds waits for.
    from workloads.lakefs.component import LakeFs, LakeFsArgs

    site = sites.in_cloud(settings.cloud, NEEDS)
    server = LakeFs(
        NAME,
        LakeFsArgs(
            cluster=site.cluster,
            settings=settings,
            repository=site.image(IMAGE),
            namespaces=pulumi.Output.concat(site.lake[settings.buckets[0]].uri, "/", FOLDER.rstrip("/")),
        ),
    )
    pulumi.export("lakefsUrl", server.url)


def keeps(settings: Lakefs) -> list[Kept]:
    """What no search of the lake can take out of it."""
    where = " and ".join(f"{bucket}/{FOLDER}" for bucket in settings.buckets)
    return [
        Kept(
            f"data of branches and commits below {where}",
            "write it without the rows in each branch, commit, and let lakeFS' garbage collection take the old",
        )
    ]


WORKLOAD = Workload(
    NEEDS,
    build,
    needs_for=needs_for,
    checks=(in_one_cloud(Lakefs, "the cloud whose lake has the data"),),
    keeps=keeps,
)
