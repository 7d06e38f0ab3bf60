"""What the proofs need of the platform: their own part of the lake, and a place for evidence that they can't alter."""

from infra.contracts.grants import ML_ENGINEERS, Grant
from infra.contracts.needs import IN_CLOUDS, Namespace, RoleBinding, WorkloadNeeds

NEEDS = WorkloadNeeds(
    name="proof",
    namespace=Namespace("proof"),
    grants=(Grant("audit", "add", "evidence/"), Grant("checkpoints", "prune", "proof/")),
    roles=(RoleBinding(ML_ENGINEERS, "view"),),
    # A store on premises knows none of the identities whose limits are proved.
    runs_on=IN_CLOUDS,
    always=True,
)
