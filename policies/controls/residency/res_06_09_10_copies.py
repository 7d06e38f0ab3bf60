"""Copies and what is kept twice: RES-06 backups and snapshots, RES-09 secrets, RES-10 images."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.provenance import is_own, sources
from policies.framework.resources import Resource, Settings, Stack, StackResource
from policies.framework.unknowns import Unknown, dig, dotted
from policies.law import KEY_RESIDENCY, RESIDENCY, RESIDENCY_GUARD
from policies.readers import locations
from policies.readers.mentions import may_mention
from policies.readers.references import (
    FAMILIES,
    ReferenceRule,
    check_rules,
    combine,
    foreign_references,
    region,
    resolved_by_own,
    table_summary,
)
from policies.readers.values.reading import every_leaf

_DLM = "aws:dlm/lifecyclePolicy:LifecyclePolicy"
_SECRET = "gcp:secretmanager/secret:Secret"
_GLOBAL_PARAMETER = "gcp:parametermanager/parameter:Parameter"
_PUBLIC_REPOSITORY = "aws:ecrpublic/repository:Repository"


_RDS_BACKUPS = "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication"
_BACKUPS = (
    ReferenceRule("aws:backup/plan:Plan", "rules.copyActions.destinationVaultArn"),
    ReferenceRule("aws:backup/plan:Plan", "rules.targetLogicallyAirGappedBackupVaultArn"),
    ReferenceRule(_DLM, "policyDetails.schedules.crossRegionCopyRules.target", region),
    ReferenceRule(_DLM, "policyDetails.action.crossRegionCopies.target", region),
    ReferenceRule(_RDS_BACKUPS, "sourceDbInstanceArn"),
    ReferenceRule("aws:rds/snapshotCopy:SnapshotCopy", "sourceDbSnapshotIdentifier"),
    ReferenceRule("aws:rds/clusterSnapshotCopy:ClusterSnapshotCopy", "sourceDbClusterSnapshotIdentifier"),
    ReferenceRule("gcp:compute/disk:Disk", "asyncPrimaryDisk.disk"),
    ReferenceRule("gcp:compute/diskAsyncReplication:DiskAsyncReplication", "secondaryDisk.disk"),
    ReferenceRule("gcp:filestore/instance:Instance", "initialReplication.replicas.peerInstance"),
    ReferenceRule("gcp:netapp/volumeReplication:VolumeReplication", "destinationVolumeParameters.storagePool"),
)  # fmt: skip


def secrets(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """RES-09: a Google secret names where its replicas are; `auto` lets Google choose anywhere."""
    if resource.type == _GLOBAL_PARAMETER:
        yield Finding(
            "a global parameter is kept wherever Google likes", "type", resource.type, "a RegionalParameter in India"
        )  # fmt: skip
    if resource.type != _SECRET:
        return
    for way in ("auto", "userManaged"):
        value = dig(resource.props, "replication", way)
        if isinstance(value, Unknown):
            yield value
        elif (value is None) == (way == "userManaged"):
            yield Finding(
                "Google chooses where the secret is kept",
                f"replication.{way}",
                value,
                f"userManaged replicas in {locations.EXPECTED_GCP}",
            )


# Hosts of registries say the region; `gcr.io` and its kin are multi-regions abroad. In a longer text they are
# those of an image that is run or pushed.
_REGISTRY = re.compile(
    r"(?:^|/|image(?:Uri)?[\"']?\s{0,4}:\s{0,4}[\"']?|push\s{1,4})(?:\d{12}\.dkr[.-]ecr(?:-fips)?\.(?P<aws>[a-z0-9-]+)\.|(?P<gcp>[a-z0-9-]+)-docker\.pkg\.dev"
    r"|(?P<old>(?:[a-z]+\.)?gcr\.io)/)"
)
_MARKS_OF_REGISTRIES = (".pkg.dev", "gcr.io/", ".dkr")
_IMAGES = (
    ReferenceRule("aws:lambda/function:Function", "imageUri"),
    ReferenceRule("aws:sagemaker/model:Model", "primaryContainer.image"),
    ReferenceRule("aws:sagemaker/model:Model", "containers.image"),
    ReferenceRule("gcp:cloudrunv2/service:Service", "template.containers.image"),
    ReferenceRule("gcp:cloudrunv2/job:Job", "template.template.containers.image"),
)


def images(resource: Resource, _settings: Settings) -> Iterator[Finding]:
    """RES-10: no public registry, which is in us-east-1, and no image from a registry abroad.

    What a remote repository mirrors may be anywhere: the mirror keeps it in India.
    """
    if resource.type == _PUBLIC_REPOSITORY:
        yield Finding(
            "a public repository is in us-east-1 and open to all", "type", resource.type, "a private ECR repository"
        )  # fmt: skip
    for leaf in every_leaf(resource):
        if not isinstance(leaf.value, str) or leaf.path[0] == "remoteRepositoryConfig":
            continue
        named = _REGISTRY.finditer(leaf.value) if may_mention(leaf.value, _MARKS_OF_REGISTRIES) else ()
        if not all(map(_is_indian, named)):
            yield Finding("the image is kept abroad", dotted(leaf.path), leaf.value, "a registry in India")


def _is_indian(found: re.Match[str]) -> bool:
    return found["aws"] in locations.AWS_REGIONS or found["gcp"] in locations.GCP_REGIONS


def resolved_by_image(unknown: Unknown, resource: StackResource, stack: Stack) -> bool:
    """An image that the stack builds itself is judged where it is built, a repository where it is made."""
    types = sources(unknown, resource)
    built = bool(types) and all(is_own(type_, ("docker",)) for type_ in types)
    return built or resolved_by_own(unknown, resource, stack)


RES_06 = Control(
    id="DPDP-RES-06",
    title="Backup copies stay in India",
    law=RESIDENCY,
    severity=Severity.CRITICAL,
    level=EnforcementLevel.MANDATORY,
    types=FAMILIES["DPDP-RES-06"],
    remedy="copy to a vault in the other Indian region",
    check=combine(
        table_summary("No copy goes to a region, vault, volume or instance abroad.", _BACKUPS),
        check_rules(_BACKUPS),
        foreign_references("DPDP-RES-06"),
    ),
    resolves=resolved_by_own,
)
RES_09 = Control(
    id="DPDP-RES-09",
    title="Secrets stay in India",
    law=KEY_RESIDENCY,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=FAMILIES["DPDP-RES-09"],
    remedy="give the secret userManaged replicas in Indian regions, or make it a regional one",
    check=combine(
        "A Google secret has userManaged replicas and no automatic ones; no parameter is a global one; "
        "no ARN or path leads abroad.",
        secrets,
        foreign_references("DPDP-RES-09"),
    ),
)
RES_10 = Control(
    id="DPDP-RES-10",
    title="Images stay in India",
    law=RESIDENCY_GUARD,
    severity=Severity.MEDIUM,
    level=EnforcementLevel.ADVISORY,
    types=("aws:", "gcp:", "docker"),
    remedy="pull it through a registry in an Indian region",
    check=combine(
        table_summary(
            "No image comes from ECR, Artifact Registry or gcr.io abroad, and no repository is a public one.",
            _IMAGES,
        ),
        check_rules(_IMAGES),
        images,
    ),
    resolves=resolved_by_image,
)
CONTROLS = (RES_06, RES_09, RES_10)
