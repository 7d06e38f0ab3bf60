"""What a stack may say of a site on premises: its networks, the way to it, its GPU nodes and its object store."""

from __future__ import annotations

from typing import ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator

from infra.settings.errors import refuse
from infra.settings.fields import (
    AwsRegion,
    Certificates,
    DnsLabel,
    PeerAddress,
    SiteCidr,
    SitePodsCidr,
    StoreEndpoint,
)
from infra.settings.model import Model

# "Hybrid nodes overview", EKS User Guide, read 2026-11: so many of nodes, and so many of pods, a cluster.
MOST_NETWORKS = 15
AMAZON_ASN = 64512  # of a virtual private gateway that is told no other
Feature = Literal["encryption", "lifecycle", "object-lock", "public-access-block"]


class Vpn(Model):
    """The site's end of the VPN: its public address, and its BGP ASN; without one the routes are static."""

    address: PeerAddress
    asn: int | None = Field(default=None, ge=1, le=2147483647)

    @field_validator("asn")
    @classmethod
    def _not_amazons(cls, asn: int | None) -> int | None:
        if asn == AMAZON_ASN:
            raise refuse("an ASN of the site's own: this one is the AWS side's", near=str(AMAZON_ASN + 1))
        return asn


class SitePool(Model):
    """GPU nodes that stand on premises. Without `vcpus_per_node` and `memory_gib_per_node`, 16 vCPUs and 128 GiB a GPU
    are assumed, for their price."""

    name: DnsLabel
    gpu: str = Field(min_length=1)
    gpus_per_node: int = Field(default=1, ge=1)
    nodes: int = Field(ge=1)
    vcpus_per_node: int | None = Field(default=None, ge=1)
    memory_gib_per_node: int | None = Field(default=None, ge=1)

    stands: ClassVar[bool] = True
    fabric: ClassVar[str] = "none"

    @property
    def taken_names(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def standing_nodes(self) -> int:
        return self.nodes

    @property
    def most_nodes(self) -> int:
        return self.nodes

    @property
    def vcpus(self) -> int:
        """Of one node."""
        return self.vcpus_per_node or 16 * self.gpus_per_node

    @property
    def memory_gib(self) -> int:
        """Of one node."""
        return self.memory_gib_per_node or 128 * self.gpus_per_node


class Store(Model):
    """An S3 endpoint on premises. `region` is the name it goes by in signatures, the stack's own unless given, so that
    its place is judged as any other's. `key` is the name, in the store's own key service, of what objects are encrypted
    under. `lacks` is what it can't do, and is not asked for.
    """

    endpoint: StoreEndpoint
    region: AwsRegion | None = None
    lacks: list[Feature] = []
    key: str | None = Field(default=None, min_length=1, validate_default=True)

    @property
    def port(self) -> int:
        url = urlsplit(self.endpoint)
        return url.port or {"https": 443, "http": 80}[url.scheme]

    @field_validator("key")
    @classmethod
    def _a_key_where_it_encrypts(cls, key: str | None, info: ValidationInfo) -> str | None:
        encrypts = "encryption" not in info.data.get("lacks", ["encryption"])
        if key is None and encrypts:
            raise refuse("the name of a key of the store, or `encryption` in lacks", near="lake")
        return key


class OnPremises(Model):
    """A site that is part of the AWS cluster. `certificate_authority` (PEM, no private key) signs its nodes'
    certificates."""

    node_cidrs: list[SiteCidr] = Field(min_length=1, max_length=MOST_NETWORKS)
    pod_cidrs: list[SitePodsCidr] = Field(min_length=1, max_length=MOST_NETWORKS)
    vpn: Vpn
    certificate_authority: Certificates
    pools: list[SitePool] = []
    store: Store | None = None

    @property
    def store_reach(self) -> tuple[list[str], int] | None:
        """Where the store is: the site's networks, and its port."""
        return (self.node_cidrs, self.store.port) if self.store else None
