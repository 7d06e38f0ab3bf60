"""What training needs of the platform: its data, a queue that it leaves to servers, and people who start Jobs."""

from infra.contracts.grants import DATA_ENGINEERS, ML_ENGINEERS, Grant
from infra.contracts.needs import WRITE, Namespace, PolicyRule, Priority, Role, RoleBinding, WorkloadNeeds

TRAIN = Role(
    "train",
    (
        PolicyRule("batch", ("jobs",), WRITE),
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
    ),
    priority=Priority(1_000, "Training jobs: they resume from a checkpoint."),
    roles=(
        RoleBinding(DATA_ENGINEERS, "view"),
        RoleBinding(ML_ENGINEERS, "view"),
        RoleBinding(ML_ENGINEERS, TRAIN),
    ),
    always=True,
)
