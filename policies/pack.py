"""The pack: every control, and what stayed unresolved."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from pulumi_policy import Policy

from policies import controls
from policies.controls.governance import gov_03_exemptions as exemptions
from policies.controls.governance.gov_04_unresolved import GOV_04, unresolved
from policies.controls.governance.gov_04_unresolved import NAME as UNRESOLVED
from policies.framework import baseline
from policies.framework.control import Control
from policies.framework.record import ControlRun, Outcome, Record, ReportedFinding
from policies.framework.run_state import RunState
from policies.readers.data_stores import as_if_not_personal

NAME = "india-dpdp"


def _discovered() -> Iterator[Control]:
    """The `CONTROLS` of every module below `controls/`: a new file there needs no line anywhere else."""
    for module in sorted(
        pkgutil.walk_packages(controls.__path__, f"{controls.__name__}."), key=lambda found: found.name
    ):
        yield from getattr(importlib.import_module(module.name), "CONTROLS", ())


# By id, so that messages, pages and evidence have one order.
CONTROLS: tuple[Control, ...] = tuple(
    sorted(
        (*_discovered(), exemptions.valid(exemptions.Exemptions(), baseline.Baseline())),
        key=lambda control: control.id,
    )
)


@dataclass(frozen=True)
class Run:
    """Fresh policies of some controls that share one run state, for one run of the pack."""

    controls: Sequence[Control]
    policies: list[Policy]
    run_state: RunState

    def record(self, urns: Sequence[str]) -> Record:
        """What the run found in a stack of these resources."""
        stack, project = _names(urns)
        return Record(
            pack=NAME,
            pack_version=version(),
            stack=stack,
            project=project,
            resources=len(urns),
            controls=tuple(map(self._control_run, self.controls)),
            findings=tuple(self.run_state.findings()),
        )

    def _control_run(self, control: Control) -> ControlRun:
        level = self.run_state.levels.get(control.policy_name, control.level.value)
        law = control.law.stated(self.run_state.settings.get(control.policy_name, {}))
        return ControlRun(
            id=control.id,
            title=control.title,
            severity=control.severity.value,
            level=level,
            basis=law.basis,
            law=law.text,
            remedy=control.remedy,
            resources=self.run_state.looked_at(control.id),
            stack=self.run_state.looked_at_stack(control.id),
        )


def run(controls: Sequence[Control] = CONTROLS) -> Run:
    """The pack, or some of its controls, with the exemptions and the baseline beside the program.

    The policies on unresolved values and on exemptions run last: they report what the others found.
    """
    exempt = exemptions.read([control.id for control in CONTROLS])
    old = baseline.load()

    def answer(finding: ReportedFinding) -> tuple[Outcome, str] | None:
        if finding.control == last.id:
            return None  # no exemption exempts a wrong exemption
        if entry := exempt.covers(finding):
            return "exempt", entry
        return ("baseline", "") if old.covers(finding) else None

    last = exemptions.valid(exempt, old)
    run_state = RunState(answer, suppose=as_if_not_personal)
    ordered = sorted(controls, key=lambda control: control.comes_last)
    made = [policy for control in ordered if control.id != last.id for policy in control.policies(run_state)]
    ends = [
        *GOV_04.policies(run_state),
        unresolved(controls, run_state),
        *last.policies(run_state),
        exemptions.listed(exempt, old),
    ]
    return Run(controls, [*made, *ends], run_state)


@cache
def version() -> str:
    """The pack's version, as its own file has it."""
    return str(yaml.safe_load(Path(__file__).with_name("PulumiPolicy.yaml").read_text())["version"])


def _names(urns: Sequence[str]) -> tuple[str, str]:
    """The stack and the project that URNs are of."""
    stack, _, rest = (urns[0] if urns else "").removeprefix("urn:pulumi:").partition("::")
    return stack, rest.partition("::")[0]


__all__ = ["CONTROLS", "GOV_04", "NAME", "UNRESOLVED", "Run", "run", "version"]
