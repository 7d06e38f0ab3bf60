"""Settings of the platform on Google Cloud."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic.alias_generators import to_camel

from infra.settings.database import GoogleDatabase
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
)
from infra.settings.google_pools import GooglePool, GoogleSystemPool
from infra.settings.model import Model
from infra.settings.networks import PodsCidr, PrivateCidr, ReachingCidr

# Cloud Billing Budget API, NotificationsRule.
MOST_BUDGET_CHANNELS = 5
# The longest that Cloud Logging keeps a bucket's entries.
GOOGLE_LOG_DAYS = 3650


class ExistingGoogleNetwork(Model):
    """A VPC of the stack's project that somebody else keeps. Its firewall, DNS and ways out are its keeper's."""

    network: GoogleNetworkName = Field(
        description="The VPC network: its name, path or self link, such as shared."
    )
    subnetwork: GoogleSubnetName = Field(
        description="The subnet of the nodes, in the stack's region: its name, path or self link, such as gpu-nodes."
    )
    pods_range: GoogleRangeName = Field(
        default="pods", description="The subnet's secondary range that pods have their addresses from."
    )
    services_range: GoogleRangeName = Field(
        default="services",
        description="The subnet's secondary range that Services have their addresses from.",
    )

    @model_validator(mode="after")
    def _two_ranges(self) -> ExistingGoogleNetwork:
        if self.pods_range == self.services_range:
            raise refuse(f"a range for pods and another for services: both are {self.pods_range}")
        return self


class GoogleNetwork(Model):
    """A VPC made for the stack, or one that exists."""

    cidr: PrivateCidr = Field(
        default="10.64.0.0/20",
        description="Addresses of the nodes. No two networks of the stack overlap, on whichever cloud.",
    )
    pods_cidr: PodsCidr = Field(
        default="10.68.0.0/14",
        description="Addresses of the pods; GKE gives each node a /24 of them. It can't change once the stack is up.",
    )
    services_cidr: PrivateCidr = Field(
        default="10.65.0.0/20", description="Addresses of Services. It can't change once the stack is up."
    )
    flow_log_days: int = Field(
        default=365, ge=365, le=GOOGLE_LOG_DAYS, description="Days that flow logs are kept at least."
    )
    existing: ExistingGoogleNetwork | None = Field(
        default=None,
        description="A VPC that exists, instead of one made here; of the settings beside it only with "
        "`flowLogDays`. docs/real-account.md says what it must have.",
    )

    @model_validator(mode="after")
    def _an_existing_one_has_its_own(self) -> GoogleNetwork:
        # Flow logs come into the stack's log bucket from whichever network they are of.
        if self.existing and (given := self.model_fields_set - {"existing", "flow_log_days"}):
            names = ", ".join(sorted(to_camel(name) for name in given))
            raise refuse(f"existing without {names}: a VPC that exists has its own")
        return self


class GoogleClusterAccess(Model):
    """Who reaches the private API server, and who administers the cluster."""

    cidrs: list[ReachingCidr] = Field(
        default=[],
        description="Networks that reach the VPC already, by VPN or peering, such as 10.1.0.0/16: GKE's "
        "authorised networks.",
    )
    dns_endpoint: bool = Field(
        default=False,
        description="The cluster's DNS name answers whoever IAM lets in, from anywhere. The policy ACC-03 "
        "refuses it without an exemption.",
    )
    jump_host: bool = Field(
        default=False,
        description="A small VM without an external address, to which Identity-Aware Proxy opens a tunnel. "
        "It is used where neither `cidrs` nor `dnsEndpoint` is given.",
    )
    deployers: list[GoogleDeployer] = Field(
        default=[],
        description="IAM members that run Pulumi, such as group:platform@example.in or "
        "serviceAccount:<name>@<project>.iam.gserviceaccount.com: each becomes an administrator of the "
        "cluster.",
    )

    @property
    def direct(self) -> bool:
        """Whether the API server is reached without a tunnel."""
        return bool(self.cidrs or self.dns_endpoint)

    @property
    def tunnel(self) -> bool:
        """Whether the cluster is reached through the jump host's tunnel."""
        return self.jump_host and not self.direct


