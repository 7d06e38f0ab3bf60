"""What the service of Ray Serve needs of the platform: KubeRay, released models, callers, and an alert on errors.

Metric names: Ray 2.60, as a node of it exports them.
"""

from dataclasses import replace

from infra.contracts.grants import ML_ENGINEERS, Grant
from infra.contracts.needs import Alert, Namespace, PodMonitor, Priority, RoleBinding, WorkloadNeeds
from workloads.training.operators import KUBERAY

APP, METRICS_PORT_NAME = "rayserve", "metrics"

_REQUESTS = "ray_serve_num_http_requests_total"
_ERRORS = f'sum by (application) (rate({_REQUESTS}{{status_code=~"5.."}}[5m]))'
ALERTS = (
    Alert(
        "RayServeErrors",
        f"{_ERRORS} / sum by (application) (rate({_REQUESTS}[5m])) > 0.01",
        "10m",
        "warning",
        "{{ $labels.application }}: more than one in a hundred requests fails",
        "docs/small-teams.md#ray-serve",
    ),
)

NEEDS = WorkloadNeeds(
    name="rayserve",
    namespace=Namespace("rayserve"),
    grants=(Grant("models", "read", "released/"),),
    priority=Priority(9_000, "Services of Ray Serve: people wait for their answers."),
    # The operator asks the head about the applications.
    clients=({"india-ai-infra/rayserve-client": "true"}, {"kubernetes.io/metadata.name": KUBERAY.namespace}),
    monitors=(PodMonitor("rayserve", APP, METRICS_PORT_NAME, alerts=ALERTS),),
    roles=(RoleBinding(ML_ENGINEERS, "view"),),
)


def needs_for(settings: object) -> WorkloadNeeds:
    """The same with KubeRay, which a stack gets when it asks for the service."""
    return replace(NEEDS, charts=(KUBERAY,))
