"""What training needs of the platform: its data, a queue that it leaves to servers, people who start jobs, alerts."""

from infra.contracts.grants import DATA_ENGINEERS, ML_ENGINEERS, Grant
from infra.contracts.needs import (
    WRITE,
    Dashboard,
    Namespace,
    PodMonitor,
    PolicyRule,
    Priority,
    Role,
    RoleBinding,
    WorkloadNeeds,
)
from workloads.training.alerts import ALERTS, JOB_LABEL
from workloads.training.dashboard import DASHBOARD

APP = "training-job"
METRICS_PORT, METRICS_PORT_NAME = 9464, "metrics"

TRAIN = Role(
    "train",
    (
        PolicyRule("batch", ("jobs",), WRITE),
        PolicyRule("trainer.kubeflow.org", ("trainjobs", "trainingruntimes"), WRITE),
        PolicyRule("ray.io", ("rayjobs",), WRITE),
        PolicyRule("", ("configmaps", "services"), WRITE),
        PolicyRule("", ("pods",), ("delete",)),
    ),
)

NEEDS = WorkloadNeeds(
    name="training",
    namespace=Namespace("training"),
    grants=(
        Grant("curated", "read"),
        Grant("features", "read"),
        Grant("models", "write", "candidates/"),
        Grant("checkpoints", "prune", "jobs/"),
        # Last: a grant's place is part of the names of its bindings on Google.
        Grant("models", "read", "released/"),
    ),
    priority=Priority(1_000, "Training jobs: they resume from a checkpoint."),
    monitors=(PodMonitor("training-jobs", APP, METRICS_PORT_NAME, (JOB_LABEL,), ALERTS),),
    dashboards=(Dashboard("training", DASHBOARD),),
    roles=(
        RoleBinding(DATA_ENGINEERS, "view"),
        RoleBinding(ML_ENGINEERS, "view"),
        RoleBinding(ML_ENGINEERS, TRAIN),
    ),
    always=True,
)
