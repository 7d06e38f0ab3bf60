"""The project that a stack builds in, and who acts in it: Google's service agents, pods, and their roles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pulumi
import pulumi_gcp as gcp

# Each Google service acts as an account of the project ("Service agents", IAM documentation), here by its API.
AGENTS: Mapping[str, str] = MappingProxyType(
    {
        "artifactregistry": "gcp-sa-artifactregistry",
        "storage": "gs-project-accounts",
        "compute": "compute-system",
        "container": "container-engine-robot",
        "logging": "gcp-sa-logging",
        "sqladmin": "gcp-sa-cloud-sql",
    }
)


@dataclass(frozen=True)
class Condition:
    """When a grant holds, in the Common Expression Language."""

    title: str
    expression: pulumi.Input[str]


@dataclass(frozen=True)
class Project:
    """A project by its id and its number, and the region that a stack builds in."""

    id: str
    number: pulumi.Input[str]
    region: str

    @classmethod
    def current(cls, project: str, region: str, opts: pulumi.InvokeOptions) -> Project:
        """The project of that id, its number asked of the provider in `opts`."""
        number = gcp.organizations.get_project_output(project_id=project, opts=opts).number
        return cls(project, number, region)

    @property
    def workload_pool(self) -> str:
        """The identity pool of the project's clusters."""
        return f"{self.id}.svc.id.goog"

    def agent(self, service: str) -> pulumi.Output[str]:
        """The member that a Google service (a key of AGENTS) acts as."""
        return pulumi.Output.concat(
            "serviceAccount:service-", self.number, f"@{AGENTS[service]}.iam.gserviceaccount.com"
        )

    def pod(self, namespace: str, service_account: str) -> pulumi.Output[str]:
        """The member that pods of a Kubernetes service account act as, with no Google account or key in between.

        Source: "Authenticate to Google Cloud APIs from GKE workloads". The pool is the project's: the same namespace
        and name in another cluster of the project are the same member.
        """
        return pulumi.Output.concat(
            "principal://iam.googleapis.com/projects/",
            self.number,
            f"/locations/global/workloadIdentityPools/{self.workload_pool}/subject/ns/{namespace}/sa/{service_account}",
        )


def service_identity(
    name: str, project: Project, service: str, opts: pulumi.ResourceOptions
) -> gcp.projects.ServiceIdentity:
    """Makes the agent of a service (a key of AGENTS). A grant is refused while its member does not exist, and Google
    makes most agents only when their service is first used ("Create and grant roles to service agents")."""
    return gcp.projects.ServiceIdentity(
        name, project=project.id, service=f"{service}.googleapis.com", opts=opts
    )
