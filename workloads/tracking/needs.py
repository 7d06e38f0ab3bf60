"""What the tracking server needs of the platform: a database, a part of the lake, clients, scraping and alerts.

Metric names: MLflow 3.17.2 as it exports them (tests/workloads/tracking/test_server.py).
"""

from infra.contracts.grants import ML_ENGINEERS, Grant
from infra.contracts.needs import (
    IN_CLOUDS,
    Alert,
    Namespace,
    PodMonitor,
    PolicyRule,
    Priority,
    Role,
    RoleBinding,
    Severity,
    WorkloadNeeds,
)

NAME = NAMESPACE = APP = "tracking"
PORT, PORT_NAME = 5000, "http"
# Of the lake's bucket `models`: what clients upload beside their runs.
ARTIFACTS = "tracking/"


def _alert(name: str, expression: str, lasting: str, severity: Severity, summary: str, part: str) -> Alert:
    return Alert(name, expression, lasting, severity, summary, f"docs/tracking.md#{part}")


_REQUESTS = "sum(rate(mlflow_http_request_total[5m]))"
ALERTS = (
    _alert(
        "TrackingFails",
        f'sum(rate(mlflow_http_request_total{{status=~"5.."}}[5m])) / {_REQUESTS} > 0.05',
        "10m",
        "critical",
        "One answer of the tracking server in twenty is a 5xx: runs lose metrics, and promotions stop half way",
        "the-server-fails",
    ),
    _alert(
        "TrackingSlow",
        "histogram_quantile(0.95, sum by (le) (rate(mlflow_http_request_duration_seconds_bucket[10m]))) > 2",
        "15m",
        "warning",
        "One request to the tracking server in twenty takes over two seconds: trainers wait for it",
        "the-server-is-slow",
    ),
)

# Who may open the server's pages from where they sit: nobody else gets past the network policies.
REACH = Role("reach-tracking", (PolicyRule("", ("pods/portforward",), ("create",)),))

NEEDS = WorkloadNeeds(
    name=NAME,
    namespace=Namespace(NAMESPACE),
    grants=(
        Grant("models", "write", ARTIFACTS),
        # What registry.py registers: it reads a model whole for its digest.
        Grant("models", "read", "candidates/"),
        Grant("models", "read", "released/"),
    ),
    priority=Priority(8_000, "The tracking server: jobs of days report to it."),
    clients=({"india-ai-infra/tracking-client": "true"},),
    monitors=(PodMonitor("tracking", APP, PORT_NAME, alerts=ALERTS),),
    roles=(RoleBinding(ML_ENGINEERS, "view"), RoleBinding(ML_ENGINEERS, REACH)),
    runs_on=IN_CLOUDS,
    database=True,
)
