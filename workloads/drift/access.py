"""What the program may ask of the API server: its own Lease, one CronJob to read, one Job to look for and to make."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from workloads.drift.needs import NEEDS
from workloads.drift.programs.flight import LEASE
from workloads.drift.programs.job import Retraining


def access(name: str, asked: Retraining, opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """The Roles and their bindings, in each namespace that is touched. `create` can't be held to a name."""
    lease = [
        _rule("coordination.k8s.io", "leases", ["get", "update"], [LEASE]),
        _rule("coordination.k8s.io", "leases", ["create"]),
    ]
    training = [
        _rule("batch", "cronjobs", ["get"], [asked.cron_job]),
        _rule("batch", "jobs", ["get"], [asked.cron_job]),
        _rule("batch", "jobs", ["create"]),
    ]
    rules = {NEEDS.name: lease, asked.namespace: training}
    if golden := asked.evaluation:
        rules[golden.namespace] = [
            _rule("batch", "cronjobs", ["get"], [golden.cron_job]),
            _rule("batch", "jobs", ["create"]),
        ]
    return [made for namespace, those in rules.items() for made in _granted(name, namespace, those, opts)]


def _granted(
    name: str, namespace: str, rules: Sequence[k8s.rbac.v1.PolicyRuleArgs], opts: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    metadata = ObjectMetaArgs(name=name, namespace=namespace)
    role = k8s.rbac.v1.Role(f"{name}-{namespace}", metadata=metadata, rules=list(rules), opts=opts)
    account = k8s.rbac.v1.SubjectArgs(kind="ServiceAccount", name=NEEDS.name, namespace=NEEDS.name)
    of = k8s.rbac.v1.RoleRefArgs(api_group="rbac.authorization.k8s.io", kind="Role", name=name)
    bound = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[role]))
    binding = k8s.rbac.v1.RoleBinding(
        f"{name}-{namespace}", metadata=metadata, role_ref=of, subjects=[account], opts=bound
    )
    return [role, binding]


def _rule(
    group: str, resource: str, verbs: Sequence[str], names: Sequence[str] | None = None
) -> k8s.rbac.v1.PolicyRuleArgs:
    return k8s.rbac.v1.PolicyRuleArgs(
        api_groups=[group],
        resources=[resource],
        verbs=list(verbs),
        resource_names=list(names) if names else None,
    )
