"""What the gate needs of the platform: golden sets and models to read, and a place for verdicts that it can't alter."""

from infra.contracts.grants import ML_ENGINEERS, Grant
from infra.contracts.needs import Namespace, Priority, RoleBinding, WorkloadNeeds
from infra.settings.workloads.evaluation import GOLDEN

VERDICTS = "evaluations/"

NEEDS = WorkloadNeeds(
    name="evaluation",
    namespace=Namespace("evaluation"),
    grants=(
        Grant("curated", "read", GOLDEN),
        Grant("models", "read", "released/"),
        Grant("audit", "add", VERDICTS),
    ),
    priority=Priority(8_500, "Gates: a rollout waits for them."),
    # A candidate whose weights are on a hub, as its server has them.
    internet=True,
    roles=(RoleBinding(ML_ENGINEERS, "view"),),
)
