"""What the components take: plain values, for which machines there are is decided in the preview.

Names, units and rules are those of a stack's settings, each explained in docs/settings.md. What is None has the
setting's default. This file has no postponed annotations: Pulumi's SDK reads the types to write the package's schema.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """Each GPU of a pool is several to pods, which get one part each: docs/sharing.md."""

    mode: str
    """time-slicing, or on Google mig."""
    parts: int
    """Pods to a GPU. With mig as many as the profile makes."""
    profile: str | None = None
    """With mig: how a GPU is cut, such as 1g.10gb of an H100, which makes 7."""


@dataclass(frozen=True, kw_only=True)
class GpuPool:
    """Nodes with one kind of GPU, on the cheapest machines of the region that have it. Give `gpu` or `minGpuMemoryGib`,
    and `maxNodes` or `maxGpus`."""

    name: str
    """The pool's name, which no other pool of the cluster has: the label `india-ai-infra/pool` of its nodes."""
    gpu: str | None = None
    """The kind of GPU, such as L4, L40S, H100 or H200."""
    min_gpu_memory_gib: float | None = None
    """Instead of `gpu`: the cheapest kind with so many GiB a GPU."""
    gpus_per_node: int | None = None
    """GPUs in a node, exactly. 1 unless given."""
    fabric: str | None = None
    """The fast network between nodes: none, efa (AWS), tcpx or rdma (Google). None unless given."""
    placement_group: bool | None = None
    """Nodes are close to each other, and stand. False unless given."""
    elastic: bool | None = None
    """With a fabric: nodes come from zero when pods ask for them."""
    purchase: Sequence[str] | None = None
    """How nodes are bought, first choice first: spot, on-demand, reserved, capacity-block (AWS), flex-start (Google).
    Spot unless given."""
    zone: str | None = None
    """The zone of a pool that stands: a zone ID on AWS (aps1-az1), a zone on Google (asia-south1-c)."""
    capacity_reservation: str | None = None
    """What `reserved` or `capacity-block` takes from: an id on AWS, a name on Google."""
    min_spot_saving: float | None = None
    """The least share that spot must save of the on-demand price. 0.1, which is 10 %, unless given."""
    hours_lost_per_reclaim: float | None = None
    """Hours of work that a node loses when spot takes it back. 1 unless given."""
    max_nodes: int | None = None
    """The most nodes of the pool."""
    max_gpus: int | None = None
    """The most GPUs of the pool, in whole nodes."""
    min_nodes: int | None = None
    """Nodes that a pool with a fabric or a placement group has at least. All of them unless given."""
    expected_nodes: float | None = None
    """Nodes of a pool that grows from zero which a month's price counts on."""
    max_run_hours: int | None = None
    """On Google with flex-start: hours after which such a node ends."""
    sharing: Sharing | None = None
    """How pods share each GPU. Each pod has whole ones unless given."""


@dataclass(frozen=True, kw_only=True)
class SystemPool:
    """Nodes without GPUs, which run the operators."""

    machine_type: str | None = None
    """A machine type without GPUs. m6a.xlarge or e2-standard-4 unless given."""
    min_nodes: int | None = None
    """Nodes that are always there. 2 unless given."""
    max_nodes: int | None = None
    """The most nodes. 4 unless given."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who reaches the private API server, and who administers the cluster. One way in is needed."""

    deployers: Sequence[str] | None = None
    """Who runs Pulumi: IAM roles and users (role/ci) on AWS, IAM members on Google. On AWS whoever runs it now must be
    among them."""
    cidrs: Sequence[str] | None = None
    """Networks that reach the VPC already, such as 10.1.0.0/16."""
    security_groups: Sequence[str] | None = None
    """On AWS: security groups of machines that reach the VPC already."""
    dns_endpoint: bool | None = None
    """On Google: the cluster's DNS name answers whoever IAM lets in, from anywhere."""
    jump_host: bool | None = None
    """A small machine in the network, by which a tunnel leads to the API server."""


