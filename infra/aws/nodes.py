"""What every node has, whoever starts it: a role, an encrypted disk, guarded metadata, and its pool's label."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws import iam

ROOT_DEVICE = "/dev/xvda"  # of AL2023 images
SYSTEM_DISK_GIB, GPU_DISK_GIB = 80, 200  # images of GPU programs are tens of GiB

# Nodes pull images and answer Session Manager. The network plug-in has a role of its own, by Pod Identity.
NODE_POLICIES = (
    "AmazonEKSWorkerNodePolicy",
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonSSMManagedInstanceCore",
)


def managed_policy(name: str) -> str:
    """The ARN of one of AWS's own policies."""
    return f"arn:aws:iam::aws:policy/{name}"


def started_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags of what EC2 starts from a launch template or for Karpenter. The provider's default tags reach the template
    only, and the stack's budget counts what carries its tag."""
    return {"project": pulumi.get_project(), "stack": pulumi.get_stack(), **tags}


@dataclass(frozen=True)
class NodeRole:
    """A role for EC2 nodes. Nodes wait for `attachments`, or they start without a right to join."""

    role: aws.iam.Role
    attachments: Sequence[pulumi.Resource]


def node_role(name: str, description: str, opts: pulumi.ResourceOptions) -> NodeRole:
    """A role with `NODE_POLICIES`, for EC2 to take."""
    role = aws.iam.Role(
        name,
        description=description,
        assume_role_policy=iam.trust(iam.service("ec2.amazonaws.com")),
        opts=opts,
    )
    attachments = [
        aws.iam.RolePolicyAttachment(
            f"{name}-{policy}", role=role.name, policy_arn=managed_policy(policy), opts=opts
        )
        for policy in NODE_POLICIES
    ]
    return NodeRole(role, attachments)


@dataclass(frozen=True)
class TemplateArgs:
    """`network_interfaces` with their security groups replace the ones that EKS would give; `user_data` is MIME.

    `reservation` is the id of the one that nodes take from. `block_machine` is the machine type where that is a
    capacity block: EKS takes it from here then, not from the group."""

    disk_gib: int
    disk_key_arn: pulumi.Input[str]
    tags: Mapping[str, str]
    user_data: str = ""
    network_interfaces: Sequence[aws.ec2.LaunchTemplateNetworkInterfaceArgs] = ()
    placement_group: pulumi.Input[str] | None = None
    reservation: str | None = None
    block_machine: str | None = None


def launch_template(name: str, args: TemplateArgs, opts: pulumi.ResourceOptions) -> aws.ec2.LaunchTemplate:
    """The launch template of a managed node group. EKS adds the image, the role and the cluster's own user data."""
    placement = args.placement_group
    return aws.ec2.LaunchTemplate(
        name,
        description=f"Nodes of {name}",
        update_default_version=True,
        block_device_mappings=[
            {
                "device_name": ROOT_DEVICE,
                "ebs": {
                    "volume_type": "gp3",
                    "volume_size": args.disk_gib,
                    "encrypted": "true",
                    "kms_key_id": args.disk_key_arn,
                    "delete_on_termination": "true",
                },
            }
        ],
        # One hop: pods can't reach the node's credentials through its metadata.
        metadata_options={
            "http_endpoint": "enabled",
            "http_tokens": "required",
            "http_put_response_hop_limit": 1,
        },
        network_interfaces=list(args.network_interfaces) or None,
        placement=aws.ec2.LaunchTemplatePlacementArgs(group_name=placement)
        if placement is not None
        else None,
        instance_type=args.block_machine,
        instance_market_options=aws.ec2.LaunchTemplateInstanceMarketOptionsArgs(market_type="capacity-block")
        if args.block_machine
        else None,
        capacity_reservation_specification={
            "capacity_reservation_target": {"capacity_reservation_id": args.reservation}
        }
        if args.reservation
        else None,
        user_data=base64.b64encode(args.user_data.encode()).decode() if args.user_data else None,
        tag_specifications=[
            {"resource_type": kind, "tags": started_tags(args.tags)} for kind in ("instance", "volume")
        ],
        tags=dict(args.tags),
        opts=opts,
    )
