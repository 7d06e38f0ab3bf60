"""RES-20 on what it has never seen: policies in any property, grants that are no documents, whose the stack is."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.framework.resources import Resource
from policies.pack import CONTROLS
from policies.readers.grants import of_types, rows
from policies.readers.principals import Grant, documents
from policies.readers.principals import grants as read_grants
from policies.readers.tables import table
from tests.examples import examples
from tests.policies import provider_blocks
from tests.policies.harness import UNKNOWN, Shown, failures, put, run, unresolved

OWN, OTHER, ELB_MUMBAI, ELB_VIRGINIA = "111122223333", "444455556666", "718504428378", "127311923021"
ROOT, STRANGER = f"arn:aws:iam::{OWN}:root", f"arn:aws:iam::{OTHER}:root"
PROOF = Shown("aws:sqs/queue:Queue", {}, "proof", outputs={"arn": f"arn:aws:sqs:ap-south-1:{OWN}:q"})


def allow(principal: Any, action: Any = "s:Do", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*", **more}


def policy(*statements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def aws(principal: Any, **more: Any) -> str:
    return policy(allow({"AWS": principal}, **more))


def when(operator: str, **keys: Any) -> dict[str, Any]:
    return {operator: {key.replace("__", ":"): value for key, value in keys.items()}}


ANYBODY = aws("*")
LEAKS: dict[str, tuple[str, dict[str, Any]]] = {
    # Policies with principals, in types and properties that no table names.
    "msk": ("aws:msk/clusterPolicy:ClusterPolicy", {"policy": ANYBODY}),
    "oam sink": ("aws:oam/sinkPolicy:SinkPolicy", {"policy": ANYBODY}),
    "event bus": ("aws:cloudwatch/eventBusPolicy:EventBusPolicy", {"policy": aws(STRANGER)}),
    "tables": ("aws:s3tables/tablePolicy:TablePolicy", {"resourcePolicy": aws(STRANGER)}),
    "vectors": ("aws:s3/vectorsVectorBucketPolicy:VectorsVectorBucketPolicy", {"policy": aws(STRANGER)}),
    "lattice": ("aws:vpclattice/resourcePolicy:ResourcePolicy", {"policy": aws(OTHER)}),
    "ses": ("aws:ses/identityPolicy:IdentityPolicy", {"policy": ANYBODY}),
    "models": (
        "aws:sagemaker/modelPackageGroupPolicy:ModelPackageGroupPolicy",
        {"resourcePolicy": aws(STRANGER)},
    ),
    "artifacts": ("aws:codeartifact/domainPermissions:DomainPermissions", {"policyDocument": aws(STRANGER)}),
    "glacier": ("aws:glacier/vault:Vault", {"accessPolicy": ANYBODY}),
    "deliveries": (
        "aws:cloudwatch/logDeliveryDestinationPolicy:LogDeliveryDestinationPolicy",
        {"deliveryDestinationPolicy": aws(STRANGER)},
    ),
    "prometheus": ("aws:amp/resourcePolicy:ResourcePolicy", {"policyDocument": aws(STRANGER)}),
    "repositories to come": (
        "aws:ecr/repositoryCreationTemplate:RepositoryCreationTemplate",
        {"repositoryPolicy": ANYBODY},
    ),
    "agents": ("aws:bedrock/agentcoreResourcePolicy:AgentcoreResourcePolicy", {"policy": aws(STRANGER)}),
    "organisation": ("aws:organizations/resourcePolicy:ResourcePolicy", {"content": aws(STRANGER)}),
    "redshift": ("aws:redshift/resourcePolicy:ResourcePolicy", {"policy": ANYBODY}),
    "dsql": ("aws:dsql/clusterPolicy:ClusterPolicy", {"policy": ANYBODY}),
    "lambda": ("aws:lambda/resourcePolicy:ResourcePolicy", {"policy": aws(STRANGER)}),
    "an access point": ("aws:s3/accessPoint:AccessPoint", {"policy": aws(STRANGER)}),
    "a type of tomorrow": ("aws:never/seen:Before", {"settings": [{"whoMay": ANYBODY}]}),
    "a tree": ("aws:never/seen:Before", {"whoMay": {"Statement": [allow("*")]}}),
    "cloud control": (
        "aws-native:s3:BucketPolicy",
        {"bucket": "b", "policyDocument": json.loads(aws(STRANGER))},
    ),
    "cloud control, a topic": ("aws-native:sns:TopicPolicy", {"policyDocument": json.loads(ANYBODY)}),
    "a stack in a text": (
        "aws:cloudformation/stack:Stack",
        {
            "templateBody": json.dumps(
                {"Resources": {"P": {"Properties": {"PolicyDocument": json.loads(ANYBODY)}}}}
            )
        },
    ),
    "an operator's": ("kubernetes:sqs.services.k8s.aws/v1alpha1:Queue", {"spec": {"policy": ANYBODY}}),
    "crossplane": (
        "kubernetes:s3.aws.upbound.io/v1beta1:BucketPolicy",
        {"spec": {"forProvider": {"policy": aws(STRANGER)}}},
    ),
    # Everybody, however written.
    "all but one": (
        "aws:sqs/queuePolicy:QueuePolicy",
        {
            "policy": policy(
                {"Effect": "Allow", "NotPrincipal": {"AWS": ROOT}, "Action": "*", "Resource": "*"}
            )
        },
    ),
    "for ever negated": (
        "aws:sqs/queuePolicy:QueuePolicy",
        {"policy": aws("*", Condition=when("StringNotEquals", aws__PrincipalOrgID="o-1"))},
    ),
    "narrowed if there": (
        "aws:sqs/queuePolicy:QueuePolicy",
        {"policy": aws("*", Condition=when("StringEqualsIfExists", aws__PrincipalOrgID="o-1"))},
    ),
    "narrowed to a stranger": (
        "aws:sqs/queuePolicy:QueuePolicy",
        {"policy": aws("*", Condition=when("StringEquals", aws__PrincipalAccount=OTHER))},
    ),
    "narrowed to a stranger's role": (
        "aws:sqs/queuePolicy:QueuePolicy",
        {"policy": aws("*", Condition=when("ArnLike", aws__PrincipalArn=f"arn:aws:iam::{OTHER}:role/*"))},
    ),
    "a role of that name anywhere": (
        "aws:sqs/queuePolicy:QueuePolicy",
        {"policy": aws("*", Condition=when("ArnLike", aws__PrincipalArn="arn:aws:iam::*:role/etl"))},
    ),
    "every address": (
        "aws:sqs/queuePolicy:QueuePolicy",
        {"policy": aws("*", Condition=when("IpAddress", aws__SourceIp="0.0.0.0/1"))},
    ),
    "a function's address without a login": (
        "aws:lambda/resourcePolicy:ResourcePolicy",
        {"policy": aws("*", Condition=when("StringEquals", lambda__FunctionUrlAuthType="NONE"))},
    ),
    "a canonical user": (
        "aws:s3/bucketPolicy:BucketPolicy",
        {"policy": policy(allow({"CanonicalUser": "ab" * 32}))},
    ),
    "load balancers of Virginia": (
        "aws:s3/bucketPolicy:BucketPolicy",
        {"policy": aws(f"arn:aws:iam::{ELB_VIRGINIA}:root", action="s3:PutObject")},
    ),
    # Collections: lists of rules, no statements.
    "vectors, another account": (
        "aws:opensearch/serverlessAccessPolicy:ServerlessAccessPolicy",
        {
            "type": "data",
            "policy": json.dumps(
                [
                    {
                        "Rules": [{"ResourceType": "index", "Permission": ["aoss:ReadDocument"]}],
                        "Principal": [ROOT, STRANGER],
                    }
                ]
            ),
        },
    ),
    "vectors from anywhere": (
        "aws:opensearch/serverlessSecurityPolicy:ServerlessSecurityPolicy",
        {
            "type": "network",
            "policy": json.dumps(
                [
                    {
                        "Rules": [{"ResourceType": "collection", "Resource": ["collection/c"]}],
                        "AllowFromPublic": True,
                    }
                ]
            ),
        },
    ),
    # Grants that are no documents.
    "lake": ("aws:lakeformation/permissions:Permissions", {"principal": OTHER, "permissions": ["SELECT"]}),
    "lake, an organisation": (
        "aws:lakeformation/permissions:Permissions",
        {"principal": f"arn:aws:organizations::{OTHER}:organization/o-1", "permissions": ["SELECT"]},
    ),
    "lake, trusted owners": (
        "aws:lakeformation/dataLakeSettings:DataLakeSettings",
        {"trustedResourceOwners": [OTHER]},
    ),
    "lake, engines of anybody": (
        "aws:lakeformation/dataLakeSettings:DataLakeSettings",
        {"allowFullTableExternalDataAccess": True},
    ),
    "a data share": (
        "aws:redshift/dataShareAuthorization:DataShareAuthorization",
        {"consumerIdentifier": OTHER},
    ),
    "a warehouse's endpoint": (
        "aws:redshift/endpointAuthorization:EndpointAuthorization",
        {"account": OTHER, "clusterIdentifier": "c"},
    ),
    "a search domain's endpoint": (
        "aws:opensearch/authorizeVpcEndpointAccess:AuthorizeVpcEndpointAccess",
        {"account": OTHER},
    ),
    "a portfolio": (
        "aws:servicecatalog/portfolioShare:PortfolioShare",
        {"type": "ACCOUNT", "principalId": OTHER},
    ),
    "images": (
        "aws:imagebuilder/distributionConfiguration:DistributionConfiguration",
        {"distributions": [{"amiDistributionConfiguration": {"launchPermission": {"userIds": [OTHER]}}}]},
    ),
    "images for all": (
        "aws:imagebuilder/distributionConfiguration:DistributionConfiguration",
        {"distributions": [{"amiDistributionConfiguration": {"launchPermission": {"userGroups": ["all"]}}}]},
    ),
    "snapshots by plan": (
        "aws:dlm/lifecyclePolicy:LifecyclePolicy",
        {"policyDetails": {"schedules": [{"shareRule": {"targetAccounts": [OTHER]}}]}},
    ),
    "copies of snapshots": ("aws:rds/snapshotCopy:SnapshotCopy", {"sharedAccounts": ["all"]}),
    "runbooks": ("aws:ssm/document:Document", {"permissions": {"type": "Share", "accountIds": "All"}}),
    "a public registry": ("aws:ecrpublic/repository:Repository", {"repositoryName": "app"}),
    "a clean room": (
        "aws:cleanrooms/collaboration:Collaboration",
        {"members": [{"accountId": OTHER, "memberAbilities": ["CAN_QUERY"]}]},
    ),
    "a data set": (
        "aws:quicksight/dataSet:DataSet",
        {
            "permissions": [
                {
                    "principal": f"arn:aws:quicksight:ap-south-1:{OTHER}:user/default/a",
                    "actions": ["quicksight:DescribeDataSet"],
                }
            ]
        },
    ),
    "the lake of security": (
        "aws:securitylake/subscriber:Subscriber",
        {"subscriberIdentity": {"principal": OTHER, "externalId": "x"}},
    ),
    "objects by grant": (
        "aws:s3control/accessGrant:AccessGrant",
        {"grantee": {"granteeType": "IAM", "granteeIdentifier": STRANGER}},
    ),
    "a network interface": (
        "aws:ec2/networkInterfacePermission:NetworkInterfacePermission",
        {"awsAccountId": OTHER},
    ),
    "an access list": (
        "aws:s3/bucketAcl:BucketAcl",
        {
            "accessControlPolicy": {
                "owner": {"id": "a" * 64},
                "grants": [{"grantee": {"type": "CanonicalUser", "id": "b" * 64}, "permission": "READ"}],
            }
        },
    ),
    "Glue in a share": (
        "aws:ram/resourceShareAssociationsExclusive:ResourceShareAssociationsExclusive",
        {"principals": [OTHER]},
    ),
    "an endpoint service": ("aws:ec2/vpcEndpointService:VpcEndpointService", {"allowedPrincipals": ["*"]}),
    "transit for whoever shares": (
        "aws:ec2transitgateway/transitGateway:TransitGateway",
        {"autoAcceptSharedAttachments": "enable"},
    ),
    # Google.
    "a dataset for all who log in": (
        "gcp:bigquery/dataset:Dataset",
        {"accesses": [{"role": "READER", "specialGroup": "allAuthenticatedUsers"}]},
    ),
    "a dataset for all": (
        "gcp:bigquery/datasetAccess:DatasetAccess",
        {"role": "READER", "iamMember": "allUsers"},
    ),
    "rows": ("gcp:bigquery/rowAccessPolicy:RowAccessPolicy", {"grantees": ["allAuthenticatedUsers"]}),
    "objects by role": (
        "gcp:storage/bucketACL:BucketACL",
        {"roleEntities": ["READER:allUsers", "OWNER:user-a@example.in"]},
    ),
    "objects by entity": (
        "gcp:storage/bucketAccessControl:BucketAccessControl",
        {"entity": "allAuthenticatedUsers", "role": "READER"},
    ),
    "a secret by an operator": (
        "kubernetes:iam.cnrm.cloud.google.com/v1beta1:IAMPolicyMember",
        {"spec": {"member": "allUsers", "role": "roles/x"}},
    ),
    "a policy by an operator": (
        "kubernetes:iam.cnrm.cloud.google.com/v1beta1:IAMPolicy",
        {"spec": {"bindings": [{"role": "r", "members": ["allAuthenticatedUsers"]}]}},
    ),
    "native": ("google-native:storage/v1:BucketIamMember", {"name": "b", "member": "allUsers", "role": "r"}),
    "native, a policy": (
        "google-native:run/v1:ServiceIamPolicy",
        {"bindings": [{"role": "r", "members": ["allUsers"]}]},
    ),
    "a database": (
        "gcp:sql/databaseInstance:DatabaseInstance",
        {
            "project": "mine",
            "settings": {
                "ipConfiguration": {
                    "pscConfigs": [{"pscEnabled": True, "allowedConsumerProjects": ["theirs"]}]
                }
            },
        },
    ),
    "a service": (
        "gcp:compute/serviceAttachment:ServiceAttachment",
        {"project": "mine", "connectionPreference": "ACCEPT_AUTOMATIC"},
    ),
    "a service for a project": (
        "gcp:compute/serviceAttachment:ServiceAttachment",
        {
            "project": "mine",
            "connectionPreference": "ACCEPT_MANUAL",
            "consumerAcceptLists": [{"projectIdOrNum": "theirs", "connectionLimit": 1}],
        },
    ),
    "a perimeter open to all": (
        "gcp:accesscontextmanager/servicePerimeter:ServicePerimeter",
        {"status": {"egressPolicies": [{"egressTo": {"resources": ["*"]}}]}},
    ),
    "a listing for search": (
        "gcp:bigqueryanalyticshub/dataExchange:DataExchange",
        {"location": "asia-south1", "discoveryType": "DISCOVERY_TYPE_PUBLIC"},
    ),
    "projects of anybody": (
        "gcp:workstations/workstationCluster:WorkstationCluster",
        {"project": "mine", "privateClusterConfig": {"allowedProjects": ["theirs"]}},
    ),
}

CLEAN: dict[str, tuple[str, dict[str, Any]]] = {
    "own root": ("aws:msk/clusterPolicy:ClusterPolicy", {"policy": aws(ROOT)}),
    "a number": ("aws:vpclattice/resourcePolicy:ResourcePolicy", {"policy": aws(OWN)}),
    "a service": (
        "aws:oam/sinkPolicy:SinkPolicy",
        {"policy": policy(allow({"Service": "events.amazonaws.com"}))},
    ),
    "an organisation": (
        "aws:oam/sinkPolicy:SinkPolicy",
        {"policy": aws("*", Condition=when("StringEquals", aws__PrincipalOrgID="o-1"))},
    ),
    "paths of an organisation": (
        "aws:s3tables/tablePolicy:TablePolicy",
        {
            "resourcePolicy": aws(
                "*", Condition=when("ForAnyValue:StringLike", aws__PrincipalOrgPaths="o-1/r-1/ou-1/*")
            )
        },
    ),
    "a topic as it is made": (
        "aws:sns/topic:Topic",
        {"policy": aws("*", Condition=when("StringEquals", AWS__SourceOwner=OWN))},
    ),
    "a file system by its mounts": (
        "aws:efs/fileSystemPolicy:FileSystemPolicy",
        {"policy": aws("*", Condition=when("Bool", elasticfilesystem__AccessedViaMountTarget="true"))},
    ),
    "an office": (
        "aws:opensearch/domainPolicy:DomainPolicy",
        {
            "accessPolicies": aws(
                "*", Condition=when("IpAddress", aws__SourceIp=["203.0.113.0/24", "10.0.0.0/8"])
            )
        },
    ),
    "a private API": (
        "aws:apigateway/restApiPolicy:RestApiPolicy",
        {
            "policy": policy(
                allow("*", "execute-api:Invoke"),
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "execute-api:Invoke",
                    "Resource": "*",
                    "Condition": when("StringNotEquals", aws__SourceVpce="vpce-1"),
                },
            )
        },
    ),
    "a perimeter of data": (
        "aws:sqs/queuePolicy:QueuePolicy",
        {
            "policy": policy(
                allow("*", "sqs:SendMessage"),
                {
                    "Effect": "Deny",
                    "Principal": {"AWS": "*"},
                    "Action": "sqs:*",
                    "Resource": "*",
                    "Condition": {
                        "StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-1"},
                        "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
                    },
                },
            )
        },
    ),
    "load balancers of Mumbai": (
        "aws:s3/bucketPolicy:BucketPolicy",
        {"policy": aws(f"arn:aws:iam::{ELB_MUMBAI}:root", action="s3:PutObject")},
    ),
    "load balancers of Hyderabad": (
        "aws:s3/bucketPolicy:BucketPolicy",
        {"policy": policy(allow({"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}))},
    ),
    "logs of a warehouse": (
        "aws:s3/bucketPolicy:BucketPolicy",
        {"policy": aws("arn:aws:iam::865932855811:user/logs")},
    ),
    "bills": ("aws:s3/bucketPolicy:BucketPolicy", {"policy": aws("arn:aws:iam::386209384616:root")}),
    "a distribution": (
        "aws:s3/bucketPolicy:BucketPolicy",
        {"policy": aws("arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1")},
    ),
    "a guardrail of resources": (
        "aws:organizations/policy:Policy",
        {"type": "RESOURCE_CONTROL_POLICY", "content": policy(allow("*", "*"))},
    ),
    "an endpoint's policy": (
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        {"serviceName": "com.amazonaws.ap-south-1.s3", "policy": policy(allow("*", "*"))},
    ),
    "what an identity may": (
        "aws:iam/policy:Policy",
        {"policy": json.dumps({"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})},
    ),
    "what is denied": (
        "aws:never/seen:Before",
        {"policy": policy({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"})},
    ),
    "a login by GitHub": (
        "aws:iam/role:Role",
        {
            "assumeRolePolicy": policy(
                allow(
                    {"Federated": f"arn:aws:iam::{OWN}:oidc-provider/token.actions.githubusercontent.com"},
                    "sts:AssumeRoleWithWebIdentity",
                )
            )
        },
    ),
    "vectors, own": (
        "aws:opensearch/serverlessAccessPolicy:ServerlessAccessPolicy",
        {
            "type": "data",
            "policy": json.dumps(
                [{"Rules": [], "Principal": [f"arn:aws:iam::{OWN}:role/r", "saml/123456789012/idp/user/a"]}]
            ),
        },
    ),
    "vectors by an endpoint": (
        "aws:opensearch/serverlessSecurityPolicy:ServerlessSecurityPolicy",
        {
            "type": "network",
            "policy": json.dumps([{"Rules": [], "AllowFromPublic": False, "SourceVPCEs": ["vpce-1"]}]),
        },
    ),
    "lake, own": (
        "aws:lakeformation/permissions:Permissions",
        {"principal": f"arn:aws:iam::{OWN}:role/r", "permissions": ["SELECT"]},
    ),
    "a function by a gateway": (
        "aws:lambda/permission:Permission",
        {
            "principal": "apigateway.amazonaws.com",
            "action": "lambda:InvokeFunction",
            "sourceArn": f"arn:aws:execute-api:ap-south-1:{OWN}:a/*",
        },
    ),
    "a function for an organisation": (
        "aws:lambda/permission:Permission",
        {"principal": "*", "principalOrgId": "o-1", "action": "lambda:InvokeFunction"},
    ),
    "a layer for an organisation": (
        "aws:lambda/layerVersionPermission:LayerVersionPermission",
        {"principal": "*", "organizationId": "o-1"},
    ),
    "a bus for an organisation": (
        "aws:cloudwatch/eventPermission:EventPermission",
        {
            "principal": "*",
            "statementId": "s",
            "condition": {"key": "aws:PrincipalOrgID", "type": "StringEquals", "value": "o-1"},
        },
    ),
    "an access list of one's own": (
        "aws:s3/bucketAcl:BucketAcl",
        {
            "accessControlPolicy": {
                "owner": {"id": "a" * 64},
                "grants": [
                    {"grantee": {"type": "CanonicalUser", "id": "a" * 64}, "permission": "FULL_CONTROL"},
                    {
                        "grantee": {"type": "Group", "uri": "http://acs.amazonaws.com/groups/s3/LogDelivery"},
                        "permission": "WRITE",
                    },
                ],
            }
        },
    ),
    "a public registry's mirror": (
        "aws:ecr/pullThroughCacheRule:PullThroughCacheRule",
        {"ecrRepositoryPrefix": "p", "upstreamRegistryUrl": "public.ecr.aws"},
    ),
    "a dataset of one's people": (
        "gcp:bigquery/dataset:Dataset",
        {
            "accesses": [
                {"role": "READER", "specialGroup": "projectReaders"},
                {"role": "OWNER", "userByEmail": "a@example.in"},
            ]
        },
    ),
    "objects of one's project": (
        "gcp:storage/bucketACL:BucketACL",
        {"roleEntities": ["OWNER:project-owners-1"]},
    ),
    "a database of one's own": (
        "gcp:sql/databaseInstance:DatabaseInstance",
        {
            "project": "mine",
            "settings": {"ipConfiguration": {"pscConfigs": [{"allowedConsumerProjects": ["mine"]}]}},
        },
    ),
    "a condition for those who log in": (
        "gcp:accesscontextmanager/accessLevel:AccessLevel",
        {"basic": {"conditions": [{"members": ["user:a@example.in"]}]}},
    ),
    "a group of a role binding": (
        "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding",
        {"subjects": [{"kind": "Group", "name": "a"}]},
    ),
    "kafka's own list": (
        "gcp:managedkafka/acl:Acl",
        {"aclEntries": [{"principal": "User:*", "permissionType": "ALLOW"}]},
    ),
    "a transit of one's own": (
        "aws:ec2transitgateway/transitGateway:TransitGateway",
        {"autoAcceptSharedAttachments": "disable"},
    ),
    "prose": (
        "kubernetes:core/v1:ConfigMap",
        {"data": {"readme": "Statement: Principal * is never allowed"}},
    ),
}


def found(type_: str, props: dict[str, Any], *beside: Shown) -> list[str]:
    return failures(run(Shown(type_, props), *(beside or (PROOF,))), "DPDP-RES-20")


@pytest.mark.parametrize("case", LEAKS)
def test_what_is_shared_with_strangers(case: str) -> None:
    assert found(*LEAKS[case])


@pytest.mark.parametrize("case", CLEAN)
def test_what_is_shared_with_nobody_else(case: str) -> None:
    assert not found(*CLEAN[case])


# Whose the stack is

QUEUE = ("aws:sqs/queuePolicy:QueuePolicy", {"policy": aws(ROOT)})
OWNERS = {
    "an ARN of what is made": PROOF,
    "an ARN of any type": Shown(
        "aws:never/seen:Before", {}, "o", outputs={"arn": f"arn:aws:x:ap-south-1:{OWN}:y"}
    ),
    "a registry": Shown("aws:ecr/repository:Repository", {"name": "r"}, "o", outputs={"registryId": OWN}),
    "a provider's list": Shown(
        "pulumi:providers:aws", {"region": "ap-south-1", "allowedAccountIds": json.dumps([OWN])}, "o"
    ),
    "a provider's role": Shown(
        "pulumi:providers:aws",
        {
            "region": "ap-south-1",
            "assumeRoles": json.dumps(
                [
                    {"roleArn": f"arn:aws:iam::{OTHER}:role/hop"},
                    {"roleArn": f"arn:aws:iam::{OWN}:role/deploy"},
                ]
            ),
        },
        "o",
    ),
    "a key": Shown("aws:kms/key:Key", {"policy": aws(ROOT, Action="kms:*")}, "o"),
    "the role of a service": Shown(
        "aws:lambda/function:Function", {"role": f"arn:aws:iam::{OWN}:role/run"}, "o"
    ),
    "what a policy is put on": Shown(
        "aws:msk/clusterPolicy:ClusterPolicy",
        {"clusterArn": f"arn:aws:kafka:ap-south-1:{OWN}:cluster/c/1", "policy": aws(ROOT)},
        "o",
    ),
}


@pytest.mark.parametrize("proof", OWNERS)
def test_the_stack_shows_its_own_account(proof: str) -> None:
    assert not found(*QUEUE, OWNERS[proof])
    assert found("aws:sqs/queuePolicy:QueuePolicy", {"policy": aws(STRANGER)}, OWNERS[proof])


def test_what_is_given_shows_nothing() -> None:
    nothing = Shown("aws:s3/bucket:Bucket", {"bucket": "b"}, "o")
    share = Shown(
        "aws:ram/resourceShareAccepter:ResourceShareAccepter",
        {"shareArn": "a"},
        "o",
        outputs={"arn": f"arn:aws:ram:ap-south-1:{OWN}:share/s"},
    )
    given_arn = Shown("aws:never/seen:Before", {"arn": f"arn:aws:x:ap-south-1:{OWN}:y"}, "o")
    for beside in (nothing, share, given_arn):
        assert found(*QUEUE, beside)


def test_two_roles_of_two_accounts_tell_nothing() -> None:
    roles = [
        Shown("aws:lambda/function:Function", {"role": f"arn:aws:iam::{number}:role/run"}, number)
        for number in (OWN, OTHER)
    ]
    assert found(*QUEUE, *roles)


def test_declared_accounts_projects_and_users() -> None:
    (control,) = [one for one in CONTROLS if one.id == "DPDP-RES-20"]
    settings_ = {"indianAccounts": [OTHER, "ab" * 32], "indianProjects": ["theirs"]}
    config = dict.fromkeys((control.policy_name, f"{control.policy_name}-stack"), settings_)
    for case in (
        "lake",
        "lattice",
        "narrowed to a stranger",
        "a canonical user",
        "a database",
        "a service for a project",
    ):
        assert not failures(run(Shown(*LEAKS[case]), PROOF, config=config), "DPDP-RES-20"), case


def test_members_of_other_domains() -> None:
    (control,) = [one for one in CONTROLS if one.id == "DPDP-RES-20"]
    config = {control.policy_name: {"ownDomains": ["example.in"]}}
    for type_, props in (
        ("gcp:bigquery/dataset:Dataset", {"accesses": [{"role": "READER", "domain": "elsewhere.example"}]}),
        ("gcp:bigquery/datasetAccess:DatasetAccess", {"userByEmail": "a@elsewhere.example"}),
        ("gcp:storage/bucketAccessControl:BucketAccessControl", {"entity": "user-a@elsewhere.example"}),
    ):
        assert failures(run(Shown(type_, props), config=config), "DPDP-RES-20")
        assert not failures(run(Shown(type_, props)), "DPDP-RES-20")


# The table


ROWS = [
    row
    for type_ in of_types("policy", "account", "value", "project")
    for row in rows(type_)
    if row.reads in ("policy", "account", "value", "project") and not row.is_anywhere
]


@pytest.mark.slow
def test_a_property_of_the_table_that_is_unknown_is_no_pass() -> None:
    for row in ROWS:
        names = row.path.split(".")
        for depth in range(1, len(names) + 1):
            shown = Shown(row.type, put({}, names[:depth], UNKNOWN))
            assert unresolved(run(shown), "DPDP-RES-20"), (row.type, names[:depth])


@pytest.mark.slow
def test_the_table_is_dated_sourced_and_of_the_sdks() -> None:
    known: dict[str, set[str]] = {}
    for package in ("pulumi_aws", "pulumi_gcp"):
        for type_, path, _ in provider_blocks.paths(package):
            known.setdefault(type_, set()).add(".".join(path))
    assert len(known) > 2000, "the SDKs were not read"
    for row in table("grants.csv"):
        assert row["as_of"].startswith("20")
        assert row["source"]
        assert row["why"]
        assert row["type"] in known or row["property"].startswith("**.")
        assert row["property"].startswith("**.") or _is_known(row["property"], known[row["type"]]), row
    for row in table("service_accounts.csv"):
        assert row["as_of"].startswith("20")
        assert row["source"]


def _is_known(path: str, paths: set[str]) -> bool:
    """A mapping has no properties of its own in the SDK, and a policy may be given as a block."""
    return any(path == one or path.startswith(f"{one}.") or one.startswith(f"{path}.") for one in paths)


@pytest.mark.slow
def test_every_property_that_may_hold_a_policy_is_in_the_table() -> None:
    named = {
        "policy",
        "policyDocument",
        "resourcePolicy",
        "accessPolicy",
        "accessPolicies",
        "repositoryPolicy",
    }
    missing = {
        (type_, ".".join(path))
        for type_, path, annotation in provider_blocks.paths("pulumi_aws")
        if path[-1] in named and len(path) < 3 and "_builtins.str" in annotation
        if not any(row.path == ".".join(path) for row in rows(type_))
    }
    assert missing == set()


# Any nesting

PRINCIPAL = st.sampled_from(["*", STRANGER, OTHER, {"AWS": STRANGER}, {"AWS": ["*", ROOT]}, [STRANGER]])
WRAPPERS: tuple[Callable[[Any], Any], ...] = (
    lambda value: {"key": value},
    lambda value: [1, value],
    lambda value: {"a": [{"b": {"c": value}}], "d": None},
    json.dumps,
    lambda value: json.dumps({"Properties": {"PolicyDocument": value}}, indent=2),
    # A policy hidden in YAML by an encoding is not looked for.
    lambda value: (
        yaml.safe_dump({"Resources": {"P": value}}) if "Principal" in json.dumps(value) else [value]
    ),
    lambda value: base64.b64encode(json.dumps(value).encode()).decode(),
    lambda value: base64.b64encode(gzip.compress(json.dumps(value).encode())).decode(),
)


@settings(max_examples=examples(150), deadline=None)
@given(principal=PRINCIPAL, wrap=st.lists(st.sampled_from(WRAPPERS), max_size=3), many=st.booleans())
def test_a_policy_is_found_under_any_wrapping(
    principal: Any, wrap: list[Callable[[Any], Any]], many: bool
) -> None:
    statement = allow(principal)
    wrapped: Any = {"Statement": [statement] if many else statement}
    for one in wrap:
        wrapped = one(wrapped)
    read = read_grants(Resource("aws:never/seen:Before", "urn", {"some": {"where": wrapped}}))
    named = json.dumps(principal)
    assert [isinstance(one, Grant) and one.is_open for one in read] == ["*" in named]
    assert isinstance(read[0], Grant)
    assert read[0].path[:2] == ("some", "where")
    assert set(read[0].principals) == {
        one for one in ("*", STRANGER, OTHER, ROOT) if json.dumps(one) in named
    }


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from(["*", "Allow", ANYBODY, "{"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Statement",
                    "Effect",
                    "Principal",
                    "Rules",
                    "AWS",
                    "Condition",
                    "StringEquals",
                    "Action",
                    "x",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@settings(max_examples=examples(200), deadline=None)
@given(props=st.dictionaries(st.sampled_from(["policy", "principal", "content", "x"]), JSON, max_size=3))
def test_no_shape_breaks_the_reader(props: dict[str, Any]) -> None:
    read_grants(Resource("aws:sqs/queue:Queue", "urn", props))
    for type_ in (
        "aws:sqs/queue:Queue",
        "aws:lambda/permission:Permission",
        "gcp:storage/bucketACL:BucketACL",
    ):
        for diagnostic in run(Shown(type_, props)):
            assert "could not be evaluated" not in diagnostic.message


def test_large_and_deep_documents() -> None:
    many = policy(*[allow({"AWS": STRANGER})] * 5000)
    assert len(read_grants(Resource("t", "urn", {"policy": many}))) == 5000
    deep: Any = {"Statement": allow("*")}
    for _ in range(500):
        deep = {"k": [deep]}
    assert len(list(documents(deep))) == 1
    assert not list(
        documents({"a": "Principal" * 100_000, "b": "[" * 100_000, "c": '{"Principal":' * 20_000})
    )
