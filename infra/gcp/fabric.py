"""Fabric: the extra networks of Google's fast machines, how pods name them, and what puts NCCL's plug-in on a node.

TCPX (a3-highgpu-8g) has four plain network cards beside the first, each in a VPC of its own; RDMA (a3-ultragpu-8g) has
one more plain card and eight ConnectX-7 in one VPC with the RoCE profile of the machine's zone. Sources:
cluster-toolkit v1.95.0, `examples/gke-a3-highgpu`, `examples/gke-a3-ultragpu`, `modules/network/gpu-rdma-vpc`;
container-engine-accelerators, `gpudirect-tcpx` (2026-06-22) and `gpudirect-rdma` (2025-08-15).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from types import MappingProxyType
from typing import Literal

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

from infra.contracts.labels import POOL_LABEL
from infra.gcp.iam import Project
from infra.settings.cross_checks import GOOGLE_FABRIC_CIDR

API = "networking.gke.io/v1"
RDMA_CARDS = 8
SUBNET_PREFIX = 20

DeviceMode = Literal["NetDevice", "RDMA"]


@dataclass(frozen=True)
class Card:
    """One more network card of a node: the name of its Kubernetes network, its VPC among the pool's, and its kind."""

    name: str
    vpc: str
    mode: DeviceMode


@dataclass(frozen=True)
class Kind:
    """A fabric: its cards in the order that the machine has them, the MTU of its networks in bytes, and the image
    that installs NCCL's plug-in."""

    cards: tuple[Card, ...]
    mtu: int
    installer: str


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "tcpx": Kind(
            tuple(Card(f"vpc{number}", f"vpc{number}", "NetDevice") for number in range(1, 5)),
            8244,
            "us-docker.pkg.dev/gce-ai-infra/gpudirect-tcpx/nccl-plugin-gpudirecttcpx-dev:v3.1.12",
        ),
        "rdma": Kind(
            (
                Card("gvnic-1", "gvnic", "NetDevice"),
                *(Card(f"rdma-{number}", "rdma", "RDMA") for number in range(RDMA_CARDS)),
            ),
            8896,
            "us-docker.pkg.dev/gce-ai-infra/gpudirect-gib/nccl-plugin-gib:v1.1.0",
        ),
    }
)
# container-engine-accelerators, `nri_device_injector` (2026-06-09).
INJECTOR = (
    "gcr.io/gke-release/nri-device-injector"
    "@sha256:6e79483d52abdc28454bf186320b10a56b0f117a10e8d65d5c74dbb821a76970"
)
PAUSE = "gke.gcr.io/pause:3.8@sha256:880e63f94b145e46f1b1082bb71b85e21f16b99b180b9996407d61240ceb9830"


@dataclass(frozen=True)
class FabricArgs:
    """`pool` is the pool's name, `kind` a key of KINDS, `zone` where its nodes stand.

    `cluster` is the GKE cluster, `provider` makes objects in it.
    """

    project: Project
    pool: str
    kind: str
    zone: str
    cluster: pulumi.Resource
    provider: kubernetes.Provider


@dataclass(frozen=True)
class Attachment:
    """A card's network and subnet, by their names."""

    network: pulumi.Output[str]
    subnetwork: pulumi.Output[str]


