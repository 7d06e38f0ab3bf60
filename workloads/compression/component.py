"""CompressionJob: a model of the lake made smaller on a GPU pool, judged, and published where it is good enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi

from infra.contracts.cluster import GpuCluster
from infra.contracts.lake import Endpoint
from workloads.compression.needs import NEEDS
from workloads.compression.package import PROGRAMS, files
from workloads.kubernetes.program_job import ProgramJobArgs, program_job

DIRECTORY = "/opt/compression"
# programs/__main__.py: the job is wrong, and the model lost too much; both would be so again.
FINAL_CODES = (64, 65)


@dataclass
class CompressionJobArgs:
    """`document`: the job as JSON (programs/job.py); `words` stand in it for folders that are known later."""

    cluster: GpuCluster
    pool: str
    image: pulumi.Input[str]
    document: str
    words: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    endpoint: Endpoint | None = None


class CompressionJob(pulumi.ComponentResource):
    """The Job; an update is done when it is made, and its log and exit code say how it ended.

    Raises ValueError, before anything is registered, if the pool can't hold it.
    """

    job: pulumi.CustomResource

    def __init__(
        self, name: str, args: CompressionJobArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("india-ai-infra:workloads:CompressionJob", name, None, opts)
        job = ProgramJobArgs(
            cluster=args.cluster,
            pool=args.pool,
            namespace=NEEDS.name,
            app="compression-job",
            image=args.image,
            directory=DIRECTORY,
            files=files(),
            module=PROGRAMS.replace("/", "."),
            document=args.document,
            words=args.words,
            final_codes=FINAL_CODES,
            endpoint=args.endpoint,
            priority_class=NEEDS.priority_class,
        )
        child = pulumi.ResourceOptions(
            parent=self,
            provider=args.cluster.provider,
            depends_on=args.cluster.needed_on(args.pool),
            deleted_with=args.cluster.resource,
        )
        self.job = program_job(name, job, self, child)
        self.register_outputs({"job": self.job.id})
