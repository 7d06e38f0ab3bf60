"""Every row of the local cloud's AWS table, against a moto of its own: make, look, change, preview, remove."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.request import Request, urlopen

import pytest

import localcloud.kubernetes

os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"  # moto reads it when it makes an account

from botocore import xform_name
from moto.core.responses import BaseResponse
from moto.server import ThreadedMotoServer

from infra.aws.endpoints import UNKNOWN_SERVICE
from infra.contracts.labels import EKS_NODE_GROUP
from localcloud import deployer
from localcloud.providers.aws import table as aws_table
from localcloud.providers.aws.api import ENDPOINT, Api, RefusedError
from localcloud.providers.aws.provider import Aws
from localcloud.providers.aws.table import kept_types
from localcloud.providers.protocol import UNKNOWN, InvalidInputsError, Resource, ResourceError, Values

pytestmark = pytest.mark.slow

REGION = "ap-south-1"
DEFAULT_TAGS = {"project": "india-ai-infra", "owner": "ml"}
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
EKS_POLICY = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"


def allow(action: str, resource: str = "*", **more: Any) -> str:
    statement = {"Sid": "One", "Effect": "Allow", "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


# What a program gives, in an order in which it can be made: token, name, inputs, and what it changes later. A function
# is given the resources made so far. A change of None says that the type has nothing that can be changed in place.
Step = tuple[str, str, Any, Values | None]
STEPS: list[Step] = [
    (
        "aws:kms/key:Key",
        "key",
        {
            "description": "lake",
            "enableKeyRotation": True,
            "rotationPeriodInDays": 180,
            "deletionWindowInDays": 30,
            "policy": allow("kms:*", Principal={"AWS": "*"}),
            "tags": {"dpdp:owner": "ml"},
        },
        {"description": "the lake", "policy": allow("kms:Encrypt", Principal={"AWS": "*"})},
    ),
    (
        "aws:kms/alias:Alias",
        "alias",
        lambda made: {"targetKeyId": made["key"].arn, "name": "alias/lake"},
        None,
    ),
    (
        "aws:ec2/vpc:Vpc",
        "vpc",
        {"cidrBlock": "10.0.0.0/16", "enableDnsSupport": True, "enableDnsHostnames": True},
        {"enableDnsHostnames": False, "tags": {"Name": "new"}},
    ),
    (
        "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation",
        "pods",
        lambda made: {"vpcId": made["vpc"].id, "cidrBlock": "100.64.0.0/16"},
        None,
    ),
    (
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        "closed",
        lambda made: {"vpcId": made["vpc"].id, "ingress": [], "egress": [], "tags": {"Name": "closed"}},
        {"tags": {"Name": "shut"}},
    ),
    (
        "aws:ec2/subnet:Subnet",
        "subnet",
        lambda made: {
            "vpcId": made["vpc"].id,
            "cidrBlock": "10.0.0.0/20",
            "availabilityZoneId": "aps1-az1",
            "mapPublicIpOnLaunch": False,
            "tags": {"kubernetes.io/role/elb": "1"},
        },
        {"mapPublicIpOnLaunch": True},
    ),
    (
        "aws:ec2/subnet:Subnet",
        "subnet-2",
        lambda made: {
            "vpcId": made["vpc"].id,
            "cidrBlock": "10.0.16.0/20",
            "availabilityZone": f"{REGION}b",
            "enableResourceNameDnsARecordOnLaunch": True,
        },
        {"enableResourceNameDnsARecordOnLaunch": False},
    ),
    (
        "aws:ec2/internetGateway:InternetGateway",
        "igw",
        lambda made: {"vpcId": made["vpc"].id},
        {"tags": {"Name": "igw"}},
    ),
    ("aws:ec2/eip:Eip", "eip", {"domain": "vpc"}, {"tags": {"Name": "nat"}}),
    (
        "aws:ec2/natGateway:NatGateway",
        "nat",
        lambda made: {
            "subnetId": made["subnet"].id,
            "allocationId": made["eip"].outputs["allocationId"],
            "connectivityType": "public",
        },
        {"tags": {"Name": "nat"}},
    ),
    (
        "aws:ec2/routeTable:RouteTable",
        "routes",
        lambda made: {"vpcId": made["vpc"].id, "tags": {"Name": "private"}},
        {"tags": {"Name": "inner"}},
    ),
    (
        "aws:ec2/route:Route",
        "out",
        lambda made: {
            "routeTableId": made["routes"].id,
            "destinationCidrBlock": "0.0.0.0/0",
            "natGatewayId": made["nat"].id,
        },
        lambda made: {"natGatewayId": None, "gatewayId": made["igw"].id},
    ),
    (
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        "association",
        lambda made: {"routeTableId": made["routes"].id, "subnetId": made["subnet"].id},
        None,
    ),
    (
        "aws:ec2/securityGroup:SecurityGroup",
        "group",
        lambda made: {
            "name": "efa",
            "description": "EFA",
            "vpcId": made["vpc"].id,
            "ingress": [{"protocol": "-1", "fromPort": 0, "toPort": 0, "self": True, "description": "EFA"}],
            "egress": [
                {"protocol": "-1", "fromPort": 0, "toPort": 0, "self": True},
                {"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]},
            ],
        },
        {"ingress": [{"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["10.0.0.0/16"]}]},
    ),
    # A group without rules of its own: AWS drops the rules of others from one that has them inline.
    (
        "aws:ec2/securityGroup:SecurityGroup",
        "endpoints",
        lambda made: {"name": "endpoints", "description": "Endpoints", "vpcId": made["vpc"].id},
        None,
    ),
    (
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        "https",
        lambda made: {
            "securityGroupId": made["endpoints"].id,
            "ipProtocol": "tcp",
            "fromPort": 8443,
            "toPort": 8443,
            "cidrIpv4": "10.0.0.0/16",
            "description": "from the VPC",
        },
        {"cidrIpv4": "10.1.0.0/16"},
    ),
    (
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        "peers",
        lambda made: {
            "securityGroupId": made["group"].id,
            "ipProtocol": "tcp",
            "fromPort": 53,
            "toPort": 53,
            "referencedSecurityGroupId": made["group"].id,
        },
        {"toPort": 54},
    ),
    (
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        "s3",
        lambda made: {
            "vpcId": made["vpc"].id,
            "serviceName": f"com.amazonaws.{REGION}.s3",
            "vpcEndpointType": "Gateway",
            "routeTableIds": [made["routes"].id],
            "policy": allow("s3:*", Principal="*"),
        },
        {"policy": allow("s3:GetObject", Principal="*")},
    ),
    (
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        "ecr",
        lambda made: {
            "vpcId": made["vpc"].id,
            "serviceName": f"com.amazonaws.{REGION}.ecr.api",
            "vpcEndpointType": "Interface",
            "privateDnsEnabled": True,
            "subnetIds": [made["subnet"].id],
            "securityGroupIds": [made["group"].id],
        },
        lambda made: {"subnetIds": [made["subnet"].id, made["subnet-2"].id]},
    ),
    (
        "aws:ec2/placementGroup:PlacementGroup",
        "cluster-group",
        {"strategy": "cluster"},
        {"tags": {"Name": "cluster"}},
    ),
    (
        "aws:ec2/instance:Instance",
        "jump-host",
        lambda made: {
            "ami": "ami-0123456789abcdef0",
            "instanceType": "t4g.nano",
            "subnetId": made["subnet"].id,
            "associatePublicIpAddress": False,
            "vpcSecurityGroupIds": [made["endpoints"].id],
            "metadataOptions": {
                "httpEndpoint": "enabled",
                "httpTokens": "required",
                "httpPutResponseHopLimit": 1,
            },
            "rootBlockDevice": {
                "volumeType": "gp3",
                "volumeSize": 8,
                "encrypted": True,
                "kmsKeyId": made["key"].arn,
                "deleteOnTermination": True,
            },
            "tags": {"Name": "jump-host"},
        },
        {
            "metadataOptions": {
                "httpEndpoint": "enabled",
                "httpTokens": "optional",
                "httpPutResponseHopLimit": 1,
            }
        },
    ),
    (
        "aws:ec2/launchTemplate:LaunchTemplate",
        "template",
        lambda made: {
            "instanceType": "p5.48xlarge",
            "updateDefaultVersion": True,
            "ebsOptimized": "true",
            "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
            "blockDeviceMappings": [
                {
                    "deviceName": "/dev/xvda",
                    "ebs": {
                        "volumeSize": 200,
                        "volumeType": "gp3",
                        "encrypted": "true",
                        "kmsKeyId": made["key"].arn,
                    },
                }
            ],
            "networkInterfaces": [
                {
                    "deviceIndex": 0 if card == 0 else 1,
                    "networkCardIndex": card,
                    "interfaceType": "efa",
                    "securityGroups": [made["group"].id],
                    "deleteOnTermination": "true",
                }
                for card in range(2)
            ],
            "placement": {"groupName": made["cluster-group"].id},
            "tagSpecifications": [{"resourceType": "instance", "tags": {"Name": "train"}}],
            "tags": {"Name": "train"},
        },
        {"instanceType": "p5e.48xlarge"},
    ),
    (
        "aws:s3/bucket:Bucket",
        "audit",
        {"forceDestroy": True, "objectLockEnabled": True, "tags": {"dpdp:data-class": "personal"}},
        {"tags": {"dpdp:data-class": "internal"}},
    ),
    # Apart from `audit`, which moto really delivers logs to: a lock is refused on a bucket that holds something.
    ("aws:s3/bucket:Bucket", "locked", {"forceDestroy": True, "objectLockEnabled": True}, None),
    (
        "aws:s3/bucket:Bucket",
        "raw",
        {"bucket": "raw-of-a-team", "forceDestroy": True},
        {"forceDestroy": False},
    ),
    (
        "aws:s3/bucketVersioning:BucketVersioning",
        "versioning",
        lambda made: {"bucket": made["raw"].id, "versioningConfiguration": {"status": "Enabled"}},
        {"versioningConfiguration": {"status": "Suspended"}},
    ),
    (
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "sse",
        lambda made: {
            "bucket": made["raw"].id,
            "rules": [
                {
                    "applyServerSideEncryptionByDefault": {
                        "sseAlgorithm": "aws:kms",
                        "kmsMasterKeyId": made["key"].arn,
                    },
                    "bucketKeyEnabled": True,
                }
            ],
        },
        {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]},
    ),
    (
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "private",
        lambda made: {"bucket": made["raw"].id, "blockPublicAcls": True, "restrictPublicBuckets": True},
        {"restrictPublicBuckets": False},
    ),
    (
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        "ownership",
        lambda made: {"bucket": made["raw"].id, "rule": {"objectOwnership": "BucketOwnerEnforced"}},
        {"rule": {"objectOwnership": "BucketOwnerPreferred"}},
    ),
    (
        "aws:s3/bucketPolicy:BucketPolicy",
        "log-delivery",
        lambda made: {
            "bucket": made["audit"].id,
            "policy": allow(
                "s3:PutObject",
                f"{made['audit'].arn}/*",
                Principal={"Service": "logging.s3.amazonaws.com"},
            ),
        },
        None,
    ),
    (
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "lifecycle",
        lambda made: {
            "bucket": made["raw"].id,
            "rules": [
                {
                    "id": "expire",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "expiration": {"days": 365},
                    "transitions": [{"days": 30, "storageClass": "STANDARD_IA"}],
                    "noncurrentVersionExpiration": {"noncurrentDays": 30},
                    "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
                }
            ],
        },
        {
            "rules": [
                {"id": "later", "status": "Enabled", "filter": {"prefix": "a"}, "expiration": {"days": 730}}
            ]
        },
    ),
    (
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
        "replication",
        lambda made: {
            "bucket": made["locked"].id,
            "role": "arn:aws:iam::123456789012:role/replication",
            "rules": [
                {
                    "id": "everything",
                    "priority": 1,
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "deleteMarkerReplication": {"status": "Enabled"},
                    "sourceSelectionCriteria": {"sseKmsEncryptedObjects": {"status": "Enabled"}},
                    "destination": {
                        "bucket": f"arn:aws:s3:::{made['audit'].id}",
                        "encryptionConfiguration": {
                            "replicaKmsKeyId": "arn:aws:kms:ap-south-2:123456789012:key/k"
                        },
                    },
                }
            ],
        },
        {"role": "arn:aws:iam::123456789012:role/other"},
    ),
    (
        "aws:s3/bucketLogging:BucketLogging",
        "logging",
        lambda made: {
            "bucket": made["raw"].id,
            "targetBucket": made["audit"].id,
            "targetPrefix": "raw/",
            "targetObjectKeyFormat": {"partitionedPrefix": {"partitionDateSource": "EventTime"}},
        },
        {"targetPrefix": "access/"},
    ),
    (
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        "lock",
        lambda made: {
            "bucket": made["locked"].id,
            "rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": 365}},
        },
        {"rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": 400}}},
    ),
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
    (
        "aws:cloudwatch/eventRule:EventRule",
        "spot",
        {
            "description": "Spot notices",
            "eventPattern": json.dumps(
                {"source": ["aws.ec2"], "detail-type": ["EC2 Spot Instance Interruption Warning"]}
            ),
        },
        {"description": "Spot interruption notices"},
    ),
    (
        "aws:sqs/queue:Queue",
        "queue",
        {"name": "interruption", "messageRetentionSeconds": 300, "sqsManagedSseEnabled": True},
        {"messageRetentionSeconds": 600, "tags": {"of": "karpenter"}},
    ),
    (
        "aws:sqs/queuePolicy:QueuePolicy",
        "queue-policy",
        lambda made: {
            "queueUrl": made["queue"].outputs["url"],
            "policy": allow(
                "sqs:SendMessage", made["queue"].arn, Principal={"Service": "events.amazonaws.com"}
            ),
        },
        None,
    ),
    (
        "aws:cloudwatch/eventTarget:EventTarget",
        "to-queue",
        lambda made: {
            "rule": made["spot"].outputs["name"],
            "arn": made["queue"].arn,
            "inputTransformer": {"inputPaths": {"id": "$.id"}, "inputTemplate": '"<id>"'},
        },
        {"inputTransformer": None},
    ),
    (
        "aws:sns/topic:Topic",
        "topic",
        lambda made: {"displayName": "Findings", "kmsMasterKeyId": made["key"].id},
        {"displayName": "Notices", "tags": {"of": "audit"}},
    ),
    (
        "aws:sns/topicPolicy:TopicPolicy",
        "topic-policy",
        lambda made: {
            "arn": made["topic"].arn,
            "policy": allow("sns:Publish", made["topic"].arn, Principal={"Service": "events.amazonaws.com"}),
        },
        None,
    ),
    (
        "aws:sns/topicSubscription:TopicSubscription",
        "subscription",
        lambda made: {
            "topic": made["topic"].arn,
            "protocol": "sqs",
            "endpoint": made["queue"].arn,
            "rawMessageDelivery": True,
        },
        {"rawMessageDelivery": False},
    ),
    (
        "aws:cloudtrail/trail:Trail",
        "trail",
        lambda made: {
            "name": "lake",
            "s3BucketName": made["audit"].id,
            "s3KeyPrefix": "cloudtrail",
            "kmsKeyId": made["key"].arn,
            "isMultiRegionTrail": True,
            "includeGlobalServiceEvents": True,
            "enableLogFileValidation": True,
            "enableLogging": True,
            "advancedEventSelectors": [
                {
                    "name": "lake",
                    "fieldSelectors": [
                        {"field": "eventCategory", "equals": ["Data"]},
                        {"field": "resources.type", "equals": ["AWS::S3::Object"]},
                        {"field": "resources.ARN", "startsWiths": [made["raw"].arn]},
                    ],
                }
            ],
        },
        {"isMultiRegionTrail": False, "tags": {"of": "audit"}},
    ),
    (
        "aws:budgets/budget:Budget",
        "spend",
        {
            "name": "stack",
            "budgetType": "COST",
            "timeUnit": "MONTHLY",
            "limitAmount": "2106.15",
            "limitUnit": "USD",
            "costFilters": [{"name": "TagKeyValue", "values": ["user:stack$dev"]}],
            "costTypes": {"includeTax": False, "includeCredit": False},
            "notifications": [
                {
                    "notificationType": "ACTUAL",
                    "comparisonOperator": "GREATER_THAN",
                    "threshold": 80,
                    "thresholdType": "PERCENTAGE",
                    "subscriberEmailAddresses": ["ml@example.org", "money@example.org"],
                }
            ],
        },
        {
            "limitAmount": "1900.00",
            "notifications": [
                {
                    "notificationType": "FORECASTED",
                    "comparisonOperator": "GREATER_THAN",
                    "threshold": 100,
                    "thresholdType": "PERCENTAGE",
                    "subscriberEmailAddresses": ["money@example.org"],
                }
            ],
        },
    ),
    (
        "aws:guardduty/detector:Detector",
        "detector",
        {"enable": True, "findingPublishingFrequency": "FIFTEEN_MINUTES"},
        {"findingPublishingFrequency": "ONE_HOUR"},
    ),
    (
        "aws:guardduty/detectorFeature:DetectorFeature",
        "runtime",
        lambda made: {
            "detectorId": made["detector"].id,
            "name": "EKS_RUNTIME_MONITORING",
            "status": "ENABLED",
            "additionalConfigurations": [{"name": "EKS_ADDON_MANAGEMENT", "status": "ENABLED"}],
        },
        {"status": "DISABLED"},
    ),
    (
        "aws:secretsmanager/secret:Secret",
        "secret",
        lambda made: {"description": "token", "kmsKeyId": made["key"].arn, "recoveryWindowInDays": 0},
        {"description": "a token"},
    ),
    (
        "aws:secretsmanager/secretVersion:SecretVersion",
        "secret-version",
        lambda made: {"secretId": made["secret"].id, "secretString": "hush"},
        None,
    ),
    (
        "aws:ec2/customerGateway:CustomerGateway",
        "site",
        {"type": "ipsec.1", "ipAddress": "203.0.113.7", "bgpAsn": "65010", "tags": {"Name": "site"}},
        {"tags": {"Name": "hall"}},
    ),
    (
        "aws:ec2/vpnGateway:VpnGateway",
        "vgw",
        lambda made: {"vpcId": made["vpc"].id, "tags": {"Name": "site"}},
        {"tags": {"Name": "hall"}},
    ),
    (
        "aws:ec2/vpnConnection:VpnConnection",
        "vpn",
        lambda made: {
            "type": "ipsec.1",
            "customerGatewayId": made["site"].id,
            "vpnGatewayId": made["vgw"].id,
            "staticRoutesOnly": True,
            "presharedKeyStorage": "SecretsManager",
            "tunnel1IkeVersions": ["ikev2"],
            "tunnel1Phase1DhGroupNumbers": [19, 20],
            "tunnel2Phase2EncryptionAlgorithms": ["AES256-GCM-16"],
            "tunnel2LogOptions": {"cloudwatchLogOptions": {"logEnabled": True, "logOutputFormat": "json"}},
        },
        {"tags": {"Name": "site"}},
    ),
    (
        "aws:ec2/vpnConnectionRoute:VpnConnectionRoute",
        "vpn-route",
        lambda made: {"vpnConnectionId": made["vpn"].id, "destinationCidrBlock": "192.168.10.0/24"},
        None,
    ),
    (
        "aws:rolesanywhere/trustAnchor:TrustAnchor",
        "anchor",
        {
            "name": "site",
            "enabled": True,
            "source": {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": "PEM"}},
        },
        {"enabled": False, "tags": {"for": "site"}},
    ),
    (
        "aws:rolesanywhere/profile:Profile",
        "site-profile",
        lambda made: {
            "name": "site",
            "enabled": True,
            "roleArns": [made["role"].arn],
            "acceptRoleSessionName": True,
        },
        {"durationSeconds": 3600},
    ),
    (
        "aws:rds/subnetGroup:SubnetGroup",
        "database-subnets",
        lambda made: {"description": "one", "subnetIds": [made["subnet"].id, made["subnet-2"].id]},
        {"description": "two"},
    ),
    (
        "aws:rds/parameterGroup:ParameterGroup",
        "database-parameters",
        {
            "description": "TLS",
            "family": "postgres17",
            "parameters": [{"name": "rds.force_ssl", "value": "1"}],
        },
        {"tags": {"Name": "databases"}},
    ),
    (
        "aws:rds/instance:Instance",
        "database",
        lambda made: {
            "identifier": "unit-tracking",
            "engine": "postgres",
            "engineVersion": "17",
            "instanceClass": "db.t4g.small",
            "allocatedStorage": 20,
            "maxAllocatedStorage": 100,
            "storageType": "gp3",
            "storageEncrypted": True,
            "kmsKeyId": made["key"].arn,
            "dbName": "tracking",
            "username": "tracking",
            "password": "correct-horse-battery",
            "caCertIdentifier": "rds-ca-rsa2048-g1",
            "dbSubnetGroupName": made["database-subnets"].id,
            "parameterGroupName": made["database-parameters"].id,
            "publiclyAccessible": False,
            "backupRetentionPeriod": 7,
            "copyTagsToSnapshot": True,
            "enabledCloudwatchLogsExports": ["postgresql"],
            "applyImmediately": True,
            "skipFinalSnapshot": True,
            "finalSnapshotIdentifier": "unit-tracking-a1b2c3",
        },
        {"instanceClass": "db.t4g.medium", "allocatedStorage": 30, "multiAz": True},
    ),
    (
        "aws:ssm/parameter:Parameter",
        "parameter",
        {"name": "/unit/plain", "type": "String", "insecureValue": "one", "description": "plain"},
        {"insecureValue": "two"},
    ),
    (
        "aws:ssm/parameter:Parameter",
        "node-config",
        {
            "name": "/unit/on-premises/hall",
            "type": "String",
            "insecureValue": "{}",
            "tags": {f"on-premises:{of}": "2" for of in ("nodes", "gpus", "vcpus", "memory-gib")},
        },
        {"insecureValue": '{"changed": true}'},
    ),
]


class Made(SimpleNamespace):
    resource: Resource
    inputs: Values
    outputs: Values

    @property
    def id(self) -> str:
        return self.resource.id

    @property
    def arn(self) -> str:
        return self.outputs["arn"]


class World:
    """What the engine would do with the provider, one resource at a time."""

    def __init__(self) -> None:
        self.made: dict[str, Made] = {}
        self.aws = Aws()
        self.aws.configure({"region": REGION, "defaultTags": {"tags": DEFAULT_TAGS}})

    def make(self, token: str, name: str, given: Any) -> Made:
        inputs: Any = given(self.made) if callable(given) else given
        checked = self.aws.check(about(token, name), {}, inputs)
        assert self.aws.create(about(token, name, preview=True), checked)[0] == ""
        resource_id, outputs = self.aws.create(about(token, name), checked)
        self.made[name] = Made(resource=about(token, name, resource_id), inputs=checked, outputs=outputs)
        return self.made[name]

    def refresh(self, name: str) -> tuple[Values, Values] | None:
        made = self.made[name]
        return self.aws.read(made.resource, made.inputs, made.outputs)

    def change(self, name: str, given: Any) -> None:
        made = self.made[name]
        change: Any = given(self.made) if callable(given) else given
        wanted = {k: v for k, v in {**own(made.inputs), **change}.items() if v is not None}
        checked = self.aws.check(made.resource, made.inputs, wanted)
        diff = self.aws.diff(made.resource, made.inputs, made.outputs, checked)
        assert set(diff.changed) == set(change)
        assert diff.replaces == []
        made.outputs = self.aws.update(made.resource, made.inputs, made.outputs, checked)
        made.inputs = checked

    def remove(self, name: str) -> None:
        made = self.made.pop(name)
        self.aws.delete(made.resource, made.inputs, made.outputs)


def about(token: str, name: str, resource_id: str = "", preview: bool = False) -> Resource:
    return Resource(f"urn:pulumi:unit::india-ai-infra::{token}::{name}", resource_id, preview=preview)


def own(inputs: Values) -> Values:
    """The inputs that a program gave: without those that the provider filled."""
    filled = {"__defaults", *inputs.get("__defaults", [])}
    tags = {k: v for k, v in inputs.get("tags", {}).items() if k not in DEFAULT_TAGS}
    return {k: v for k, v in inputs.items() if k not in filled} | ({"tags": tags} if tags else {})


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    # All servers of a process share what moto has made.
    urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    yield f"http://{host}:{port}"
    server.stop()


class Played(list[tuple[Any, ...]]):
    """The calls that the clusters and their nodes got."""


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    calls = Played()
    clusters, nodes = SimpleNamespace(ClusterError=RuntimeError), SimpleNamespace()

    def start(name: str, region: str) -> SimpleNamespace:
        calls.append(("start", name, region))
        return SimpleNamespace(endpoint="https://127.0.0.1:6443", ca_data="Q0E=")

    clusters.start = start
    clusters.stop = lambda name: calls.append(("stop", name))
    nodes.add_nodes = lambda *args: calls.append(("add", *args))
    nodes.remove_nodes = lambda *args: calls.append(("remove", *args))
    nodes.join_nodes = lambda *args: calls.append(("join", *args))
    nodes.leave = lambda *args: calls.append(("leave", *args))
    with pytest.MonkeyPatch.context() as patch:
        for name, module in (("clusters", clusters), ("nodes", nodes)):
            patch.setitem(sys.modules, f"localcloud.kubernetes.{name}", module)
            patch.setattr(localcloud.kubernetes, name, module, raising=False)
        yield calls


@pytest.fixture(scope="module")
def world(endpoint: str, played: Played, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ENDPOINT, endpoint)
        patch.setenv("INDIA_AI_INFRA_RUN", str(tmp_path_factory.mktemp("run")))
        yield World()


@pytest.fixture(scope="module")
def census_before(world: World) -> dict[str, Any]:
    return census()


@pytest.fixture(scope="module")
def full(world: World, census_before: dict[str, Any]) -> World:
    """A world with one of everything."""
    for token, name, inputs, _ in STEPS:
        world.make(token, name, inputs)
    return world


def names(steps: list[Step]) -> list[str]:
    return [step[1] for step in steps]


def census() -> dict[str, Any]:
    """What is left in moto, by kind. (It never deletes the default network ACL of a VPC, which AWS does.)"""
    api = Api()
    listings = {
        "ec2": [
            "DescribeVpcs Vpcs VpcId",
            "DescribeSubnets Subnets SubnetId",
            "DescribeSecurityGroups SecurityGroups GroupId",
            "DescribeSecurityGroupRules SecurityGroupRules SecurityGroupRuleId",
            "DescribeRouteTables RouteTables RouteTableId",
            "DescribeInternetGateways InternetGateways InternetGatewayId",
            "DescribeAddresses Addresses AllocationId",
            "DescribeNetworkInterfaces NetworkInterfaces NetworkInterfaceId",
            "DescribeLaunchTemplates LaunchTemplates LaunchTemplateId",
            "DescribeFlowLogs FlowLogs FlowLogId",
        ],
        "s3": ["ListBuckets Buckets Name"],
        "iam": ["ListRoles Roles RoleName", "ListInstanceProfiles InstanceProfiles InstanceProfileName"],
        "kms": ["ListAliases Aliases AliasName"],
        "eks": ["ListClusters clusters "],
        "logs": ["DescribeLogGroups logGroups logGroupName"],
        "events": ["ListRules Rules Name"],
        "sqs": ["ListQueues QueueUrls "],
        "sns": ["ListTopics Topics TopicArn", "ListSubscriptions Subscriptions SubscriptionArn"],
        "cloudtrail": ["ListTrails Trails Name"],
        "guardduty": ["ListDetectors DetectorIds "],
        "secretsmanager": ["ListSecrets SecretList Name"],
        "ssm": ["DescribeParameters Parameters Name"],
        "rds": [
            "DescribeDBInstances DBInstances DBInstanceIdentifier",
            "DescribeDBSubnetGroups DBSubnetGroups DBSubnetGroupName",
            "DescribeDBParameterGroups DBParameterGroups DBParameterGroupName",
        ],
    }
    found: dict[str, Any] = {}
    for service, lists in listings.items():
        for listing in lists:
            operation, member, key = listing.split(" ")
            answer = api.call(service, REGION, operation, {}).get(member) or []
            # moto keeps the default ACL of a VPC that has gone, and the interface of a NAT gateway in it.
            if operation in ("DescribeNetworkAcls", "DescribeNetworkInterfaces"):
                answer = [entry for entry in answer if entry["VpcId"] in found["DescribeVpcs"]]
            found[operation] = sorted(entry[key] if key else entry for entry in answer)
    local = api.call("iam", REGION, "ListPolicies", {"Scope": "Local"}).get("Policies", [])
    return {**found, "ListPolicies": [policy["PolicyName"] for policy in local]}


def test_every_row_has_a_scenario() -> None:
    assert {step[0] for step in STEPS} == set(aws_table.tokens())


@pytest.mark.parametrize("name", names(STEPS))
def test_a_refresh_right_after_changes_nothing(full: World, name: str) -> None:
    found = full.refresh(name)
    assert found is not None
    made = full.made[name]
    assert found[0] == made.inputs
    assert found[1] == made.outputs
    assert full.aws.check(made.resource, made.inputs, own(made.inputs)) == made.inputs
    assert full.aws.diff(made.resource, made.inputs, made.outputs, made.inputs).changed == []


@pytest.mark.parametrize("name", names([step for step in STEPS if step[3] is not None]))
def test_a_change_in_place_is_seen_by_the_next_refresh(full: World, name: str) -> None:
    change = next(step[3] for step in STEPS if step[1] == name)
    full.change(name, change)
    made = full.made[name]
    found = full.refresh(name)
    assert found is not None
    assert found[0] == made.inputs
    assert found[1] == made.outputs


def test_functions_about_a_vpc_that_exists(full: World) -> None:
    def ask(function: str, **args: Any) -> Values:
        return full.aws.invoke(f"aws:ec2/{function}:{function}", args)

    vpc, subnet = full.made["vpc"], full.made["subnet"]
    assert vpc.id in ask("getVpcs")["ids"]
    about_it = ask("getVpc", id=vpc.id)
    assert about_it["cidrBlock"] == "10.0.0.0/16"
    assert "10.0.0.0/16" in [block["cidrBlock"] for block in about_it["cidrBlockAssociations"]]
    assert about_it["enableDnsSupport"] is True
    assert isinstance(about_it["enableDnsHostnames"], bool)
    assert subnet.id in ask("getSubnets", filters=[{"name": "vpc-id", "values": [vpc.id]}])["ids"]
    found = ask("getSubnet", id=subnet.id)
    assert found["vpcId"] == vpc.id
    assert found["availabilityZoneId"].startswith("aps1-az")
    assert found["availableIpAddressCount"] > 0
    assert found["tags"].items() >= DEFAULT_TAGS.items()
    main = [{"name": "association.main", "values": ["true"]}]
    (table,) = ask("getRouteTables", vpcId=vpc.id, filters=main)["ids"]
    routes = ask("getRouteTable", routeTableId=table)["routes"]
    assert [route["gatewayId"] for route in routes if route["cidrBlock"] == "10.0.0.0/16"] == ["local"]


def test_outputs_that_programs_use(full: World) -> None:
    made = full.made
    vpc, key, cluster = made["vpc"].outputs, made["key"].outputs, made["cluster"].outputs
    assert vpc["defaultSecurityGroupId"] == made["closed"].id
    assert vpc["defaultRouteTableId"].startswith("rtb-")
    assert vpc["tagsAll"] == {**DEFAULT_TAGS, "Name": "new"}
    assert key["keyId"] == made["key"].id
    assert key["arn"].endswith(key["keyId"])
    assert made["alias"].outputs["targetKeyArn"] == key["arn"]
    assert made["raw"].outputs["bucketRegionalDomainName"] == f"raw-of-a-team.s3.{REGION}.amazonaws.com"
    assert cluster["endpoint"] == "https://127.0.0.1:6443"
    assert cluster["certificateAuthority"] == {"data": "Q0E="}
    assert cluster["vpcConfig"]["clusterSecurityGroupId"].startswith("sg-")
    assert cluster["identities"][0]["oidcs"][0]["issuer"].startswith("https://")
    assert made["template"].outputs["latestVersion"] == made["template"].outputs["defaultVersion"] == 2
    assert made["subnet"].outputs["availabilityZone"].startswith(REGION)
    assert re.fullmatch(r"audit-[0-9a-f]{7}", made["audit"].id)
    assert made["audit"].outputs["region"] == REGION


def test_a_changed_notification_of_a_budget_takes_the_old_ones_place(full: World) -> None:
    account = full.made["spend"].outputs["accountId"]
    asked = {"AccountId": account, "BudgetName": "stack"}
    answer = full.aws._calls.api.call("budgets", REGION, "DescribeNotificationsForBudget", asked)
    kinds = [(one["NotificationType"], one["Threshold"]) for one in answer["Notifications"]]
    assert kinds == [("FORECASTED", 100.0)]


def test_a_cluster_and_its_nodes_are_played(full: World, played: Played) -> None:
    assert ("start", "mumbai", REGION) in played
    group = full.made["train"].inputs["nodeGroupName"]
    added = [call for call in played if call[0] == "add"]
    assert [(call[3:7]) for call in added[:2]] == [
        (REGION, "p5.48xlarge", f"{REGION}b", 2),
        (REGION, "p5.48xlarge", f"{REGION}c", 1),
    ] or len({call[5] for call in added[:2]}) == 2
    assert sum(call[6] for call in added[:2]) == 3
    _, cluster, name, region, machine_type, _, _, capacity, labels, taints = added[0]
    assert (cluster, name, region, machine_type, capacity) == ("mumbai", group, REGION, "p5.48xlarge", "spot")
    assert labels[EKS_NODE_GROUP] == group
    assert labels["india-ai-infra/pool"] == "train"
    assert taints[0]["key"] == "nvidia.com/gpu"
    assert added[-1][6] == 1, "the change to one node"


def test_drift_shows_in_the_inputs(full: World) -> None:
    vpc = full.made["vpc"]
    api = full.aws._calls.api
    api.call("ec2", REGION, "ModifyVpcAttribute", {"VpcId": vpc.id, "EnableDnsSupport": {"Value": False}})
    api.call("ec2", REGION, "CreateTags", {"Resources": [vpc.id], "Tags": [{"Key": "by", "Value": "hand"}]})
    found = full.refresh("vpc")
    assert found is not None
    assert found[0]["enableDnsSupport"] is False
    assert found[0]["tags"]["by"] == "hand"
    diff = full.aws.diff(vpc.resource, found[0], found[1], vpc.inputs)
    assert diff.changed == ["enableDnsSupport", "tags"]
    full.aws.update(vpc.resource, found[0], found[1], vpc.inputs)
    again = full.refresh("vpc")
    assert again is not None
    assert again[0] == vpc.inputs


@pytest.mark.parametrize(
    "name", ["runtime", "cni", "to-queue", "secret", "trail", "flow", "lifecycle", "https"]
)
def test_what_was_deleted_behind_our_back_is_gone_and_can_be_deleted_again(full: World, name: str) -> None:
    made = full.made[name]
    step = next(step for step in STEPS if step[1] == name)
    full.aws.delete(made.resource, made.inputs, made.outputs)
    assert full.refresh(name) is None
    full.aws.delete(made.resource, made.inputs, made.outputs)
    full.make(step[0], name, step[2])


def test_a_real_destroy_leaves_nothing(full: World, played: Played, census_before: dict[str, Any]) -> None:
    api = full.aws._calls.api
    for _ in range(2):  # versions of an object, in a bucket that is to be destroyed with what is in it
        api.call("s3", REGION, "PutObject", {"Bucket": full.made["audit"].id, "Key": "trail/1", "Body": b"x"})
    key = full.made["key"].id
    for name in reversed(names(STEPS)):
        full.remove(name)
    assert census() == census_before
    state = api.call("kms", REGION, "DescribeKey", {"KeyId": key})["KeyMetadata"]["KeyState"]
    assert state == "PendingDeletion"
    assert ("stop", "mumbai") in played


def test_a_preview_validates_what_is_known_and_leaves_the_rest(world: World) -> None:
    subnet = about("aws:ec2/subnet:Subnet", "a", preview=True)
    checked = world.aws.check(subnet, {}, {"vpcId": UNKNOWN, "cidrBlock": "10.0.0.0/24"})
    resource_id, outputs = world.aws.create(subnet, checked)
    assert resource_id == ""
    assert outputs["arn"] is UNKNOWN
    assert outputs["availabilityZone"] is UNKNOWN
    assert outputs["cidrBlock"] == "10.0.0.0/24"
    assert outputs["tagsAll"] == DEFAULT_TAGS


def test_a_preview_of_a_cluster_knows_its_configuration_but_not_its_security_group(world: World) -> None:
    cluster = about("aws:eks/cluster:Cluster", "a", preview=True)
    config = {"subnetIds": UNKNOWN, "endpointPrivateAccess": True}
    checked = world.aws.check(cluster, {}, {"roleArn": UNKNOWN, "vpcConfig": config, "version": "1.34"})
    outputs = world.aws.create(cluster, checked)[1]
    assert outputs["vpcConfig"] == {**config, "clusterSecurityGroupId": UNKNOWN, "vpcId": UNKNOWN}
    assert outputs["endpoint"] is UNKNOWN


@pytest.mark.parametrize(
    ("token", "inputs", "path", "words"),
    [
        ("aws:ec2/vpc:Vpc", {"cidrBlok": "10.0.0.0/16"}, "cidrBlok", "would lose this"),
        ("aws:ec2/vpc:Vpc", {"cidrBlock": 5}, "", "Invalid type for parameter CidrBlock"),
        (
            "aws:ec2/subnet:Subnet",
            {"cidrBlock": "10.0.0.0/24"},
            "",
            'Missing required parameter in input: "VpcId"',
        ),
        (
            "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
            {"bucket": "b", "rules": [{"status": "Enabled", "expiration": {"dais": 3}}]},
            "rules[0].expiration.dais",
            "did you mean Days?",
        ),
        (
            "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
            {"bucket": "b", "rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kmss"}}]},
            "rules[0].applyServerSideEncryptionByDefault.sseAlgorithm",
            "did you mean aws:kms",
        ),
        (
            "aws:eks/addon:Addon",
            {"addonName": "vpc-cni"},
            "",
            'Missing required parameter in input: "clusterName"',
        ),
        ("aws:ec2/routeTable:RouteTable", {"vpcId": "vpc-1", "routes": [{}]}, "routes", "complete the row"),
    ],
)
def test_a_wrong_input_fails_the_preview(
    world: World, token: str, inputs: Values, path: str, words: str
) -> None:
    with pytest.raises(InvalidInputsError) as invalid:
        world.aws.check(about(token, "wrong", preview=True), {}, inputs)
    assert any(found == path and words in reason for found, reason in invalid.value.failures), invalid.value


def test_every_mistake_is_told_at_once(world: World) -> None:
    with pytest.raises(InvalidInputsError) as invalid:
        world.aws.check(about("aws:ec2/subnet:Subnet", "a"), {}, {"colour": "red", "size": 3})
    assert {path for path, _ in invalid.value.failures} == {"colour", "size", ""}


def test_an_unknown_type_names_the_table(world: World) -> None:
    with pytest.raises(ResourceError, match=r"aws:ec2/fleet:Fleet .*providers/aws/types\.yaml"):
        world.aws.check(about("aws:ec2/fleet:Fleet", "a"), {}, {})


def test_a_refusal_says_of_what_and_why(world: World) -> None:
    with pytest.raises(ResourceError) as failed:
        world.make("aws:ec2/subnet:Subnet", "lost", {"vpcId": "vpc-0", "cidrBlock": "10.0.0.0/24"})
    assert str(failed.value).startswith(
        "aws:ec2/subnet:Subnet lost: CreateSubnet was refused: InvalidVpcID.NotFound"
    )


def test_what_is_kept_needs_its_cluster(world: World) -> None:
    with pytest.raises(ResourceError, match="DescribeCluster was refused: ResourceNotFoundException"):
        world.make("aws:eks/addon:Addon", "lost", {"clusterName": "nowhere", "addonName": "coredns"})


def test_a_half_made_resource_is_taken_back(world: World) -> None:
    before = census()
    with pytest.raises(ResourceError, match="AttachInternetGateway was refused"):
        world.make("aws:ec2/internetGateway:InternetGateway", "half", {"vpcId": "vpc-0"})
    assert census() == before


def test_a_bucket_with_objects_of_pods_goes_only_by_force(world: World, endpoint: str) -> None:
    api, beside = Api(), {"Bucket": "of-pods.objects"}
    made = world.make("aws:s3/bucket:Bucket", "of-pods", {"bucket": "of-pods"})
    api.call(
        "s3", REGION, "CreateBucket", {**beside, "CreateBucketConfiguration": {"LocationConstraint": REGION}}
    )
    api.call("s3", REGION, "PutObject", {**beside, "Key": "weights", "Body": b"1"})
    with pytest.raises(ResourceError, match="BucketNotEmpty: of-pods has objects of pods"):
        world.aws.delete(made.resource, made.inputs, made.outputs)
    world.change("of-pods", {"forceDestroy": True})
    world.remove("of-pods")
    with pytest.raises(RefusedError) as refused:
        api.call("s3", REGION, "ListObjectsV2", beside)
    assert refused.value.gone


def test_a_change_that_no_call_can_make_replaces(world: World) -> None:
    aws, vpc = world.aws, about("aws:ec2/vpc:Vpc", "a", "vpc-1")
    diff = aws.diff(vpc, {"cidrBlock": "10.0.0.0/16"}, {}, {"cidrBlock": "10.1.0.0/16"})
    assert (diff.changed, diff.replaces, diff.delete_first) == (["cidrBlock"], ["cidrBlock"], False)
    role = about("aws:iam/role:Role", "a", "r")
    assert aws.diff(role, {"name": "r", "path": "/a/"}, {}, {"name": "r", "path": "/b/"}).delete_first
    moved = aws.diff(vpc, {}, {"region": "ap-south-2"}, {})
    assert moved.replaces == ["region"]


def test_names_are_filled_once_and_stay(world: World) -> None:
    role = about("aws:iam/role:Role", "Loader")
    first = world.aws.check(role, {}, {"assumeRolePolicy": TRUST})
    assert re.fullmatch(r"Loader-[0-9a-f]{7}", first["name"])
    assert first["__defaults"] == ["name"]
    again = world.aws.check(role, first, {"assumeRolePolicy": TRUST, "description": "new"})
    assert again["name"] == first["name"]
    assert world.aws.check(role, {}, {"assumeRolePolicy": TRUST})["name"] != first["name"]
    prefixed = world.aws.check(about("aws:s3/bucket:Bucket", "X"), {}, {"bucketPrefix": "raw-"})
    assert re.fullmatch(r"raw-[0-9a-f]{7}", prefixed["bucket"])


def test_a_preview_without_changes_asks_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    vpc = about("aws:ec2/vpc:Vpc", "a", "vpc-1")
    inputs = world.aws.check(vpc, {}, {"cidrBlock": "10.0.0.0/16"})
    fresh = Aws()
    fresh.configure({"region": REGION, "defaultTags": {"tags": DEFAULT_TAGS}})
    monkeypatch.setattr(Api, "__init__", lambda self: pytest.fail("a no-change preview needs no API"))
    assert fresh.check(vpc, inputs, {"cidrBlock": "10.0.0.0/16"}) == inputs
    assert fresh.diff(vpc, inputs, {"region": REGION}, inputs).changed == []


def test_an_addon_has_the_default_of_its_kubernetes_version(world: World) -> None:
    def version(**asked: Any) -> str:
        return world.aws.invoke("aws:eks/getAddonVersion:getAddonVersion", asked)["version"]

    assert version(addonName="kube-proxy", kubernetesVersion="1.34") == "v1.34.6-eksbuild.21"
    assert version(addonName="kube-proxy", kubernetesVersion="1.35") == "v1.35.3-eksbuild.21"
    assert version(addonName="coredns", kubernetesVersion="1.35", mostRecent=True) == "v1.13.2-eksbuild.21"
    with pytest.raises(ResourceError, match="empty result"):
        version(addonName="coredns", kubernetesVersion="1.20")


def test_an_endpoint_service_tells_its_zones(world: World) -> None:
    def found(service: str) -> Values:
        return world.aws.invoke("aws:ec2/getVpcEndpointService:getVpcEndpointService", {"service": service})

    assert found("ecr.api")["availabilityZones"] == ["ap-south-1a", "ap-south-1b", "ap-south-1c"]
    assert found("ecr.api")["serviceName"] == "com.amazonaws.ap-south-1.ecr.api"
    with pytest.raises(ResourceError, match=UNKNOWN_SERVICE):
        found("ecr.apy")


def test_functions(world: World) -> None:
    zones = world.aws.invoke(
        "aws:index/getAvailabilityZones:getAvailabilityZones",
        {"filters": [{"name": "zone-id", "values": ["aps1-az1", "aps1-az3"]}]},
    )
    assert sorted(zones["zoneIds"]) == ["aps1-az1", "aps1-az3"]
    assert zones["names"] == sorted(zones["names"])
    assert world.aws.invoke("aws:index/getCallerIdentity:getCallerIdentity", {})["accountId"].isdigit()
    assert world.aws.invoke("aws:index/getRegion:getRegion", {})["name"] == REGION
    image = {"name": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"}
    assert world.aws.invoke("aws:ssm/getParameter:getParameter", image)["value"].startswith("ami-")
    assert world.aws.invoke("aws:index/getPartition:getPartition", {})["partition"] == "aws"
    with pytest.raises(ResourceError, match=r"providers/aws/types\.yaml"):
        world.aws.invoke("aws:ec2/getAmi:getAmi", {})


def test_the_caller_is_the_deployers_role(world: World, endpoint: str) -> None:
    deployer.make(endpoint)
    session = world.aws.invoke("aws:index/getCallerIdentity:getCallerIdentity", {})
    assert (
        session["arn"] == f"arn:aws:sts::{deployer.ACCOUNT}:assumed-role/{deployer.ROLE}/{deployer.SESSION}"
    )
    about_it = world.aws.invoke("aws:iam/getSessionContext:getSessionContext", {"arn": session["arn"]})
    assert about_it["issuerArn"] == deployer.arn()
    assert about_it["sessionName"] == deployer.SESSION
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(deployer.VARIABLE, "people/admin")
        other = Aws()
        other.configure({"region": REGION})
        session = other.invoke("aws:index/getCallerIdentity:getCallerIdentity", {})
        context = other.invoke("aws:iam/getSessionContext:getSessionContext", {"arn": session["arn"]})
        assert context["issuerArn"] == f"arn:aws:iam::{deployer.ACCOUNT}:role/people/admin"
    user = f"arn:aws:iam::{deployer.ACCOUNT}:user/asha"
    assert world.aws.invoke("aws:iam/getSessionContext:getSessionContext", {"arn": user})["issuerArn"] == user


def test_without_a_cloud_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENDPOINT, raising=False)
    with pytest.raises(RefusedError, match="make env"):
        Api().call("sts", REGION, "GetCallerIdentity", {})


# moto has the operation, but not for what the row uses it for.
PARTLY = {
    ("ec2", "ModifySubnetAttribute"),
    ("ec2", "CreateTags"),
    ("ec2", "DeleteTags"),
    ("ec2", "ModifyVpcEndpoint"),
    ("eks", "TagResource"),
    ("eks", "UntagResource"),
    ("eks", "UpdateClusterConfig"),
    ("eks", "UpdateNodegroupConfig"),
    ("guardduty", "UpdateDetector"),
    ("rds", "ModifyDBSubnetGroup"),
}


def test_what_is_kept_is_what_moto_has_not() -> None:
    assert set(kept_types()) >= {"aws:eks/addon:Addon", "aws:ec2/placementGroup:PlacementGroup"}
    calls = [call for token in aws_table.tokens() for call in aws_table.row(token).calls if call.kept]
    for service, operation in {(call.service, call.operation) for call in calls} - PARTLY:
        assert xform_name(operation) not in implemented(service), f"moto has {operation} now: don't keep it"


def implemented(service: str) -> set[str]:
    if importlib.util.find_spec(f"moto.{service}") is None:
        return set()
    classes = vars(importlib.import_module(f"moto.{service}.responses")).values()
    return {n for c in classes if isinstance(c, type) and issubclass(c, BaseResponse) for n in dir(c)}


SDK = Path(importlib.util.find_spec("pulumi_aws").origin).parent  # type: ignore[union-attr, arg-type]


@pytest.mark.parametrize("token", aws_table.tokens())
def test_rows_name_what_the_sdk_and_botocore_have(token: str) -> None:
    found, api = aws_table.row(token), Api()
    for call in found.calls:
        assert api.model(call.service, call.operation)
    inputs, outputs = sdk(token)
    assert found.mentioned <= inputs
    assert found.local <= inputs
    assert {name.split(".")[0] for name in found.names} <= inputs | {"tags"}
    assert set(found.observe) <= inputs
    assert {name for call in (*found.set, *found.update) for name in call.on} - {"*"} <= inputs
    assert set(found.outputs) <= inputs | outputs
    assert found.taggable == ("tags" in inputs)


def sdk(token: str) -> tuple[set[str], set[str]]:
    """The inputs and outputs of a type, from the source of pulumi_aws: importing its modules takes seconds."""
    _, path, name = token.split(":")
    file = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", path.split("/")[1]).lower()
    source = (SDK / path.split("/")[0] / f"{file}.py").read_text()
    assert f"'{token}'" in source
    getter = re.compile(r'@pulumi\.getter(?:\(name="(\w+)"\))?\n    def (\w+)\(self\)')
    arguments, state = (
        source.split(f"\nclass _{name}State")[0],
        source[source.rindex("def get(resource_name") :],
    )
    found = [{renamed or plain for renamed, plain in getter.findall(part)} for part in (arguments, state)]
    return found[0], found[1]
