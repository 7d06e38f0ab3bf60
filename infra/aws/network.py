"""Network: a VPC over the region's zones, with private, public and intra subnets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws import iam, subnets
from infra.aws.endpoints import ENDPOINTS, Endpoints, EndpointsArgs, zones_of
from infra.aws.iam import Account
from infra.contracts.governance import DataGovernance
from infra.contracts.labels import DISCOVERY_TAG

ANYWHERE = "0.0.0.0/0"


@dataclass(frozen=True)
class NetworkArgs:
    """`zones` are zone IDs (`aps1-az1`), one to three. `logs_key_arn` encrypts the flow logs, kept `flow_log_days`.

    `nat_per_zone` and `endpoints_per_zone` pay for a NAT gateway, and for the interface endpoints, in every zone:
    without them the first zone's serve all, and its loss cuts the others off.
    """

    account: Account
    governance: DataGovernance
    cluster_name: str
    cidr: str
    zones: Sequence[str]
    logs_key_arn: pulumi.Input[str]
    flow_log_days: int = 365
    nat_per_zone: bool = False
    endpoints_per_zone: bool = False
    endpoints: Sequence[str] = ENDPOINTS


@dataclass(frozen=True)
class Zone:
    """The subnets of one zone."""

    private: aws.ec2.Subnet
    public: aws.ec2.Subnet
    intra: aws.ec2.Subnet


class Network(pulumi.ComponentResource):
    """A VPC: nodes in private subnets, load balancers in public ones, the control plane and endpoints in intra ones.

    Intra subnets have no way out but the endpoints. `private_subnet_ids`, `intra_subnet_ids` and `intra_cidrs` are in
    the order of the zones; `private_subnets` and `zone_names` (`ap-south-1a`) are by zone ID. `route_tables` are those
    of the nodes and of the control plane, by name. `https_cidrs` is what is reached over HTTPS without the internet:
    the VPC with its endpoints, and S3, whose gateway keeps public addresses.
    """

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:aws:Network", name, None, opts)
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        self.cidr = args.cidr
        plans = subnets.plan(args.cidr, len(args.zones))
        names = self._names_of_zones()

        self.vpc = aws.ec2.Vpc(
            name,
            cidr_block=args.cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,  # private DNS of the endpoints needs both
            tags={"Name": args.cluster_name},
            opts=self._child,
        )
        # AWS makes this group with every VPC and lets its members talk to each other; taken over, it allows nothing.
        aws.ec2.DefaultSecurityGroup(
            name, vpc_id=self.vpc.id, ingress=[], egress=[], tags={"Name": "closed"}, opts=self._child
        )
        self._zones = {
            zone: self._subnets(name, zone, plan) for zone, plan in zip(args.zones, plans, strict=True)
        }
        self.route_tables = self._routes(name)
        self.endpoints = self._endpoints(name, names, list(self.route_tables.values()))
        _flow_logs(name, args, self.vpc, self._child)

        self.vpc_id = self.vpc.id
        self.private_subnets = {zone: at.private.id for zone, at in self._zones.items()}
        self.private_subnet_ids = list(self.private_subnets.values())
        self.public_subnet_ids = [at.public.id for at in self._zones.values()]
        self.intra_subnet_ids = [at.intra.id for at in self._zones.values()]
        self.intra_cidrs = [plan.intra for plan in plans]
        self.zone_names = {zone: pulumi.Output.from_input(known) for zone, known in names.items()}
        self.https_cidrs = self.endpoints.s3.cidr_blocks.apply(lambda s3: [args.cidr, *(s3 or ())])
        self.register_outputs(
            {
                "vpcId": self.vpc_id,
                "privateSubnetIds": self.private_subnet_ids,
                "publicSubnetIds": self.public_subnet_ids,
                "intraSubnetIds": self.intra_subnet_ids,
                "zoneNames": self.zone_names,
            }
        )

    def _subnets(self, name: str, zone: str, plan: subnets.ZonePlan) -> Zone:
        discovery = {DISCOVERY_TAG: self._args.cluster_name}
        return Zone(
            private=self._subnet(
                f"{name}-private", zone, plan.private, {"kubernetes.io/role/internal-elb": "1"} | discovery
            ),
            public=self._subnet(f"{name}-public", zone, plan.public, {"kubernetes.io/role/elb": "1"}),
            intra=self._subnet(f"{name}-intra", zone, plan.intra, {}),
        )

    def _subnet(self, name: str, zone: str, cidr: str, tags: Mapping[str, str]) -> aws.ec2.Subnet:
        return aws.ec2.Subnet(
            f"{name}-{zone}",
            vpc_id=self.vpc.id,
            cidr_block=cidr,
            # IDs, not names: ap-south-1a is another building in another account.
            availability_zone_id=zone,
            map_public_ip_on_launch=False,
            tags={"Name": f"{self._args.cluster_name}-{name}-{zone}", **tags},
            opts=self._child,
        )

    def _routes(self, name: str) -> dict[str, pulumi.Output[str]]:
        """Route tables of the public, private and intra subnets; those of the nodes and the control plane."""
        internet = aws.ec2.InternetGateway(name, vpc_id=self.vpc.id, opts=self._child)
        public = self._route_table(f"{name}-public")
        to_internet = aws.ec2.Route(
            f"{name}-public",
            route_table_id=public.id,
            destination_cidr_block=ANYWHERE,
            gateway_id=internet.id,
            opts=self._child,
        )
        intra = self._route_table(f"{name}-intra")
        nats = self._nats(name, to_internet)
        served = {"intra": intra.id}
        for zone, at in self._zones.items():
            private = self._route_table(f"{name}-private-{zone}")
            aws.ec2.Route(
                f"{name}-private-{zone}",
                route_table_id=private.id,
                destination_cidr_block=ANYWHERE,
                nat_gateway_id=nats.get(zone, nats[self._args.zones[0]]).id,
                opts=self._child,
            )
            for kind, subnet, table in (
                ("private", at.private, private),
                ("public", at.public, public),
                ("intra", at.intra, intra),
            ):
                aws.ec2.RouteTableAssociation(
                    f"{name}-{kind}-{zone}", subnet_id=subnet.id, route_table_id=table.id, opts=self._child
                )
            served[f"private-{zone}"] = private.id
        return served

    def _route_table(self, name: str) -> aws.ec2.RouteTable:
        tags = {"Name": f"{self._args.cluster_name}-{name}"}
        return aws.ec2.RouteTable(name, vpc_id=self.vpc.id, tags=tags, opts=self._child)

    def _nats(self, name: str, to_internet: aws.ec2.Route) -> dict[str, aws.ec2.NatGateway]:
        """NAT gateways by zone: one, or one a zone."""
        zones = self._args.zones if self._args.nat_per_zone else self._args.zones[:1]
        # A NAT gateway without a route out fails to start, and its address can't be released before the route goes.
        after = pulumi.ResourceOptions(parent=self, depends_on=[to_internet])
        nats = {}
        for zone in zones:
            tags = {"Name": f"{self._args.cluster_name}-nat-{zone}"}
            address = aws.ec2.Eip(f"{name}-nat-{zone}", domain="vpc", tags=tags, opts=after)
            # An address is in one gateway at a time, and others may know it: the old gateway goes first.
            nats[zone] = aws.ec2.NatGateway(
                f"{name}-nat-{zone}",
                allocation_id=address.allocation_id,
                subnet_id=self._zones[zone].public.id,
                tags=tags,
                opts=pulumi.ResourceOptions.merge(after, pulumi.ResourceOptions(delete_before_replace=True)),
            )
        return nats

    def _endpoints(
        self, name: str, zone_names: Mapping[str, str], route_tables: Sequence[pulumi.Output[str]]
    ) -> Endpoints:
        args = self._args
        placed = zones_of(
            args.endpoints,
            zone_names,
            in_every_zone=args.endpoints_per_zone,
            region=args.account.region,
            opts=pulumi.InvokeOptions(parent=self),
        )
        return Endpoints(
            f"{name}-endpoints",
            EndpointsArgs(
                account=args.account,
                vpc_id=self.vpc.id,
                cidr=args.cidr,
                subnet_ids={
                    service: [self._zones[zone].intra.id for zone in zones]
                    for service, zones in placed.items()
                },
                route_table_ids=route_tables,
            ),
            opts=self._child,
        )

    def _names_of_zones(self) -> dict[str, str]:
        """Names by zone ID, asked of AWS so that a preview knows them before the subnets exist."""
        found = aws.get_availability_zones(
            filters=[{"name": "zone-id", "values": list(self._args.zones)}],
            opts=pulumi.InvokeOptions(parent=self),
        )
        known = dict(zip(found.zone_ids, found.names, strict=True))
        return {zone: _zone_name(known, zone) for zone in self._args.zones}


def _zone_name(names: Mapping[str, str], zone: str) -> str:
    if zone in names:
        return names[zone]
    raise LookupError(
        f"this account has no zone {zone}; it has {', '.join(sorted(names)) or 'none'} (is the region enabled?)"
    )


def _flow_logs(name: str, args: NetworkArgs, vpc: aws.ec2.Vpc, child: pulumi.ResourceOptions) -> None:
    """Who talked to whom, of all traffic, in an encrypted log group."""
    log_group = aws.cloudwatch.LogGroup(
        f"{name}-flow-logs",
        name=f"/aws/vpc/{args.cluster_name}/flow-logs",
        retention_in_days=args.flow_log_days,
        kms_key_id=args.logs_key_arn,
        tags=args.governance.tags(f"{args.cluster_name}-flow-logs", args.flow_log_days),
        opts=child,
    )
    role = aws.iam.Role(
        f"{name}-flow-logs",
        description="Lets VPC flow logs write to their log group",
        assume_role_policy=iam.trust(
            iam.service("vpc-flow-logs.amazonaws.com"),
            conditions={
                "StringEquals": {"aws:SourceAccount": args.account.id},
                "ArnLike": {"aws:SourceArn": args.account.arn("ec2", "vpc-flow-log/*")},
            },
        ),
        opts=child,
    )
    write = iam.statement(
        "WriteFlowLogs",
        ("logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"),
        [log_group.arn, pulumi.Output.concat(log_group.arn, ":*")],
    )
    # It is asked when a flow log is made, on all groups of the account.
    find = iam.statement("FindLogGroups", ("logs:DescribeLogGroups",))
    policy = aws.iam.RolePolicy(
        f"{name}-flow-logs", role=role.id, policy=iam.document(write, find), opts=child
    )
    aws.ec2.FlowLog(
        f"{name}-flow-logs",
        vpc_id=vpc.id,
        traffic_type="ALL",
        log_destination_type="cloud-watch-logs",
        log_destination=log_group.arn,
        iam_role_arn=role.arn,
        max_aggregation_interval=60,
        tags=args.governance.tags(f"{args.cluster_name}-flow-logs", args.flow_log_days),
        opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[policy])),
    )
