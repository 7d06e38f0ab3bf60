"""What the feature store needs of the platform: the lake's features, a database for the registry, and alerts.

Metric names: programs/metrics.py.
"""

from infra.contracts.grants import DATA_ENGINEERS, ML_ENGINEERS, Grant
from infra.contracts.needs import (
    IN_CLOUDS,
    Alert,
    Namespace,
    PodMonitor,
    Priority,
    RoleBinding,
    WorkloadNeeds,
)

NAMESPACE = "features"
SERVER_APP, JOB_APP, REDIS_APP = "features-server", "features-materialise", "features-redis"
METRICS_PORT_NAME = "metrics"
# The folder of the lake's bucket `features` that the projects are in.
FOLDER = "feast"

ALERTS = (
    Alert(
        "FeaturesLate",
        "features_freshness_seconds > features_freshness_limit_seconds",
        "15m",
        "warning",
        "{{ $labels.project }}: the features that models get are of {{ $value | humanizeDuration }} ago",
        "docs/features.md#features-are-late",
    ),
    Alert(
        "FeaturesMaterialisationFailed",
        "max by (project) (features_materialisation_failed) == 1",
        "0m",
        "warning",
        "{{ $labels.project }}: the last materialisation failed; what is served is that of the one before",
        "docs/features.md#a-materialisation-failed",
    ),
    Alert(
        "FeaturesWithoutRedis",
        "min by (project) (features_redis_up) == 0",
        "2m",
        "critical",
        "{{ $labels.project }}: Redis does not answer, and models get no features",
        "docs/features.md#redis-does-not-answer",
    ),
)

NEEDS = WorkloadNeeds(
    name="features",
    namespace=Namespace(NAMESPACE),
    grants=(Grant("features", "read", f"{FOLDER}/"),),
    priority=Priority(11_500, "Features: a model waits for them before it answers."),
    clients=({"india-ai-infra/features-client": "true"},),
    monitors=(PodMonitor("features", SERVER_APP, METRICS_PORT_NAME, alerts=ALERTS),),
    roles=(RoleBinding(DATA_ENGINEERS, "view"), RoleBinding(ML_ENGINEERS, "view")),
    runs_on=IN_CLOUDS,
    database=True,
)