class Fabric(pulumi.ComponentResource):
    """The networks of one pool, and the Kubernetes objects that give them to pods.

    `attachments` are in the order of the cards; `networks` are the objects that name them in the cluster;
    `ready` is what pods wait for.
    """

    attachments: Sequence[Attachment]

    def __init__(self, name: str, args: FabricArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:gcp:Fabric", name, None, opts)
        self._args, self._kind = args, KINDS[args.kind]
        self._child = pulumi.ResourceOptions(parent=self)
        vpcs = {vpc: self._vpc(name, vpc) for vpc in dict.fromkeys(card.vpc for card in self._kind.cards)}
        ranges = IPv4Network(GOOGLE_FABRIC_CIDR).subnets(new_prefix=SUBNET_PREFIX)
        self.attachments = [
            self._subnet(f"{name}-{card.name}", vpcs[card.vpc], str(cidr))
            for card, cidr in zip(self._kind.cards, ranges, strict=False)
        ]
        self.networks: list[pulumi.Resource] = [
            made
            for card, attachment in zip(self._kind.cards, self.attachments, strict=True)
            for made in self._objects(name, card, attachment)
        ]
        self.ready = [*self.networks, *self._daemons(name)]
        self.register_outputs({"networks": [attachment.network for attachment in self.attachments]})

    def _vpc(self, name: str, vpc: str) -> gcp.compute.Network:
        args = self._args
        # The zone's own profile: cards of another zone can't join it. It takes no firewall rules.
        profile = f"projects/{args.project.id}/global/networkProfiles/{args.zone}-vpc-roce"
        made = gcp.compute.Network(
            f"{name}-{vpc}",
            project=args.project.id,
            description=f"{args.kind} of pool {args.pool}",
            auto_create_subnetworks=False,
            mtu=self._kind.mtu,
            routing_mode="REGIONAL",
            network_profile=profile if vpc == "rdma" else None,
            delete_default_routes_on_create=vpc != "rdma",  # nothing here has a way out
            opts=self._child,
        )
        if vpc != "rdma":
            gcp.compute.Firewall(
                f"{name}-{vpc}",
                project=args.project.id,
                network=made.id,
                direction="INGRESS",
                description="Between the nodes of one pool",
                source_ranges=[GOOGLE_FABRIC_CIDR],
                allows=[{"protocol": "all"}],
                opts=self._child,
            )
        return made

    def _subnet(self, name: str, vpc: gcp.compute.Network, cidr: str) -> Attachment:
        args = self._args
        subnet = gcp.compute.Subnetwork(
            name,
            project=args.project.id,
            region=args.project.region,
            network=vpc.id,
            ip_cidr_range=cidr,
            stack_type="IPV4_ONLY",
            opts=self._child,
        )
        return Attachment(vpc.name, subnet.name)

    def _objects(
        self, name: str, card: Card, at: Attachment
    ) -> list[kubernetes.apiextensions.CustomResource]:
        called = network_name(self._args.pool, card)
        parameters = kubernetes.apiextensions.CustomResource(
            f"{name}-{card.name}-parameters",
            api_version=API,
            kind="GKENetworkParamSet",
            metadata={"name": called},
            spec={"vpc": at.network, "vpcSubnet": at.subnetwork, "deviceMode": card.mode},
            opts=self._in_cluster(),
        )
        network = kubernetes.apiextensions.CustomResource(
            f"{name}-{card.name}",
            api_version=API,
            kind="Network",
            metadata={"name": called},
            spec={
                "type": "Device",
                "parametersRef": {"group": "networking.gke.io", "kind": "GKENetworkParamSet", "name": called},
            },
            opts=self._in_cluster(parameters),
        )
        return [parameters, network]

    def _daemons(self, name: str) -> list[pulumi.Resource]:
        args = self._args
        called = f"nccl-{args.kind}-{args.pool}"
        specs = {called: (f"{name}-nccl", installer(called, args.kind, args.pool))}
        if args.kind == "tcpx":
            called = f"device-injector-{args.pool}"
            specs[called] = (f"{name}-device-injector", injector(called, args.pool))
        return [
            kubernetes.apps.v1.DaemonSet(
                resource,
                metadata={
                    "name": called,
                    "namespace": "kube-system",
                    # A pool that grows from zero has no node for it yet.
                    "annotations": {"pulumi.com/skipAwait": "true"},
                },
                spec=spec,
                opts=self._in_cluster(),
            )
            for called, (resource, spec) in specs.items()
        ]

    def _in_cluster(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(
            parent=self,
            provider=self._args.provider,
            deleted_with=self._args.cluster,
            depends_on=list(after),
        )


def network_name(pool: str, card: Card) -> str:
    """The Kubernetes network of a card. Networks are of the whole cluster, so a pool's carry its name."""
    return f"{pool}-{card.name}"


@dataclass(frozen=True)
class Install:
    """How an image puts its files on a node: the host's folders by where the image sees them, and the commands."""

    folders: Mapping[str, str]
    commands: Sequence[str]


_INSTALLS: Mapping[str, Install] = MappingProxyType(
    {
        "tcpx": Install(
            {"/var/lib": "/var/lib", "/usr/local": "/home/kubernetes/bin"},
            (
                "/scripts/container_entry.sh install --install-nccl",
                "mkdir -p /usr/local/nvidia/lib64",
                "cp -r /var/lib/tcpx/lib64/. /usr/local/nvidia/lib64",
            ),
        ),
        "rdma": Install(
            {
                "/host/nvidia": "/home/kubernetes/bin/nvidia",
                "/host/gib": "/home/kubernetes/bin/gib",
            },
            (
                "/scripts/container_entry.sh install --install-nccl",
                "mkdir -p /host/nvidia/lib64 /host/nvidia/gib",
                "cp -r /var/lib/gib/lib64/. /host/nvidia/lib64",
                # Where Google's pods mount it from, and once more where GKE's device plugin shows it to every pod with
                # GPUs: ours need no folder of the host.
                "cp -r /var/lib/gib/. /host/gib",
                "cp -r /var/lib/gib/. /host/nvidia/gib",
                # Packets between the eight cards of a node look like strangers to the kernel, which would log each.
                *(
                    f"echo 0 > /proc/sys/net/ipv4/conf/gpu{card}rdma0/log_martians"
                    for card in range(RDMA_CARDS)
                ),
            ),
        ),
    }
)


def installer(name: str, kind: str, pool: str) -> kubernetes.apps.v1.DaemonSetSpecArgsDict:
    """The spec of the DaemonSet that installs NCCL's plug-in on the nodes of one pool, and then waits.

    It is privileged, as Google's own is: it writes into the host's folders.
    """
    install = _INSTALLS[kind]
    return _daemon(
        name,
        pool,
        install.folders,
        init_containers=[
            {
                "name": "install",
                "image": KINDS[kind].installer,
                "command": ["/bin/sh", "-c"],
                "args": ["\n".join(("set -ex", *install.commands))],
                "resources": {"requests": {"cpu": "150m"}},
                "security_context": {"privileged": True},
                "volume_mounts": _mounts(install.folders),
            }
        ],
        containers=[{"name": "pause", "image": PAUSE}],
    )


def injector(name: str, pool: str) -> kubernetes.apps.v1.DaemonSetSpecArgsDict:
    """The spec of Google's NRI plug-in, which gives a container the devices that an annotation of its pod names: so the
    daemon of TCPX sees the GPUs without being privileged. containerd 2, of GKE 1.33 and later, has NRI on."""
    folders = {"/dev": "/dev", "/var/run/nri": "/var/run/nri"}
    inject: kubernetes.core.v1.ContainerArgsDict = {
        "name": "device-injector",
        "image": INJECTOR,
        "resources": {"requests": {"cpu": "150m"}},
        "security_context": {"privileged": True},
        "volume_mounts": _mounts(folders),
    }
    return _daemon(name, pool, folders, init_containers=[], containers=[inject])


def _mounts(folders: Mapping[str, str]) -> list[kubernetes.core.v1.VolumeMountArgsDict]:
    return [{"name": f"host-{number}", "mount_path": seen} for number, seen in enumerate(folders)]


def _daemon(
    name: str,
    pool: str,
    folders: Mapping[str, str],
    init_containers: list[kubernetes.core.v1.ContainerArgsDict],
    containers: list[kubernetes.core.v1.ContainerArgsDict],
) -> kubernetes.apps.v1.DaemonSetSpecArgsDict:
    """A DaemonSet of the nodes of one pool. `folders` are the host's, by where containers see them."""
    labels = {"app.kubernetes.io/name": name}
    volumes: list[kubernetes.core.v1.VolumeArgsDict] = [
        {"name": f"host-{number}", "host_path": {"path": folder, "type": "DirectoryOrCreate"}}
        for number, folder in enumerate(folders.values())
    ]
    return {
        "selector": {"match_labels": labels},
        "update_strategy": {"type": "RollingUpdate"},
        "template": {
            "metadata": {"labels": labels},
            "spec": {
                "priority_class_name": "system-node-critical",
                "node_selector": {POOL_LABEL: pool},
                "tolerations": [{"operator": "Exists"}],
                "host_network": True,
                "host_pid": True,
                "automount_service_account_token": False,
                "volumes": volumes,
                "init_containers": init_containers,
                "containers": containers,
            },
        },
    }
