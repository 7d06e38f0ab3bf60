"""What compression needs of the platform: models to read, texts to judge by, and a place for what is good enough."""

from infra.contracts.grants import ML_ENGINEERS, Grant
from infra.contracts.needs import Namespace, Priority, RoleBinding, WorkloadNeeds

# The only part of released/ that it may write: it can replace no model that somebody else released.
RELEASED = "released/compressed/"

NEEDS = WorkloadNeeds(
    name="compression",
    namespace=Namespace("compression"),
    grants=(
        Grant("models", "read", "released/"),
        Grant("models", "read", "candidates/"),
        Grant("models", "write", RELEASED),
        Grant("curated", "read"),
    ),
    priority=Priority(500, "Compression: a Job that nobody waits for."),
    roles=(RoleBinding(ML_ENGINEERS, "view"),),
)
