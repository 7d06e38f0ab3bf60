"""Access: a role for each kind of person and workload, and their way into the cluster. No static keys anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from infra import contracts
from infra.aws import grants, iam
from infra.aws.iam import Account
from infra.contracts.governance import DATA
from infra.contracts.grants import AUDITOR, HUMANS, KUBERNETES_GROUPS, Grant, ServiceAccount
from infra.contracts.needs import WorkloadNeeds

# The configuration of the account but none of its data; an auditor reads logs through grants.
AUDIT_POLICY = "arn:aws:iam::aws:policy/SecurityAudit"


@dataclass(frozen=True)
class AccessArgs:
    """`people` are the ARNs that may assume each role (`data-engineer`, `ml-engineer`, `auditor`).

    A role without any is open to whoever the account's IAM policies let assume it, with a second factor.
    `workloads` are those whose service accounts, in the cluster of `cluster_name`, are granted something.
    `replica` is the lake once more in `replica_region`, with the same rights.
    """

    account: Account
    lake: contracts.Lake
    access_logs: contracts.Bucket
    cluster_name: str
    people: Mapping[str, Sequence[str]] = field(default_factory=dict)
    replica: contracts.Lake | None = None
    replica_region: str = ""
    workloads: Sequence[WorkloadNeeds] = ()


class Access(pulumi.ComponentResource):
    """IAM roles with the rights of `HUMANS` and those that workloads need.

    `human_roles` and `workload_roles` are their ARNs, by name.
    """

    human_roles: Mapping[str, pulumi.Output[str]]
    workload_roles: Mapping[str, pulumi.Output[str]]

    def __init__(self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:aws:Access", name, None, opts)
        self._name, self._args = name, args
        self._lakes = [{**args.lake.buckets, "access-logs": args.access_logs}]
        self._regions = [args.account.region]
        if args.replica:
            self._lakes.append({role: args.replica[role] for role in DATA})
            self._regions.append(args.replica_region)
        self.human_roles = {person: self._human(person, given) for person, given in HUMANS.items()}
        self.workload_roles = {
            each.name: self._workload(each, account)
            for each in args.workloads
            if each.grants and (account := each.service_account)
        }
        self.register_outputs({"humanRoles": self.human_roles, "workloadRoles": self.workload_roles})

    def _human(self, person: str, given: Sequence[Grant]) -> pulumi.Output[str]:
        trusted = _people(self._args.account, self._args.people.get(person, ()))
        find_cluster = iam.statement("FindCluster", ["eks:DescribeCluster"], self._cluster_arn)
        role = self._role(person, f"People: {person}", trusted, given, [find_cluster])
        if person == AUDITOR:
            aws.iam.RolePolicyAttachment(
                f"{self._name}-{person}",
                role=role.name,
                policy_arn=AUDIT_POLICY,
                opts=pulumi.ResourceOptions(parent=self),
            )
        return role.arn

    def _workload(self, workload: WorkloadNeeds, service_account: ServiceAccount) -> pulumi.Output[str]:
        trusted = iam.trust(
            iam.service("pods.eks.amazonaws.com"),
            ["sts:AssumeRole", "sts:TagSession"],
            # The tags are those that EKS Pod Identity puts on the session: without them, any association that someone
            # makes in the account would do.
            {
                "StringEquals": {
                    "aws:SourceAccount": self._args.account.id,
                    "aws:RequestTag/eks-cluster-arn": self._cluster_arn,
                    "aws:RequestTag/kubernetes-namespace": service_account.namespace,
                    "aws:RequestTag/kubernetes-service-account": service_account.name,
                }
            },
        )
        return self._role(workload.name, f"Pods: {workload.name}", trusted, workload.grants, []).arn

    def _role(
        self,
        who: str,
        description: str,
        trusted: pulumi.Output[str],
        given: Sequence[Grant],
        more: Sequence[iam.Statement],
    ) -> aws.iam.Role:
        child = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            f"{self._name}-{who}", description=description, assume_role_policy=trusted, opts=child
        )
        allowed = grants.statements(self._regions, self._lakes, given)
        aws.iam.RolePolicy(
            f"{self._name}-{who}", role=role.id, policy=iam.document(*allowed, *more), opts=child
        )
        return role

    @property
    def _cluster_arn(self) -> pulumi.Output[str]:
        return self._args.account.arn("eks", f"cluster/{self._args.cluster_name}")


def _people(account: Account, arns: Sequence[str]) -> pulumi.Output[str]:
    if arns:
        # Named roles sign in elsewhere, so the second factor was asked there; STS does not pass it on.
        return iam.trust(iam.principals(list(arns)))
    return iam.trust(
        iam.principals(account.root), conditions={"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    )


@dataclass(frozen=True)
class ClusterAccessArgs:
    """Roles by name, as `Access` makes them.

    `cluster_name` is an output of the cluster, so that this comes after it and goes before it.
    """

    cluster_name: pulumi.Input[str]
    human_roles: Mapping[str, pulumi.Output[str]]
    workload_roles: Mapping[str, pulumi.Output[str]]
    workloads: Sequence[WorkloadNeeds] = ()


class ClusterAccess(pulumi.ComponentResource):
    """People's roles as Kubernetes groups (`KUBERNETES_GROUPS`), and service accounts as workload roles.

    The groups have no rights of their own: RBAC gives them.
    """

    def __init__(
        self, name: str, args: ClusterAccessArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("india-ai-infra:aws:ClusterAccess", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        for person, role in args.human_roles.items():
            aws.eks.AccessEntry(
                f"{name}-{person}",
                cluster_name=args.cluster_name,
                principal_arn=role,
                kubernetes_groups=[KUBERNETES_GROUPS[person]],
                type="STANDARD",
                opts=child,
            )
        accounts = {each.name: each.service_account for each in args.workloads}
        for workload, role in args.workload_roles.items():
            if (account := accounts[workload]) is None:
                continue
            aws.eks.PodIdentityAssociation(
                f"{name}-{workload}",
                cluster_name=args.cluster_name,
                namespace=account.namespace,
                service_account=account.name,
                role_arn=role,
                opts=child,
            )
        self.register_outputs({})
