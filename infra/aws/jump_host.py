"""Jump host: a small instance inside the VPC, by which a deployer reaches the private API server."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws import iam, nodes
from infra.aws.existing_network import AnyNetwork
from infra.contracts.governance import DataGovernance

MACHINE_TYPE = "t4g.nano"
# The standard image: the minimal one has neither the agent of Systems Manager nor that of EC2 Instance Connect
# ("Comparing AL2023 standard and minimal AMIs", Amazon Linux 2023 User Guide).
IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
DISK_GIB = 8
HTTPS = 443
USER = "ec2-user"
# Where the tunnel listens on the deployer's machine; the kubeconfig names it.
TUNNEL_PORT = 1080
PROXY_URL = f"socks5://127.0.0.1:{TUNNEL_PORT}"


@dataclass(frozen=True)
class JumpHostArgs:
    """`name` is the cluster's. The host is in the first private subnet of the network."""

    governance: DataGovernance
    name: str
    region: str
    network: AnyNetwork
    disk_key_arn: pulumi.Input[str]


class JumpHost(pulumi.ComponentResource):
    """An instance without a key pair, a public address or an open port, that only Session Manager reaches.

    `security_group_id` is what the cluster lets in; `tunnel` the command that opens a SOCKS proxy through it.
    """

    def __init__(self, name: str, args: JumpHostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:aws:JumpHost", name, None, opts)
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        self.security_group_id = self._security_group(name)
        self.instance = self._instance(name)
        self.tunnel = self.instance.id.apply(lambda instance: tunnel_command(instance, args.region))
        self.register_outputs({"instance": self.instance.id, "tunnel": self.tunnel})

    def _security_group(self, name: str) -> pulumi.Output[str]:
        """Nothing comes in; HTTPS goes out, to Systems Manager and the API server."""
        group = aws.ec2.SecurityGroup(
            name,
            description="The jump host: nothing comes in",
            vpc_id=self._args.network.vpc_id,
            tags={"Name": f"{self._args.name}-jump-host"},
            opts=self._child,
        )
        aws.vpc.SecurityGroupEgressRule(
            name,
            description="Systems Manager and the API server",
            security_group_id=group.id,
            cidr_ipv4="0.0.0.0/0",
            ip_protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            opts=self._child,
        )
        return group.id

    def _profile(self, name: str) -> tuple[aws.iam.InstanceProfile, pulumi.Resource]:
        role = aws.iam.Role(
            name,
            description=f"The jump host of {self._args.name}",
            assume_role_policy=iam.trust(iam.service("ec2.amazonaws.com")),
            opts=self._child,
        )
        attachment = aws.iam.RolePolicyAttachment(
            name,
            role=role.name,
            policy_arn=nodes.managed_policy("AmazonSSMManagedInstanceCore"),
            opts=self._child,
        )
        return aws.iam.InstanceProfile(name, role=role.name, opts=self._child), attachment

    def _instance(self, name: str) -> aws.ec2.Instance:
        args = self._args
        profile, rights = self._profile(name)
        image = aws.ssm.get_parameter_output(name=IMAGE, opts=pulumi.InvokeOutputOptions(parent=self))
        return aws.ec2.Instance(
            name,
            ami=image.value,
            instance_type=MACHINE_TYPE,
            subnet_id=args.network.private_subnet_ids[0],
            associate_public_ip_address=False,
            vpc_security_group_ids=[self.security_group_id],
            iam_instance_profile=profile.name,
            metadata_options={
                "http_endpoint": "enabled",
                "http_tokens": "required",
                "http_put_response_hop_limit": 1,
            },
            root_block_device={
                "volume_type": "gp3",
                "volume_size": DISK_GIB,
                "encrypted": True,
                "kms_key_id": args.disk_key_arn,
                "delete_on_termination": True,
            },
            tags=args.governance.tags(f"{args.name}-jump-host"),
            opts=pulumi.ResourceOptions(
                parent=self,
                # A newer image must not cut somebody's tunnel: it comes with `pulumi up --replace`.
                ignore_changes=["ami"],
                # Without its rights and the way to Systems Manager the agent does not register.
                depends_on=[rights, args.network],
            ),
        )


def tunnel_command(instance: str, region: str) -> str:
    """The command, in a shell, that opens the tunnel: the caller's own SSH key is put on the instance for a minute, and
    ssh goes through Session Manager."""
    push = (
        f"aws ec2-instance-connect send-ssh-public-key --region {region} --instance-id {instance} "
        f"--instance-os-user {USER} --ssh-public-key file://$HOME/.ssh/id_ed25519.pub"
    )
    session = (
        f"aws ssm start-session --region {region} --target {instance} "
        "--document-name AWS-StartSSHSession --parameters portNumber=%p"
    )
    return (
        f"{push} && ssh -f -N -D {TUNNEL_PORT} -o ExitOnForwardFailure=yes -o ServerAliveInterval=30 "
        f"-o ProxyCommand='{session}' {USER}@{instance}"
    )
