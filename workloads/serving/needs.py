"""What serving needs of the platform: released models, GPUs before anybody else, callers, and alerts on answers."""

from infra.contracts.grants import ML_ENGINEERS, Grant
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
from workloads.serving.alerts import ALERTS, SERVER_LABEL
from workloads.serving.dashboard import DASHBOARD
from workloads.serving.engines import engines

IMAGE = engines()["vllm"].image
APP = "model-server"
PORT_NAME = "http"
METRICS_PORT_NAME = "metrics"  # where metrics are on a port of their own


def floor_name(server: str) -> str:
    """The name of the Deployment of a server's floor on demand."""
    return f"{server}-on-demand"


SERVE = Role(
    "serve",
    (
        PolicyRule("apps", ("deployments",), WRITE),
        PolicyRule("apps", ("deployments/scale",), ("get", "update", "patch")),
        PolicyRule("", ("configmaps", "services"), WRITE),
        PolicyRule("", ("pods",), ("delete",)),
        PolicyRule("policy", ("poddisruptionbudgets",), WRITE),
        PolicyRule("keda.sh", ("scaledobjects",), WRITE),
    ),
)

NEEDS = WorkloadNeeds(
    name="serving",
    namespace=Namespace("serving"),
    grants=(Grant("models", "read", "released/"),),
    priority=Priority(10_000, "Model servers: people wait for their answers.", preempts=True),
    clients=({"india-ai-infra/serving-client": "true"},),
    internet=True,
    monitors=(PodMonitor("model-servers", APP, PORT_NAME, (SERVER_LABEL,), ALERTS),),
    dashboards=(Dashboard("serving", DASHBOARD),),
    roles=(RoleBinding(ML_ENGINEERS, "view"), RoleBinding(ML_ENGINEERS, SERVE)),
    default_image=IMAGE,
    always=True,
)
