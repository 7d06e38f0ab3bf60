"""The one way a chart is installed, whether it is the platform's or a workload's."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi_kubernetes.helm.v3 import Release, RepositoryOptsArgs

from infra.contracts.needs import Chart

# Operators pull images of some GB on fresh nodes; Helm's own default of 300 s is too short for that.
TIMEOUT_SECONDS = 900


def install(
    chart: Chart,
    values: Mapping[str, Any],
    opts: pulumi.ResourceOptions,
    depends_on: Sequence[pulumi.Resource] = (),
    *,
    wait: bool = True,
) -> Release:
    """A Helm release of `chart` that is ready when its pods are, and leaves nothing behind if they never are.

    Without `wait` it is ready at once: its pods come when there are nodes for them.
    """
    repository = RepositoryOptsArgs(repo=chart.repository) if chart.repository else None
    return Release(
        chart.name,
        name=chart.name,
        chart=chart.chart,
        version=chart.version,
        namespace=chart.namespace,
        repository_opts=repository,
        values=values,
        atomic=wait,
        cleanup_on_fail=True,
        skip_await=not wait,
        wait_for_jobs=wait,
        timeout=TIMEOUT_SECONDS,
        max_history=5,
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=list(depends_on))),
    )