class GoogleCluster(Model):
    """The GKE cluster, its nodes and its GPU pools."""

    version: KubernetesVersion = Field(
        default="1.35",
        description='The Kubernetes minor version, in quotes, such as "1.35". It must be in support, and '
        "goes up by one an update.",
    )
    access: GoogleClusterAccess = Field(
        default=GoogleClusterAccess(),
        description="Who reaches the private API server, and who administers the cluster: "
        "docs/real-account.md. One way in is needed.",
    )
    system: GoogleSystemPool = Field(
        default=GoogleSystemPool(), description="The nodes without GPUs, which run the operators."
    )
    pools: list[GooglePool] = Field(default=[], description="The GPU pools.")
    deletion_protection: bool = Field(
        default=False,
        description="The cluster and its network survive a destroy, and a change that would replace either "
        "is refused.",
    )


class GoogleAccess(Model):
    """Who has the rights on data."""

    data_engineers: list[IamMember] = Field(
        default=[],
        description="IAM members with the rights of data engineers; groups are best, such as group:data@example.in.",
    )
    ml_engineers: list[IamMember] = Field(
        default=[], description="IAM members with the rights of machine-learning engineers."
    )
    auditors: list[IamMember] = Field(
        default=[], description="IAM members with the rights of auditors, who read logs."
    )


class GoogleAudit(Model):
    """Logs of the project, and alerts."""

    alert_emails: list[Email] = Field(
        default=[],
        description="Addresses that alerts and budgets are mailed to, such as soc@yourcompany.in; five at "
        "most with `billingAccount`. Without one, alerts are incidents in Cloud Monitoring only.",
    )
    default_sink: bool = Field(
        default=True,
        description="The project's log sink `_Default` becomes this stack's, so that no log goes to the "
        "location `global`. `false` for a second stack in the same project.",
    )


class GoogleLake(Model):
    """Where the lake's data is."""

    dual_region: bool = Field(
        default=False,
        description="Data is in Mumbai and Delhi at once. It can't change once buckets hold data.",
    )


class GoogleRegistries(Model):
    """Where nodes pull the charts' images from."""

    mirror: bool = Field(
        default=True,
        description="Artifact Registry of the region mirrors the upstreams; `false` pulls from the internet.",
    )


class Org(Model):
    """Organisation policies."""

    folder: Folder = Field(
        description="The folder that gets organisation policies, which keep what is made in it in India, "
        "such as folders/123456789012. They hold for every project in it."
    )


class Gcp(Model):
    """The platform on Google Cloud, in one Indian region."""

    project: GoogleProject = Field(
        description="The id of a project that exists, such as team-platform. One stack a project is best."
    )
    billing_account: GoogleBillingAccount | None = Field(
        default=None,
        description="The billing account that pays for the project, in rupees, such as "
        "01A2B3-4C5D6E-7F8091: it gets a budget. Without it there is none.",
    )
    region: GoogleRegion = Field(description="The region. Another region is another stack.")
    network: GoogleNetwork = Field(default=GoogleNetwork(), description="The VPC.")
    registries: GoogleRegistries = Field(
        default=GoogleRegistries(),
        description="Where nodes pull the charts' images from: docs/registries.md.",
    )
    cluster: GoogleCluster = Field(
        default=GoogleCluster(), description="The GKE cluster, its nodes and its GPU pools."
    )
    database: GoogleDatabase = Field(
        default=GoogleDatabase(),
        description="The PostgreSQL databases of workloads that need one: docs/database.md.",
    )
    access: GoogleAccess = Field(default=GoogleAccess(), description="Who has the rights on data.")
    audit: GoogleAudit = Field(default=GoogleAudit(), description="Logs of the project, and alerts.")
    lake: GoogleLake = Field(default=GoogleLake(), description="Where the lake's data is: docs/failover.md.")
    org: Org | None = Field(
        default=None, description="Organisation policies for a folder. None unless given."
    )
    protect_data: bool = Field(
        default=True,
        description="Buckets, databases and keys survive a destroy. Without it the audit bucket has no retention, "
        "which the policy LOG-04 refuses.",
    )

    @field_validator("audit")
    @classmethod
    def _a_budget_has_five_channels(cls, audit: GoogleAudit, info: ValidationInfo) -> GoogleAudit:
        if info.data.get("billing_account") and len(audit.alert_emails) > MOST_BUDGET_CHANNELS:
            raise refuse(
                f"at most {MOST_BUDGET_CHANNELS} alertEmails beside billingAccount, as a budget of Google's mails no "
                "more: give the address of a group"
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