@dataclass(frozen=True, kw_only=True)
class ExistingNetwork:
    """A network that somebody else keeps: a VPC and its subnets on AWS, or a VPC network and a subnet on Google. It is
    read and judged before anything is made in it."""

    vpc_id: str | None = None
    """On AWS: the VPC, such as vpc-0123456789abcdef0."""
    private_subnet_ids: Sequence[str] | None = None
    """On AWS: subnets of the nodes, one a zone, each tagged `karpenter.sh/discovery=<component>-<stack>`."""
    control_plane_subnet_ids: Sequence[str] | None = None
    """On AWS: subnets of the control plane, in two zones or more. Those of the nodes unless given."""
    network: str | None = None
    """On Google: the VPC network, by its name, path or self link."""
    subnetwork: str | None = None
    """On Google: the subnet of the nodes, by its name, path or self link."""
    pods_range: str | None = None
    """On Google: the subnet's secondary range of pods. pods unless given."""
    services_range: str | None = None
    """On Google: the subnet's secondary range of Services. services unless given."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """The network of a cluster: one that exists, or a new one."""

    existing: ExistingNetwork | None = None
    """A network that exists; without the rest."""
    cidr: str | None = None
    """Addresses of a new VPC's nodes, and on AWS of its pods. 10.0.0.0/16 or 10.64.0.0/20 unless given."""
    nat_per_zone: bool | None = None
    """On AWS: a NAT gateway and endpoints in every zone, instead of in one."""
    pods_cidr: str | None = None
    """On Google: addresses of the pods. 10.68.0.0/14 unless given."""
    services_cidr: str | None = None
    """On Google: addresses of Services. 10.65.0.0/20 unless given."""
    flow_log_days: int | None = None
    """Days that a new VPC's flow logs are kept: 365, a year, at least; on AWS as CloudWatch Logs offers them."""


@dataclass(frozen=True, kw_only=True)
class LakeArgs:
    """A lake in one region. `region` says the cloud."""

    region: str
    """ap-south-1 or ap-south-2 on AWS, asia-south1 or asia-south2 on Google. On AWS the provider's."""
    owner: str
    """The team that answers for the data, such as ml-platform. A tag on what holds data."""
    purpose: str
    """What the data is processed for, such as customer support models. A tag on what holds data."""
    data_class: str | None = None
    """personal, sensitive, payment, internal or public. personal unless given."""
    retention_days: int | None = None
    """Days that data is kept before it is erased. 365 unless given, and at least for personal data."""
    protect_data: bool | None = None
    """Buckets and keys survive a destroy. True unless given; without it they go with all that is in them."""
    project: str | None = None
    """On Google: the id of the project."""
    dual_region: bool | None = None
    """On Google: data is in Mumbai and Delhi at once. False unless given."""


@dataclass(frozen=True, kw_only=True)
class GpuClusterArgs:
    """A cluster in one region. `region` says the cloud."""

    region: str
    """ap-south-1 or ap-south-2 on AWS, asia-south1 or asia-south2 on Google. On AWS the provider's."""
    owner: str
    """The team that answers for the cluster, such as ml-platform."""
    purpose: str
    """What its data is processed for, such as customer support models."""
    access: Access
    """Who reaches the API server, and who administers the cluster."""
    pools: Sequence[GpuPool]
    """The GPU pools."""
    project: str | None = None
    """On Google: the id of the project."""
    network: Network | None = None
    """The network. A new one unless given."""
    version: str | None = None
    """The Kubernetes minor version, such as 1.35: the platform's unless given."""
    system: SystemPool | None = None
    """The nodes without GPUs."""
    deletion_protection: bool | None = None
    """The cloud refuses to delete the cluster. False unless given."""
    data_class: str | None = None
    """personal, sensitive, payment, internal or public. personal unless given."""
    retention_days: int | None = None
    """Days that data is kept, and logs about it: a year at least. 365 unless given."""
