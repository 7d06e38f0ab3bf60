"""What the service of BentoML needs of the platform: released models, callers, and an alert on errors.

Metric names: BentoML 1.4.40, as `bentoml serve` gives them.
"""

from infra.contracts.grants import ML_ENGINEERS, Grant
from infra.contracts.needs import Alert, Namespace, PodMonitor, Priority, RoleBinding, WorkloadNeeds

APP, PORT_NAME = "bento-service", "http"

_ERRORS = 'sum by (service_name) (rate(bentoml_service_request_total{http_response_code=~"5.."}[5m]))'
ALERTS = (
    Alert(
        "BentoServiceErrors",
        f"{_ERRORS} / sum by (service_name) (rate(bentoml_service_request_total[5m])) > 0.01",
        "10m",
        "warning",
        "{{ $labels.service_name }}: more than one in a hundred requests fails",
        "docs/small-teams.md#bentoml",
    ),
)

NEEDS = WorkloadNeeds(
    name="bento",
    namespace=Namespace("bento"),
    grants=(Grant("models", "read", "released/"),),
    priority=Priority(9_500, "Services of BentoML: people wait for their answers."),
    clients=({"india-ai-infra/bento-client": "true"},),
    monitors=(PodMonitor("bento-services", APP, PORT_NAME, alerts=ALERTS),),
    roles=(RoleBinding(ML_ENGINEERS, "view"),),
)
