"""Access: what each kind of person and workload may reach in the lake and the project. No account has a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_gcp as gcp

from infra import contracts
from infra.contracts.governance import ACCESS_LOGS
from infra.contracts.grants import AUDITOR, HUMANS, Grant
from infra.contracts.needs import WorkloadNeeds
from infra.gcp import grants
from infra.gcp.iam import Project

# Find the cluster and ask it for more, which RBAC decides.
FIND_CLUSTER = "roles/container.clusterViewer"
# The configuration of the project but none of its data, and the logs about both.
AUDIT_ROLES = ("roles/iam.securityReviewer", "roles/logging.privateLogViewer")


@dataclass(frozen=True)
class AccessArgs:
    """`people` are the members (`group:ml@example.in`) of each role (`data-engineer`, `ml-engineer`, `auditor`).

    `workloads` are those whose service accounts are granted something. The project has the identity pool that these
    are members of once `cluster`, its first, was made.
    """

    project: Project
    lake: contracts.Lake
    cluster: pulumi.Resource
    people: Mapping[str, Sequence[str]] = field(default_factory=dict)
    workloads: Sequence[WorkloadNeeds] = ()


class Access(pulumi.ComponentResource):
    """Bindings with the rights of `HUMANS` and those that workloads need. A role without people is nobody's.

    Pods act as themselves, through workload identity federation. `ready` is what they wait for.
    """

    def __init__(self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:gcp:Access", name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        after_cluster = pulumi.ResourceOptions(parent=self, depends_on=[args.cluster])
        self.ready: list[pulumi.Resource] = []
        for person, given in HUMANS.items():
            for number, member in enumerate(args.people.get(person, ())):
                self._person(f"{person}-{number}", person, member, given)
        for each in args.workloads:
            if account := each.service_account:
                member = args.project.pod(account.namespace, account.name)
                self.ready += self._lake(each.name, member, each.grants, after_cluster)
        self.register_outputs({})

    def _person(self, who: str, person: str, member: str, given: Sequence[Grant]) -> None:
        # What AWS writes to this bucket is among the audit logs here.
        here = [grant for grant in given if grant.bucket != ACCESS_LOGS]
        self._lake(who, member, here, self._child)
        for role in (FIND_CLUSTER, *(AUDIT_ROLES if person == AUDITOR else ())):
            gcp.projects.IAMMember(
                f"{self._name}-{who}-{role.rpartition('.')[2]}",
                project=self._args.project.id,
                role=role,
                member=member,
                opts=self._child,
            )

    def _lake(
        self, who: str, member: pulumi.Input[str], given: Sequence[Grant], opts: pulumi.ResourceOptions
    ) -> list[gcp.storage.BucketIAMMember]:
        return [
            gcp.storage.BucketIAMMember(
                f"{self._name}-{who}-{binding.label}",
                bucket=binding.bucket,
                role=binding.role,
                member=member,
                condition={"title": binding.condition.title, "expression": binding.condition.expression}
                if binding.condition
                else None,
                opts=opts,
            )
            for binding in grants.bindings(self._args.lake.buckets, given)
        ]


def groups_domain(people: Mapping[str, Sequence[str]]) -> str | None:
    """The domain whose groups RBAC may name: that of the first group among `people`, None without groups."""
    groups = [member for members in people.values() for member in members if member.startswith("group:")]
    return groups[0].rpartition("@")[2] if groups else None
