"""What drift needs of the platform: samples to read, a place for results, scraping, and two alerts."""

from infra.contracts.grants import ML_ENGINEERS, Grant
from infra.contracts.needs import Alert, Namespace, PodMonitor, Priority, RoleBinding, WorkloadNeeds

APP = "drift-metrics"
METRICS_PORT, METRICS_PORT_NAME = 9464, "metrics"

ALERTS = (
    Alert(
        "DriftConfirmed",
        "max by (model) (drift_confirmed) == 1",
        "5m",
        "warning",
        "What {{ $labels.model }} is asked no longer looks like what it learnt from",
        "docs/drift.md#drift-is-confirmed",
    ),
    Alert(
        "DriftNotJudged",
        "time() - max by (model) (drift_window_end_timestamp_seconds) > 3 * max by (model) (drift_window_seconds)",
        "10m",
        "warning",
        "No window of {{ $labels.model }} has been judged for three of them",
        "docs/drift.md#no-window-is-judged",
    ),
)

NEEDS = WorkloadNeeds(
    name="drift",
    namespace=Namespace("drift"),
    grants=(
        Grant("features", "read"),
        Grant("features", "write", "drift/"),
    ),
    priority=Priority(640, "Drift: a Job that nobody waits for."),
    monitors=(PodMonitor("drift", APP, METRICS_PORT_NAME, alerts=ALERTS),),
    roles=(RoleBinding(ML_ENGINEERS, "view"),),
)
