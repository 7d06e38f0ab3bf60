"""The pack: every control, and what stayed unresolved."""

from __future__ import annotations

from pulumi_policy import Policy

from policies import (
    access,
    ai_artefacts,
    backups,
    breach,
    copies,
    cost,
    databases,
    encryption,
    exemptions,
    exposure,
    global_services,
    governance,
    identity,
    inference,
    key_care,
    log_places,
    log_safety,
    logs,
    masking,
    movers,
    multi_region,
    network_logs,
    pods,
    replication,
    residency,
    retention,
    streams,
    trails,
    transport,
)
from policies.control import Control
from policies.unknowns import Ledger
from policies.unresolved import unresolved

NAME = "india-dpdp"
CONTROLS: tuple[Control, ...] = (
    *residency.CONTROLS,
    *encryption.CONTROLS,
    *access.CONTROLS,
    *logs.CONTROLS,
    *trails.CONTROLS,
    *log_safety.CONTROLS,
    *network_logs.CONTROLS,
    *retention.CONTROLS,
    *backups.CONTROLS,
    *breach.CONTROLS,
    *governance.CONTROLS,
    *cost.CONTROLS,
    *databases.CONTROLS,
    *transport.CONTROLS,
    *key_care.CONTROLS,
    *ai_artefacts.CONTROLS,
    *masking.CONTROLS,
    *exposure.CONTROLS,
    *identity.CONTROLS,
    *pods.CONTROLS,
    *multi_region.CONTROLS,
    *replication.CONTROLS,
    *copies.CONTROLS,
    *log_places.CONTROLS,
    *streams.CONTROLS,
    *inference.CONTROLS,
    *movers.CONTROLS,
    *global_services.CONTROLS,
    exemptions.valid(exemptions.Exemptions()),
)


def policies() -> list[Policy]:
    """Fresh policies that share one ledger and the exemptions beside the program: one list for each run of the pack.

    The last two come after all others, for those find what they tell of.
    """
    exempt = exemptions.read([control.id for control in CONTROLS])
    ledger = Ledger(exempt.covers)
    last = exemptions.valid(exempt)
    made = [policy for control in CONTROLS if control.id != last.id for policy in control.policies(ledger)]
    return [*made, unresolved(CONTROLS, ledger), *last.policies(ledger), exemptions.listed(exempt)]
