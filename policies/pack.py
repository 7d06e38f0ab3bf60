"""The pack: every control, and what stayed unresolved."""

from __future__ import annotations

from pulumi_policy import Policy

from policies import (
    access,
    ai_artefacts,
    cost,
    databases,
    edge,
    encryption,
    exemptions,
    exposure,
    governance,
    iam_regions,
    identity,
    key_care,
    kubernetes_env,
    kubernetes_network,
    kubernetes_storage,
    logs,
    masking,
    network_paths,
    pods,
    residency,
    saas_hosts,
    sharing,
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
    *saas_hosts.CONTROLS,
    *kubernetes_env.CONTROLS,
    *kubernetes_storage.CONTROLS,
    *kubernetes_network.CONTROLS,
    *iam_regions.CONTROLS,
    *network_paths.CONTROLS,
    *edge.CONTROLS,
    *sharing.CONTROLS,
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
