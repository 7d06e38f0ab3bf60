"""Roles, a cluster with its nodes and add-ons, mirrors of images, and who may do what in it."""

from __future__ import annotations

import json

from tests.localcloud.providers.aws.world import EKS_POLICY, REGION, TRUST, Step, allow

STEPS: list[Step] = [
    (
        "aws:iam/role:Role",
        "role",
        {
            "assumeRolePolicy": TRUST,
            "description": "of the cluster",
            "maxSessionDuration": 7200,
            "path": "/eks/",
        },
        {"description": "of the control plane", "tags": {"of": "cluster"}},
    ),
    (
        "aws:iam/rolePolicy:RolePolicy",
        "inline",
        lambda made: {"role": made["role"].id, "policy": allow("kms:Decrypt")},
        {"policy": allow("kms:Encrypt")},
    ),
    (
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        "attached",
        lambda made: {"role": made["role"].outputs["name"], "policyArn": EKS_POLICY},
        None,
    ),
    (
        "aws:iam/policy:Policy",
        "policy",
        {"policy": allow("s3:GetObject"), "description": "read", "path": "/"},
        {"policy": allow("s3:ListBucket")},
    ),
    (
        "aws:iam/instanceProfile:InstanceProfile",
        "profile",
        lambda made: {"role": made["role"].outputs["name"]},
        {"tags": {"of": "nodes"}},
    ),
    (
        "aws:ec2/flowLog:FlowLog",
        "flow",
        lambda made: {
            "vpcId": made["vpc"].id,
            "trafficType": "ALL",
            "logDestinationType": "s3",
            "logDestination": made["audit"].arn,
            "maxAggregationInterval": 600,
            "destinationOptions": {"fileFormat": "parquet", "perHourPartition": True},
        },
        {"tags": {"Name": "flow"}},
    ),
    # Before its cluster, which would make it.
    (
        "aws:cloudwatch/logGroup:LogGroup",
        "logs",
        lambda made: {"name": "/aws/eks/mumbai/cluster", "retentionInDays": 400, "kmsKeyId": made["key"].arn},
        {"retentionInDays": 731, "tags": {"of": "cluster"}},
    ),
    (
        "aws:eks/cluster:Cluster",
        "cluster",
        lambda made: {
            "name": "mumbai",
            "version": "1.34",
            "roleArn": made["role"].arn,
            "vpcConfig": {
                "subnetIds": [made["subnet"].id, made["subnet-2"].id],
                "endpointPrivateAccess": True,
                "endpointPublicAccess": False,
            },
            "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
            "encryptionConfig": {"provider": {"keyArn": made["key"].arn}, "resources": ["secrets"]},
            "enabledClusterLogTypes": ["audit", "api", "authenticator"],
            "upgradePolicy": {"supportType": "STANDARD"},
            "deletionProtection": False,
            "bootstrapSelfManagedAddons": False,
        },
        {"version": "1.35", "enabledClusterLogTypes": ["audit"]},
    ),
    (
        "aws:eks/nodeGroup:NodeGroup",
        "train",
        lambda made: {
            "clusterName": made["cluster"].outputs["name"],
            "nodeRoleArn": made["role"].arn,
            "subnetIds": [made["subnet"].id, made["subnet-2"].id],
            "scalingConfig": {"minSize": 0, "maxSize": 4, "desiredSize": 3},
            "capacityType": "SPOT",
            "amiType": "AL2023_x86_64_NVIDIA",
            "labels": {"india-ai-infra/pool": "train"},
            "taints": [{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}],
            "updateConfig": {"maxUnavailable": 1},
            "launchTemplate": {
                "id": made["template"].id,
                "version": str(made["template"].outputs["latestVersion"]),
            },
        },
        {"scalingConfig": {"minSize": 0, "maxSize": 4, "desiredSize": 1}, "labels": {"pool": "train"}},
    ),
    (
        "aws:eks/addon:Addon",
        "cni",
        lambda made: {
            "clusterName": made["cluster"].id,
            "addonName": "vpc-cni",
            "addonVersion": "v1.21.1-eksbuild.3",
            "configurationValues": json.dumps({"env": {"ENABLE_PREFIX_DELEGATION": "true"}}),
            "resolveConflictsOnCreate": "OVERWRITE",
            "resolveConflictsOnUpdate": "PRESERVE",
            "podIdentityAssociations": [{"roleArn": made["role"].arn, "serviceAccount": "aws-node"}],
        },
        {"addonVersion": "v1.22.4-eksbuild.3"},
    ),
    (
        "aws:ecr/repositoryCreationTemplate:RepositoryCreationTemplate",
        "images",
        lambda made: {
            "prefix": "mirror-local",
            "description": "Public images",
            "appliedFors": ["PULL_THROUGH_CACHE", "CREATE_ON_PUSH"],
            "customRoleArn": made["role"].arn,
            "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": made["key"].arn}],
            "imageTagMutability": "IMMUTABLE",
            "lifecyclePolicy": json.dumps({"rules": []}),
            "resourceTags": {"owner": "ml"},
        },
        {"imageTagMutability": "MUTABLE", "resourceTags": {"owner": "platform"}},
    ),
    (
        "aws:ecr/pullThroughCacheRule:PullThroughCacheRule",
        "mirror",
        {
            "ecrRepositoryPrefix": "mirror-local/github",
            "upstreamRegistryUrl": "ghcr.io",
            "credentialArn": f"arn:aws:secretsmanager:{REGION}:123456789012:secret:ecr-pullthroughcache/a-AbCdEf",
        },
        {
            "credentialArn": f"arn:aws:secretsmanager:{REGION}:123456789012:secret:ecr-pullthroughcache/b-AbCdEf"
        },
    ),
    (
        "aws:eks/accessEntry:AccessEntry",
        "entry",
        lambda made: {
            "clusterName": made["cluster"].id,
            "principalArn": made["role"].arn,
            "kubernetesGroups": ["ml-engineers"],
            "type": "STANDARD",
        },
        {"kubernetesGroups": ["data-engineers"], "tags": {"for": "people"}},
    ),
    (
        "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
        "view",
        lambda made: {
            "clusterName": made["cluster"].id,
            "principalArn": made["role"].arn,
            "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy",
            "accessScope": {"type": "namespace", "namespaces": ["training"]},
        },
        None,
    ),
    (
        "aws:eks/podIdentityAssociation:PodIdentityAssociation",
        "identity",
        lambda made: {
            "clusterName": made["cluster"].id,
            "namespace": "training",
            "serviceAccount": "trainer",
            "roleArn": made["role"].arn,
        },
        {"disableSessionTags": True},
    ),
]
