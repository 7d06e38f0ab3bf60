"""The pack: every control, and what stayed unresolved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pulumi_policy import Policy

from policies import (
    access,
    ai_artefacts,
    backups,
    baseline,
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
from policies.ledger import Ledger
from policies.record import Asked, Outcome, Record, Told
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
    exemptions.valid(exemptions.Exemptions(), baseline.Baseline()),
)


@dataclass(frozen=True)
class Run:
    """Fresh policies that share one ledger, for one run of the pack."""

    policies: list[Policy]
    ledger: Ledger

    def record(self, urns: Sequence[str]) -> Record:
        """What the run found in a stack of these resources."""
        stack, project = _names(urns)
        return Record(
            pack=NAME,
            pack_version=version(),
            stack=stack,
            project=project,
            resources=len(urns),
            controls=tuple(map(self._asked, sorted(CONTROLS, key=lambda control: control.id))),
            findings=tuple(self.ledger.told()),
        )

    def _asked(self, control: Control) -> Asked:
        level = self.ledger.levels.get(control.policy_name, control.level.value)
        law = control.law.stated(self.ledger.settings.get(control.policy_name, {}))
        return Asked(
            id=control.id,
            title=control.title,
            severity=control.severity.value,
            level=level,
            basis=law.basis,
            law=law.text,
            remedy=control.remedy,
            resources=self.ledger.looked_at(control.id),
            stack=control.stack_check is not None and level != "disabled",
        )


def run() -> Run:
    """The pack with the exemptions and the baseline beside the program.

    The last two policies come after all others, for those find what they tell of.
    """
    exempt = exemptions.read([control.id for control in CONTROLS])
    old = baseline.beside()

    def answer(told: Told) -> tuple[Outcome, str] | None:
        if told.control == last.id:
            return None  # nobody answers for the answers
        if entry := exempt.covers(told):
            return "exempt", entry
        return ("baseline", "") if old.covers(told) else None

    last = exemptions.valid(exempt, old)
    ledger = Ledger(answer)
    made = [policy for control in CONTROLS if control.id != last.id for policy in control.policies(ledger)]
    ends = [unresolved(CONTROLS, ledger), *last.policies(ledger), exemptions.listed(exempt, old)]
    return Run([*made, *ends], ledger)


def version() -> str:
    """The pack's version, as its own file has it."""
    return str(yaml.safe_load(Path(__file__).with_name("PulumiPolicy.yaml").read_text())["version"])


def _names(urns: Sequence[str]) -> tuple[str, str]:
    """The stack and the project that URNs are of."""
    stack, _, rest = (urns[0] if urns else "").removeprefix("urn:pulumi:").partition("::")
    return stack, rest.partition("::")[0]
