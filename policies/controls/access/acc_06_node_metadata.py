"""ACC-06: what a node's metadata service gives out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.controls.access.acc_04_static_keys import GKE
from policies.framework.control import Control, Finding
from policies.framework.expectations import Expectation, check_expectations, one_of
from policies.framework.remediation import PropertyPatch
from policies.framework.resources import Resource, Settings
from policies.framework.unknowns import Unknown
from policies.law import CONFINEMENT

NODE_POOL = "gcp:container/nodePool:NodePool"
METADATA = "metadataOptions"


def instance_metadata(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """ACC-06: a node's credentials are given out by session only, and no further than a pod away."""
    yield from check_expectations(resource.props, NODES.get(resource.type, ()))


def _few_hops(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value <= 2


def _sessions(prefix: str, *, default: bool = False) -> tuple[Expectation, ...]:
    what = "whoever gets one plain request through to the node's metadata takes its credentials"
    return (
        Expectation(f"{prefix}httpTokens", one_of("required"), what, "required", absent=default),
        Expectation(
            f"{prefix}httpPutResponseHopLimit",
            _few_hops,
            "a node's credentials travel too far from it",
            "1, or 2 where pods need it",
            absent=True,
        ),
    )


_GOOGLE_METADATA = "pods may ask the node's metadata for its credentials"
NODES: dict[str, tuple[Expectation, ...]] = {
    "aws:ec2/launchTemplate:LaunchTemplate": _sessions(f"{METADATA}."),
    "aws:ec2/instance:Instance": _sessions(f"{METADATA}."),
    "aws:ec2/launchConfiguration:LaunchConfiguration": _sessions(f"{METADATA}."),
    "aws:ec2/instanceMetadataDefaults:InstanceMetadataDefaults": _sessions(""),
    # Karpenter requires sessions, one hop away, unless told otherwise.
    "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass": _sessions(f"spec?.{METADATA}?.", default=True),
    "aws:sagemaker/notebookInstance:NotebookInstance": (
        Expectation(
            "instanceMetadataServiceConfiguration.minimumInstanceMetadataServiceVersion",
            lambda value: value in ("2", 2),
            "the notebook gives out credentials without a session",
            "2",
        ),
    ),
    NODE_POOL: (
        Expectation(
            "nodeConfig.workloadMetadataConfig.mode", one_of("GKE_METADATA"), _GOOGLE_METADATA, "GKE_METADATA"
        ),
    ),
    GKE: (
        Expectation(
            "nodeConfig?.workloadMetadataConfig.mode",
            one_of("GKE_METADATA"),
            _GOOGLE_METADATA,
            "GKE_METADATA",
        ),
    ),
}

# Where a program leaves the hop limit out, the cloud's own is as few: nothing to fill in.
_SESSION_TOKENS = {
    "aws:ec2/launchTemplate:LaunchTemplate": (METADATA, "httpTokens"),
    "aws:ec2/instance:Instance": (METADATA, "httpTokens"),
    "aws:ec2/launchConfiguration:LaunchConfiguration": (METADATA, "httpTokens"),
    "aws:ec2/instanceMetadataDefaults:InstanceMetadataDefaults": ("httpTokens",),
}


def sessions(resource: Resource, _settings: Settings) -> Iterator[PropertyPatch]:
    """ACC-06: `httpTokens` required, on machines of AWS."""
    if path := _SESSION_TOKENS.get(resource.type):
        yield PropertyPatch(path, "required")


ACC_06 = Control(
    id="DPDP-ACC-06",
    title="Node metadata asks for a session",
    law=CONFINEMENT,
    severity=Severity.MEDIUM,
    level=EnforcementLevel.MANDATORY,
    types=tuple(NODES),
    remedy="metadataOptions with httpTokens required and a hop limit of 1 (GKE: GKE_METADATA)",
    remedies={
        "aws:": "metadataOptions with httpTokens required and a hop limit of 1",
        "gcp:": "workloadMetadataConfig with mode GKE_METADATA, and workloadIdentityConfig on the cluster",
    },
    check=instance_metadata,
    remediate=sessions,
)
CONTROLS = (ACC_06,)
