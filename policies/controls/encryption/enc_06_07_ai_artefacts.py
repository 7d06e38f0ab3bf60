"""AI: ENC-06 models, features, vectors and what trains them are under a customer key; ENC-07 so are nodes' disks."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.expectations import (
    Expectation,
    Misshapen,
    check_expectations,
    is_named,
    is_on,
    values_at,
)
from policies.framework.resources import Resource, Settings
from policies.framework.unknowns import Unknown
from policies.law import CUSTOMER_KEY, ENCRYPTION
from policies.readers.kms_keys import resolved_by_key

# Where each type names the key of what it keeps. Without one the cloud's own key encrypts it.
ARTEFACTS: dict[str, tuple[str, ...]] = {
    "aws:sagemaker/notebookInstance:NotebookInstance": ("kmsKeyId",),
    "aws:sagemaker/domain:Domain": ("kmsKeyId",),
    "aws:sagemaker/endpointConfiguration:EndpointConfiguration": (
        "kmsKeyArn",
        "dataCaptureConfig?.kmsKeyId",
        "asyncInferenceConfig?.outputConfig.kmsKeyId",
    ),
    "aws:sagemaker/featureGroup:FeatureGroup": (
        "onlineStoreConfig?.securityConfig.kmsKeyId",
        "offlineStoreConfig?.s3StorageConfig.kmsKeyId",
    ),
    "aws:sagemaker/trainingJob:TrainingJob": (
        "resourceConfig.volumeKmsKeyId",
        "outputDataConfig.kmsKeyId",
    ),
    "aws:bedrock/customModel:CustomModel": ("customModelKmsKeyId",),
    "aws:bedrock/agentAgent:AgentAgent": ("customerEncryptionKeyArn",),
    "aws:bedrock/agentFlow:AgentFlow": ("customerEncryptionKeyArn",),
    "aws:bedrock/agentPrompt:AgentPrompt": ("customerEncryptionKeyArn",),
    "aws:bedrock/guardrail:Guardrail": ("kmsKeyArn",),
    "aws:s3/vectorsVectorBucket:VectorsVectorBucket": ("encryptionConfigurations.kmsKeyArn",),
    "gcp:vertex/aiDataset:AiDataset": ("encryptionSpec.kmsKeyName",),
    "gcp:vertex/aiEndpoint:AiEndpoint": ("encryptionSpec.kmsKeyName",),
    "gcp:vertex/aiIndex:AiIndex": ("encryptionSpec.kmsKeyName",),
    "gcp:vertex/aiIndexEndpoint:AiIndexEndpoint": ("encryptionSpec.kmsKeyName",),
    "gcp:vertex/aiFeatureStore:AiFeatureStore": ("encryptionSpec.kmsKeyName",),
    "gcp:vertex/aiFeatureOnlineStore:AiFeatureOnlineStore": ("encryptionSpec.kmsKeyName",),
    "gcp:vertex/aiTensorboard:AiTensorboard": ("encryptionSpec.kmsKeyName",),
    "gcp:vertex/aiMetadataStore:AiMetadataStore": ("encryptionSpec.kmsKeyName",),
    "gcp:colab/runtimeTemplate:RuntimeTemplate": ("encryptionSpec.kmsKeyName",),
    "gcp:workbench/instance:Instance": ("gceSetup.bootDisk.kmsKey", "gceSetup.dataDisks?.kmsKey"),
    "gcp:discoveryengine/dataStore:DataStore": ("kmsKeyName",),
}

# Disks of nodes. AWS's have a switch; Google's are always encrypted, and only the key is in question.
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
NODE_CLASS = "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass"
GKE = "gcp:container/cluster:Cluster"
NODES: dict[str, tuple[tuple[str, str], ...]] = {
    TEMPLATE: (("blockDeviceMappings.ebs?.encrypted", "blockDeviceMappings.ebs?.kmsKeyId"),),
    "aws:ec2/launchConfiguration:LaunchConfiguration": (
        ("rootBlockDevice.encrypted", ""),
        ("ebsBlockDevices?.encrypted", ""),
    ),
    NODE_CLASS: (("spec.blockDeviceMappings.ebs.encrypted", "spec.blockDeviceMappings.ebs.kmsKeyID"),),
    "gcp:container/nodePool:NodePool": (("", "nodeConfig.bootDiskKmsKey"),),
    GKE: (
        ("", "nodeConfig?.bootDiskKmsKey"),
        ("", "clusterAutoscaling?.autoProvisioningDefaults?.bootDiskKmsKey"),
    ),
    "gcp:compute/instanceTemplate:InstanceTemplate": (("", "disks.diskEncryptionKey.kmsKeySelfLink"),),
    "gcp:compute/instance:Instance": (("", "bootDisk.kmsKeySelfLink"),),
}
_KEY = "a KMS key in India"


def artefacts(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """ENC-06: a key is named wherever one can be."""
    what = "the cloud's own key encrypts this artefact"
    yield from check_expectations(
        resource.props, [Expectation(path, is_named, what, _KEY) for path in ARTEFACTS.get(resource.type, ())]
    )


def node_disks(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """ENC-07: a node's disks are named, so that its image or the cloud doesn't choose for them, and encrypted."""
    if resource.type == NODE_GROUP:
        what = "the node group has no launch template, so the cloud chooses how its disks are encrypted"
        yield from check_expectations(
            resource.props,
            [Expectation("launchTemplate", _is_block, what, "a launch template that names the disks")],
        )
    if resource.type == TEMPLATE:
        disks = values_at(resource.props, "blockDeviceMappings.ebs?")
        if not disks or all(isinstance(value, Misshapen) for _, value in disks):
            what = "the template names no disk, so its image chooses how they are encrypted"
            given = resource.props.get("blockDeviceMappings")
            yield Finding(what, "blockDeviceMappings", given, "the root disk, encrypted")
            return
    for flag, key in NODES.get(resource.type, ()):
        if flag:
            yield from check_expectations(
                resource.props, [Expectation(flag, is_on, "the node's disk is not encrypted", "true")]
            )
        if key:
            what = "the cloud's own key encrypts the node's disk"
            yield from check_expectations(
                resource.props, [Expectation(key, is_named, what, _KEY, law=CUSTOMER_KEY)]
            )


def _is_block(value: object) -> bool:
    return isinstance(value, dict) and bool(value)


ENC_06 = Control(
    id="DPDP-ENC-06",
    title="AI artefacts under a customer key",
    law=CUSTOMER_KEY,
    severity=Severity.MEDIUM,
    level=EnforcementLevel.ADVISORY,
    types=tuple(ARTEFACTS),
    remedy="name a KMS key of this stack for models, features, vectors, notebooks and training output",
    check=artefacts,
    resolves=resolved_by_key,
)
ENC_07 = Control(
    id="DPDP-ENC-07",
    title="Node disks encrypted",
    law=ENCRYPTION,
    other_laws=(CUSTOMER_KEY,),
    severity=Severity.MEDIUM,
    level=EnforcementLevel.ADVISORY,
    types=(*NODES, NODE_GROUP),
    remedy="name the node's disks in its template, encrypted under a KMS key of this stack",
    check=node_disks,
    resolves=resolved_by_key,
)
CONTROLS = (ENC_06, ENC_07)
