"""What a stack may say of Google Cloud."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic.alias_generators import to_camel

from infra.settings.errors import refuse
from infra.settings.fields import (
    Email,
    Folder,
    GoogleBillingAccount,
    GoogleDeployer,
    GoogleNetworkName,
    GoogleProject,
    GoogleRangeName,
    GoogleRegion,
    GoogleSubnetName,
    IamMember,
    KubernetesVersion,
    PodsCidr,
    PrivateCidr,
    ReachingCidr,
)
from infra.settings.model import Model
from infra.settings.pools import GooglePool, GoogleSystemPool

MOST_BUDGET_CHANNELS = 5  # Cloud Billing Budget API, NotificationsRule
GOOGLE_LOG_DAYS = 3650  # the longest that Cloud Logging keeps a bucket's entries


class ExistingGoogleNetwork(Model):
    """A VPC that somebody else keeps in the stack's project, instead of one made here, and its subnet in the stack's
    region. `pods_range` and `services_range` name the subnet's secondary ranges. Firewall, DNS, flow logs and ways out
    are its keeper's."""

    network: GoogleNetworkName
    subnetwork: GoogleSubnetName
    pods_range: GoogleRangeName = "pods"
    services_range: GoogleRangeName = "services"

    @model_validator(mode="after")
    def _two_ranges(self) -> ExistingGoogleNetwork:
        if self.pods_range == self.services_range:
            raise refuse(f"a range for pods and another for services: both are {self.pods_range}")
        return self


class GoogleNetwork(Model):
    """The VPC: the addresses of nodes, pods and services, and how many days its flow logs are kept at least; or one
    that exists already, which has its own addresses."""

    cidr: PrivateCidr = "10.64.0.0/20"
    pods_cidr: PodsCidr = "10.68.0.0/14"
    services_cidr: PrivateCidr = "10.65.0.0/20"
    flow_log_days: int = Field(default=365, ge=365, le=GOOGLE_LOG_DAYS)
    existing: ExistingGoogleNetwork | None = None

    @model_validator(mode="after")
    def _an_existing_one_has_its_own(self) -> GoogleNetwork:
        # Flow logs come into the stack's log bucket from whichever network they are of.
        if self.existing and (given := self.model_fields_set - {"existing", "flow_log_days"}):
            names = ", ".join(sorted(to_camel(name) for name in given))
            raise refuse(f"existing without {names}: a VPC that exists has its own")
        return self


class GoogleClusterAccess(Model):
    """Who reaches the private API server, and who administers the cluster.

    `cidrs` reach the VPC already (a VPN, a peering); `jump_host` is a small VM inside that Identity-Aware Proxy opens a
    tunnel to; `dns_endpoint` opens the cluster's DNS name to whoever IAM lets in, from anywhere. `deployers` are the
    members that run the program.
    """

    cidrs: list[ReachingCidr] = []
    dns_endpoint: bool = False
    jump_host: bool = False
    deployers: list[GoogleDeployer] = []

    @property
    def direct(self) -> bool:
        """Whether the API server is reached without a tunnel."""
        return bool(self.cidrs or self.dns_endpoint)

    @property
    def tunnel(self) -> bool:
        """Whether the cluster is reached through the jump host's tunnel."""
        return self.jump_host and not self.direct


class GoogleCluster(Model):
    """GKE: a Kubernetes minor version, who reaches it, the system pool and the GPU pools."""

    version: KubernetesVersion = "1.35"
    access: GoogleClusterAccess = GoogleClusterAccess()
    system: GoogleSystemPool = GoogleSystemPool()
    pools: list[GooglePool] = []
    deletion_protection: bool = False


class GoogleAccess(Model):
    """Who has which rights: IAM members, groups best (`group:ml@example.in`)."""

    data_engineers: list[IamMember] = []
    ml_engineers: list[IamMember] = []
    auditors: list[IamMember] = []


class GoogleAudit(Model):
    """Who is mailed about alerts.

    `default_sink` makes the project's log sink `_Default` this stack's, so that no log goes to `global`. It is off for
    a second stack in the same project.
    """

    alert_emails: list[Email] = []
    default_sink: bool = True


class GoogleLake(Model):
    """`dual_region` keeps the data in Mumbai and Delhi at once; it can't be changed once buckets hold data."""

    dual_region: bool = False


class GoogleRegistries(Model):
    """Where nodes pull the charts' images from: Artifact Registry of the region, which mirrors their upstreams."""

    mirror: bool = True


class Org(Model):
    """The folder that gets organisation policies; it may hold more projects than this one."""

    folder: Folder


class Gcp(Model):
    """The platform on Google Cloud, in one Indian region of a project that exists. `billing_account` pays for that
    project, in rupees; without it Google has no budget of the stack."""

    project: GoogleProject
    billing_account: GoogleBillingAccount | None = None
    region: GoogleRegion
    network: GoogleNetwork = GoogleNetwork()
    registries: GoogleRegistries = GoogleRegistries()
    cluster: GoogleCluster = GoogleCluster()
    access: GoogleAccess = GoogleAccess()
    audit: GoogleAudit = GoogleAudit()
    lake: GoogleLake = GoogleLake()
    org: Org | None = None
    protect_data: bool = True

    @field_validator("audit")
    @classmethod
    def _a_budget_has_five_channels(cls, audit: GoogleAudit, info: ValidationInfo) -> GoogleAudit:
        if info.data.get("billing_account") and len(audit.alert_emails) > MOST_BUDGET_CHANNELS:
            raise refuse(
                f"at most {MOST_BUDGET_CHANNELS} alertEmails beside billingAccount, as a budget of Google's tells no "
                "more: the address of a group"
            )
        return audit

    @field_validator("network")
    @classmethod
    def _network_is_of_the_project(cls, network: GoogleNetwork, info: ValidationInfo) -> GoogleNetwork:
        """In a shared VPC, GKE's agents and the nodes need roles in the host project, which a stack can't give."""
        project, existing = info.data.get("project"), network.existing
        for path in (existing.network, existing.subnetwork) if existing and project else ():
            home = path.split("/")[1] if "/" in path else project
            if home != project:
                raise refuse(
                    f"existing in {project}, the stack's own project: {path} is a shared VPC of {home}, where GKE's "
                    "agents would need roles that no stack can give; peer a network of the project with it instead"
                )
        return network
