"""What people may do in the cluster, by the Kubernetes groups that their access entries put them in.

Nobody is given a `*`, nobody reads secrets, and nobody may exec into a pod: a shell in a pod has its cloud identity.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple

import pulumi
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.rbac.v1 import (
    ClusterRole,
    ClusterRoleBinding,
    PolicyRuleArgs,
    RoleBinding,
    RoleRefArgs,
    SubjectArgs,
)

from infra.contracts.grants import AUDITORS, DATA_ENGINEERS, ML_ENGINEERS
from infra.contracts.needs import READ, PolicyRule, Role, WorkloadNeeds
from infra.contracts.resource_options import after

VIEW = "view"


def _rule(group: str, resources: Sequence[str], verbs: Sequence[str]) -> PolicyRuleArgs:
    return PolicyRuleArgs(api_groups=[group], resources=list(resources), verbs=list(verbs))


_VIEW = [
    _rule("", ["pods", "pods/log", "services", "events", "resourcequotas", "limitranges"], READ),
    _rule("apps", ["deployments", "replicasets", "statefulsets"], READ),
    _rule("batch", ["jobs", "cronjobs"], READ),
    _rule("policy", ["poddisruptionbudgets"], READ),
    _rule("kueue.x-k8s.io", ["localqueues", "workloads"], READ),
    _rule("keda.sh", ["scaledobjects"], READ),
]
_CAPACITY = [
    _rule("", ["nodes", "namespaces"], READ),
    _rule("karpenter.sh", ["nodepools", "nodeclaims"], READ),
    _rule("kueue.x-k8s.io", ["clusterqueues", "resourceflavors"], READ),
    _rule("scheduling.k8s.io", ["priorityclasses"], READ),
]
_AUDIT = [
    _rule("", ["serviceaccounts", "persistentvolumes", "persistentvolumeclaims"], READ),
    _rule("networking.k8s.io", ["networkpolicies", "ingresses"], READ),
    _rule(
        "rbac.authorization.k8s.io", ["roles", "rolebindings", "clusterroles", "clusterrolebindings"], READ
    ),
    _rule(
        "admissionregistration.k8s.io",
        ["validatingwebhookconfigurations", "mutatingwebhookconfigurations", "validatingadmissionpolicies"],
        READ,
    ),
    _rule("karpenter.k8s.aws", ["ec2nodeclasses"], READ),
]

ROLES = {
    VIEW: _VIEW,
    "capacity": _CAPACITY,
    "audit": [*_VIEW, *_CAPACITY, *_AUDIT],
}
# (role, group): over the whole cluster.
CLUSTER_BINDINGS = (
    ("capacity", DATA_ENGINEERS),
    ("capacity", ML_ENGINEERS),
    ("audit", AUDITORS),
)


def create_rbac(
    needs: Sequence[WorkloadNeeds],
    namespaces: Mapping[str, Namespace],
    people: Mapping[str, Sequence[str]],
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """The roles as ClusterRoles, the platform's and the workloads', bound to the groups in a workload's namespace or
    over the cluster.

    `people` are the members of a group (`group:ml@example.in`, `user:…`) where the cloud's sign-in knows them by
    address and not by the group.
    """
    roles = {
        role: ClusterRole(f"{role}-role", metadata=ObjectMetaArgs(name=_name(role)), rules=rules, opts=opts)
        for role, rules in {**ROLES, **_roles_of(needs)}.items()
    }
    cluster_wide = [
        ClusterRoleBinding(
            f"{role}-{group}",
            metadata=ObjectMetaArgs(name=f"{_name(role)}:{group}"),
            role_ref=_role_ref(role),
            subjects=_subjects(group, people),
            opts=after(opts, roles[role]),
        )
        for role, group in CLUSTER_BINDINGS
    ]
    namespaced = [
        RoleBinding(
            f"{namespace}-{role}-{group}",
            metadata=ObjectMetaArgs(name=f"{role}-{group}", namespace=namespace),
            role_ref=_role_ref(role),
            subjects=_subjects(group, people),
            opts=after(opts, roles[role], namespaces[namespace]),
        )
        for namespace, role, group in _bindings(needs)
    ]
    return [*roles.values(), *cluster_wide, *namespaced]


def _roles_of(needs: Iterable[WorkloadNeeds]) -> dict[str, list[PolicyRuleArgs]]:
    """The rules of the workloads' roles, by the role's name.

    Raises:
        ValueError: two that are not alike have one name.
    """
    roles: dict[str, tuple[PolicyRule, ...]] = {}
    for role in (bound.role for each in needs for bound in each.roles if isinstance(bound.role, Role)):
        if role.name in ROLES or roles.setdefault(role.name, role.rules) != role.rules:
            raise ValueError(f"two roles are called {role.name}, with different rules; rename one")
    return {name: [_rule(*rule) for rule in map(astuple, rules)] for name, rules in roles.items()}


def _bindings(needs: Iterable[WorkloadNeeds]) -> list[tuple[str, str, str]]:
    """Namespace, role and group of each binding that workloads need."""
    return [
        (each.namespace.name, bound.role.name if isinstance(bound.role, Role) else bound.role, bound.group)
        for each in needs
        if each.namespace
        for bound in each.roles
    ]


def _name(role: str) -> str:
    return f"india-ai-infra:{role}"


def _role_ref(role: str) -> RoleRefArgs:
    return RoleRefArgs(api_group="rbac.authorization.k8s.io", kind="ClusterRole", name=_name(role))


def _subjects(group: str, people: Mapping[str, Sequence[str]]) -> list[SubjectArgs]:
    return [_subject(member) for member in people.get(group, ())] or [_subject(f"group:{group}")]


def _subject(member: str) -> SubjectArgs:
    kind, _, name = member.partition(":")
    return SubjectArgs(api_group="rbac.authorization.k8s.io", kind=kind.capitalize(), name=name)
