"""What lakeFS needs of the platform: a database, its part of the lake, clients, scraping and an alert.

Metrics: lakeFS 1.84.0 (pkg/api/stats.go, pkg/gateway/stats.go; `/metrics` in pkg/api/serve.go).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from infra.contracts.grants import DATA_ENGINEERS, ML_ENGINEERS, Grant
from infra.contracts.needs import (
    IN_CLOUDS,
    Alert,
    Namespace,
    PodMonitor,
    PolicyRule,
    Role,
    RoleBinding,
    WorkloadNeeds,
)
from infra.settings.workloads.lakefs import Lakefs

NAME = NAMESPACE = APP = "lakefs"
IMAGE, IMAGE_TAG = "treeverse/lakefs", "1.84.0"
# The chart's name of the container's port.
PORT_NAME = "http"
# Of each bucket: where repositories keep their data.
FOLDER = "lakefs/"


def grants(buckets: Iterable[str]) -> tuple[Grant, ...]:
    """Its own part of each bucket to write, the rest to read.

    On Google an upload in parts removes them at its end (pkg/block/gs/adapter.go), hence `prune`. A new repository asks
    for an object that is not there yet (ensureStorageNamespace in pkg/api/controller.go), and Cloud Storage says so to
    none but who may list the bucket whole, hence `read`: what the data engineers who use it may read themselves.
    """
    return tuple(grant for name in buckets for grant in (Grant(name, "prune", FOLDER), Grant(name, "read")))


def _failing(metric: str) -> str:
    calls = f'{metric}_request_duration_seconds_count{{namespace="{NAMESPACE}"'
    return f'sum(rate({calls},code=~"5.."}}[5m])) / sum(rate({calls}}}[5m])) > 0.05'


ALERT = Alert(
    "LakefsFails",
    f"{_failing('api')} or {_failing('gateway')}",
    "10m",
    "critical",
    "One answer of lakeFS in twenty is a 5xx: commits stop, and who reads data through it gets errors",
    "docs/versions.md#lakefs-fails",
)
# Who may open its pages from where they sit: nobody else gets past the network policies.
REACH = Role("reach-lakefs", (PolicyRule("", ("pods/portforward",), ("create",)),))

# No priority: the chart has no value for one.
NEEDS = WorkloadNeeds(
    name=NAME,
    namespace=Namespace(NAMESPACE),
    grants=grants(["curated"]),
    clients=({"india-ai-infra/lakefs-client": "true"},),
    monitors=(PodMonitor(NAME, APP, PORT_NAME, alerts=(ALERT,)),),
    roles=tuple(
        RoleBinding(group, role) for group in (DATA_ENGINEERS, ML_ENGINEERS) for role in ("view", REACH)
    ),
    runs_on=IN_CLOUDS,
    database=True,
    default_image=f"{IMAGE}:{IMAGE_TAG}",
)


def needs_for(settings: Lakefs) -> WorkloadNeeds:
    """What it needs with the buckets of its settings."""
    return replace(NEEDS, grants=grants(settings.buckets))
