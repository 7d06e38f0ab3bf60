"""Jump host: a small VM inside the VPC, by which a deployer reaches the private API server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from infra import geography
from infra.contracts.governance import DataGovernance
from infra.gcp import tags
from infra.gcp.existing_network import AnyNetwork
from infra.gcp.iam import Project
from infra.gcp.network import PRIORITY
from infra.settings.names import shortened

MACHINE_TYPE = "e2-micro"
IMAGE = "debian-cloud/debian-12"
DISK_GIB = 10
SSH = 22
# Where Identity-Aware Proxy's TCP forwarding comes from ("Using IAP for TCP forwarding", Google Cloud).
IAP = "35.235.240.0/20"
# Where the tunnel listens on the deployer's machine; not AWS' port, so that a stack on both clouds has both.
TUNNEL_PORT = 1081
PROXY_URL = f"socks5://127.0.0.1:{TUNNEL_PORT}"
# What a deployer needs for a shell on the VM through IAP ("Connecting through IAP" and "Set up OS Login").
TUNNEL_ROLES = ("roles/iap.tunnelResourceAccessor", "roles/compute.osLogin", "roles/compute.viewer")


@dataclass(frozen=True)
class JumpHostArgs:
    """`name` is the cluster's; `deployers` are the members that may open the tunnel."""

    project: Project
    governance: DataGovernance
    name: str
    network: AnyNetwork
    disk_key: pulumi.Output[str]
    deployers: Sequence[str] = ()


class JumpHost(pulumi.ComponentResource):
    """A shielded VM without an address on the internet, that only IAP reaches and OS Login opens.

    Its own account has no role: whoever gets in has the network's place and no right. `tunnel` is the command that
    opens a SOCKS proxy through it.
    """

    def __init__(self, name: str, args: JumpHostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:gcp:JumpHost", name, None, opts)
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        account = gcp.serviceaccount.Account(
            name,
            project=args.project.id,
            # 30 characters are the most; Google takes no two with one id in a project.
            account_id=f"{shortened(args.name, 25)}-jump",
            display_name=f"The jump host of {args.name}",
            opts=self._child,
        )
        self._let_iap_in(name, account)
        self._grant(name, account)
        self.vm = self._vm(name, account)
        place = f"--project {args.project.id} --zone {self._zone}"
        self.tunnel = self.vm.name.apply(lambda vm: tunnel_command(vm, place))
        self.register_outputs({"vm": self.vm.name, "tunnel": self.tunnel})

    @property
    def _zone(self) -> str:
        return geography.region(self._args.project.region).zones[0]

    def _let_iap_in(self, name: str, account: gcp.serviceaccount.Account) -> None:
        gcp.compute.Firewall(
            f"{name}-iap",
            project=self._args.project.id,
            network=self._args.network.network,
            description="SSH from Identity-Aware Proxy to the jump host alone",
            direction="INGRESS",
            priority=PRIORITY,
            allows=[{"protocol": "tcp", "ports": [str(SSH)]}],
            source_ranges=[IAP],
            target_service_accounts=[account.email],
            log_config={"metadata": "INCLUDE_ALL_METADATA"},
            opts=self._child,
        )

    def _grant(self, name: str, account: gcp.serviceaccount.Account) -> None:
        """On the project for IAP and OS Login; on the account, as whose VM a deployer signs in."""
        for number, member in enumerate(self._args.deployers):
            for role in TUNNEL_ROLES:
                gcp.projects.IAMMember(
                    f"{name}-{number}-{role.rpartition('.')[2]}",
                    project=self._args.project.id,
                    role=role,
                    member=member,
                    opts=self._child,
                )
            gcp.serviceaccount.IAMMember(
                f"{name}-{number}-user",
                service_account_id=account.name,
                role="roles/iam.serviceAccountUser",
                member=member,
                opts=self._child,
            )

    def _vm(self, name: str, account: gcp.serviceaccount.Account) -> gcp.compute.Instance:
        args = self._args
        return gcp.compute.Instance(
            name,
            name=f"{args.name}-jump",
            project=args.project.id,
            zone=self._zone,
            machine_type=MACHINE_TYPE,
            # No access_configs: it gets no address on the internet.
            network_interfaces=[{"subnetwork": args.network.subnetwork}],
            boot_disk={
                "initialize_params": {"image": IMAGE, "size": DISK_GIB, "type": "pd-balanced"},
                "kms_key_self_link": args.disk_key,
            },
            shielded_instance_config={
                "enable_secure_boot": True,
                "enable_vtpm": True,
                "enable_integrity_monitoring": True,
            },
            service_account={
                "email": account.email,
                "scopes": ["https://www.googleapis.com/auth/cloud-platform"],
            },
            metadata={"enable-oslogin": "TRUE", "block-project-ssh-keys": "TRUE"},
            labels=tags.labels(args.governance, f"{args.name}-jump-host"),
            # A newer image must not cut somebody's tunnel: it comes with `pulumi up --replace`.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["bootDisk"], depends_on=[args.network]),
        )


def tunnel_command(vm: str, place: str) -> str:
    """The command, in a shell, that opens the tunnel through Identity-Aware Proxy."""
    return f"gcloud compute ssh {vm} {place} --tunnel-through-iap -- -f -N -D {TUNNEL_PORT} -o ExitOnForwardFailure=yes"
