"""Settings of a site on premises: its networks, its VPN, its GPU nodes and its object store."""

from __future__ import annotations

from typing import ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator

from infra.settings.errors import refuse
from infra.settings.fields import AwsRegion, Certificates, DnsLabel, StoreEndpoint
from infra.settings.model import Model
from infra.settings.networks import ON_PREMISES_NODE_MASK, OnPremisesCidr, OnPremisesPodsCidr, PeerAddress

# "Hybrid nodes overview", EKS User Guide, read 2026-11: so many networks of nodes, and so many of pods, a cluster.
MOST_NETWORKS = 15
# The ASN of a virtual private gateway, unless another is given.
AMAZON_ASN = 64512
Feature = Literal["encryption", "lifecycle", "object-lock", "public-access-block"]


class Vpn(Model):
    """The site's end of the VPN."""

    address: PeerAddress = Field(description="The public IPv4 address of the site's VPN device.")
    asn: int | None = Field(
        default=None,
        ge=1,
        le=2147483647,
        description="The site's autonomous system number for BGP, such as 65010. Routes are static unless given.",
    )

    @field_validator("asn")
    @classmethod
    def _not_amazons(cls, asn: int | None) -> int | None:
        if asn == AMAZON_ASN:
            raise refuse("an ASN of the site's own: this one is the AWS side's", near=str(AMAZON_ASN + 1))
        return asn


class OnPremisesPool(Model):
    """GPU nodes on premises. Kueue counts their GPUs."""

    name: DnsLabel = Field(
        description="The pool's name, which workloads name it by, such as hall. No other pool of the stack has it."
    )
    gpu: str = Field(min_length=1, description="The kind of GPU, such as H100.")
    gpus_per_node: int = Field(default=1, ge=1, description="GPUs in a node.")
    nodes: int = Field(ge=1, description="Nodes on premises.")
    vcpus_per_node: int | None = Field(
        default=None, ge=1, description="vCPUs of a node, for its price. 16 a GPU unless given."
    )
    memory_gib_per_node: int | None = Field(
        default=None, ge=1, description="Memory of a node in GiB, for its price. 128 a GPU unless given."
    )

    static: ClassVar[bool] = True
    parts: ClassVar[int] = 1
    sharing: ClassVar[None] = None
    fabric: ClassVar[str] = "none"

    @property
    def taken_names(self) -> tuple[str, ...]:
        """Names that no other pool may have."""
        return (self.name,)

    @property
    def static_nodes(self) -> int:
        """Nodes that are always there: all."""
        return self.nodes

    @property
    def most_nodes(self) -> int:
        """The pool's size in nodes."""
        return self.nodes

    def holds(self, gpus: int) -> int:
        """How many pods of so many GPUs each it has room for."""
        return self.nodes * (self.gpus_per_node // gpus)

    @property
    def vcpus(self) -> int:
        """The vCPUs of a node."""
        return self.vcpus_per_node or 16 * self.gpus_per_node

    @property
    def memory_gib(self) -> int:
        """Memory of a node in GiB."""
        return self.memory_gib_per_node or 128 * self.gpus_per_node


class Store(Model):
    """The S3 server on premises, which holds the lake for workloads there."""

    endpoint: StoreEndpoint = Field(
        description="Its address, such as https://s3.site.example:9443. An endpoint with a public name is "
        "also declared in `indianPlaces` of the policy RES-02."
    )
    region: AwsRegion | None = Field(
        default=None,
        description="The region's name in its signatures, by which the policies judge its place. The "
        "stack's own unless given.",
    )
    lacks: list[Feature] = Field(
        default=[],
        description="What the server can't do, and is not asked for, such as [public-access-block] for SeaweedFS.",
    )
    key: str | None = Field(
        default=None,
        min_length=1,
        validate_default=True,
        description="The name of the key, in the server's own key service, that encrypts objects, such as "
        "lake. Needed unless `lacks` has `encryption`.",
    )

    @property
    def port(self) -> int:
        """The port of the endpoint, the scheme's own unless it names one."""
        url = urlsplit(self.endpoint)
        return url.port or {"https": 443, "http": 80}[url.scheme]

    @field_validator("key")
    @classmethod
    def _a_key_where_it_encrypts(cls, key: str | None, info: ValidationInfo) -> str | None:
        encrypts = "encryption" not in info.data.get("lacks", ["encryption"])
        if key is None and encrypts:
            raise refuse(
                "the name of a key in the store's key service, or `encryption` in lacks", near="lake"
            )
        return key


class OnPremises(Model):
    """A site of your own whose GPU nodes join the EKS cluster."""

    node_cidrs: list[OnPremisesCidr] = Field(
        min_length=1,
        max_length=MOST_NETWORKS,
        description="Networks of the site's nodes, such as 192.168.10.0/24. They overlap no other network "
        "of the stack, nor EKS's Services (10.100.0.0/16, 172.20.0.0/16).",
    )
    pod_cidrs: list[OnPremisesPodsCidr] = Field(
        min_length=1,
        max_length=MOST_NETWORKS,
        description=f"Networks of the site's pods, such as 172.24.0.0/16; each node gets a /{ON_PREMISES_NODE_MASK}. "
        "They can't change later, and overlap no other network.",
    )
    vpn: Vpn = Field(description="The site's end of the VPN.")
    certificate_authority: Certificates = Field(
        description="The certificate, in PEM, of the authority that signs the nodes' certificates: "
        "`openssl x509 -text` shows CA:TRUE. Never a private key."
    )
    pools: list[OnPremisesPool] = Field(default=[], description="The site's GPU nodes, by pools.")
    store: Store | None = Field(
        default=None,
        description="The S3 server on premises. Its keys are secrets of the stack: `pulumi config set "
        "--secret onPremises:accessKey`, and `onPremises:secretKey`.",
    )

    @property
    def store_reach(self) -> tuple[list[str], int] | None:
        """The networks and the port that the store is reached at, None without a store."""
        return (self.node_cidrs, self.store.port) if self.store else None
