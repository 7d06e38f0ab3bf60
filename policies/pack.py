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
    edge,
    encryption,
    exemptions,
    exposure,
    global_services,
    governance,
    iam_regions,
    identity,
    inference,
    key_care,
    kubernetes_env,
    kubernetes_network,
    kubernetes_storage,
    log_places,
    log_safety,
    logs,
    masking,
    movers,
    multi_region,
    network_logs,
    network_paths,
    pods,
    replication,
    residency,
    retention,
    saas_hosts,
    sharing,
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
    *copies.CONTROLS,
    *edge.CONTROLS,
    *global_services.CONTROLS,
    *iam_regions.CONTROLS,
    *inference.CONTROLS,
    *kubernetes_env.CONTROLS,
    *kubernetes_network.CONTROLS,
    *kubernetes_storage.CONTROLS,
    *log_places.CONTROLS,
    *movers.CONTROLS,
    *multi_region.CONTROLS,
    *network_paths.CONTROLS,
    *replication.CONTROLS,
    *saas_hosts.CONTROLS,
    *sharing.CONTROLS,
    *streams.CONTROLS,
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
