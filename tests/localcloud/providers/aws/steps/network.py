"""A key, and a network with its gateways, rules, endpoints and machines."""

from __future__ import annotations

from tests.localcloud.providers.aws.world import REGION, Step, allow

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
]
