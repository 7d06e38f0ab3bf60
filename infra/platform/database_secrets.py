"""Secrets by which the pods of workloads find their PostgreSQL databases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pulumi
from pulumi_kubernetes.core.v1 import Secret

from infra.contracts.database import SECRET, Database
from infra.contracts.needs import WorkloadNeeds


def create_database_secrets(
    needs: Iterable[WorkloadNeeds], databases: Mapping[str, Database], opts: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """The Secret `database.SECRET` in the namespace of each workload that has a database here, by the workload's
    name."""
    return [
        Secret(
            f"{each.namespace.name}-{SECRET}",
            metadata={"name": SECRET, "namespace": each.namespace.name},
            string_data=databases[each.name].secret,
            opts=opts,
        )
        for each in needs
        if each.namespace and each.name in databases
    ]
