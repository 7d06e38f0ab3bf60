"""The proofs that the settings ask for: of every pool with a fabric, and of each cloud's lake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from infra.contracts.site import Site, Sites
from infra.settings.workloads.proof import Proof
from workloads.proof.needs import NEEDS
from workloads.workload import Workload

if TYPE_CHECKING:
    from workloads.proof.component import LakeProofArgs


def build(settings: Proof, sites: Sites) -> None:
    """The proofs of each cloud; those that the update waits for are in `sites.proofs`, by the pool's name."""
    # The SDK of Kubernetes, which only who builds waits for.
    from workloads.proof.component import (
        FabricProof,
        FabricProofArgs,
        FabricProofTemplate,
        LakeProof,
        fabric_pools,
    )

    for place, site in sites.of(NEEDS).items():
        evidence = pulumi.Output.concat(site.lake["audit"].uri, "/evidence/", site.cluster.name)
        for pool in fabric_pools(site.cluster):
            args = FabricProofArgs(
                cluster=site.cluster,
                pool=pool.name,
                image=site.image(settings.image),
                dcgm_image=site.image(settings.dcgm_image),
                evidence_uri=evidence,
                nodes=settings.nodes,
                floor_gbs=settings.floor_gbs.get(pool.name),
            )
            if pool.static_nodes is None:
                FabricProofTemplate(f"nccl-test-{pool.name}", args)
            else:
                sites.proofs[pool.name] = FabricProof(f"nccl-test-{pool.name}", args)
        if (key := site.lake["checkpoints"].key) is not None:
            LakeProof(f"lake-test-{place}", _lake_proof(settings, site, key, evidence))


def _lake_proof(
    settings: Proof, site: Site, key: pulumi.Output[str], evidence: pulumi.Output[str]
) -> LakeProofArgs:
    """What the proof's own account may do is below `proof/`; everywhere else in the lake it must be refused."""
    from workloads.proof.component import LakeProofArgs

    data = {role: bucket for role, bucket in site.lake.buckets.items() if role != "checkpoints"}
    checkpoints = site.lake["checkpoints"].uri
    return LakeProofArgs(
        cluster=site.cluster,
        image=site.image(settings.image),
        uri=pulumi.Output.concat(checkpoints, "/proof"),
        key=key,
        refused_uris=[pulumi.Output.concat(checkpoints, "/jobs"), *(bucket.uri for bucket in data.values())],
        evidence_uri=evidence,
    )


WORKLOAD = Workload(NEEDS, build)
