"""The pack: every control, and what stayed unresolved."""

from __future__ import annotations

from pulumi_policy import Policy

from policies import access, cost, encryption, governance, logs, residency
from policies.control import Control
from policies.unknowns import Ledger
from policies.unresolved import unresolved

NAME = "india-dpdp"
CONTROLS: tuple[Control, ...] = (
    *residency.CONTROLS,
    *encryption.CONTROLS,
    *access.CONTROLS,
    *logs.CONTROLS,
    *governance.CONTROLS,
    *cost.CONTROLS,
)


def policies() -> list[Policy]:
    """Fresh policies that share one ledger: one list for each run of the pack."""
    ledger = Ledger()
    return [policy for control in CONTROLS for policy in control.policies(ledger)] + [
        unresolved(CONTROLS, ledger)
    ]
