"""What stayed unknown when the run ended: one policy, whose level is the highest that an unknown value has.

A resource policy sees a value before it is known (a key's ARN in the first preview) and can't tell where it comes
from; the stack can, by `property_dependencies`. So each control says what settles its unknowns, and the rest is
reported here, at the end of the preview. What a control that is only advice needed to know is advice too. During the
update itself values are known and the controls decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pulumi_policy import (
    EnforcementLevel,
    ReportViolation,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)

from policies.framework.control import Control, Finding
from policies.framework.record import Told
from policies.framework.resources import Stack
from policies.framework.run_state import Ledger
from policies.framework.unknowns import Unknown, dotted
from policies.law import EXEMPTIONS

NAME = "dpdp-unresolved-values"
# For its page: it finds nothing itself, and its findings are told under the control that needed the value.
GOV_04 = Control(
    id="DPDP-GOV-04",
    title="No value stays unresolved",
    law=EXEMPTIONS,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=(),
    remedy="give the value as plain text, or take it from a resource of this stack",
    check=None,
)


def unresolved(controls: Sequence[Control], ledger: Ledger) -> StackValidationPolicy:
    """A policy that reports each value that some control needed, could not know, and nothing in the stack settles."""

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        stack = ledger.stack(args)
        told = [
            _told(control, urn, unknown, ledger)
            for control in controls
            for urn, unknown in _open(control, ledger, stack)
        ]
        for one in ledger.tell(NAME, "", told):
            report(one.message, one.urn)

    return StackValidationPolicy(
        name=NAME,
        description="Values that a control needs and this preview can't know",
        display_name="Unresolved values",
        enforcement_level=GOV_04.level,
        severity=GOV_04.severity,
        tags=["unresolved", GOV_04.id],
        remediation_steps=GOV_04.remedy,
        validate=validate,
    )


def _open(control: Control, ledger: Ledger, stack: Stack) -> Iterator[tuple[str, Unknown]]:
    for urn, unknown in ledger.unknowns(control.id):
        resource = stack.get(urn)
        if resource is None or not control.settles(unknown, resource, stack):
            yield urn, unknown


def _told(control: Control, urn: str, unknown: Unknown, ledger: Ledger) -> Told:
    finding = Finding(
        what="unresolved: a value that this control needs can't be known during preview",
        where=dotted(unknown.path),
        value=unknown,
        expected="a value known in preview, or one that comes from a resource of this stack that settles it",
        fix="give the value as plain text, or take it from such a resource",
    )
    told = control.told(NAME, urn, finding, ledger.settings.get(control.policy_name, {}))
    needed_at = ledger.levels.get(control.policy_name, control.level.value)
    severity, level = GOV_04.severity.value, "advisory" if needed_at == "advisory" else GOV_04.level.value
    return told.model_copy(
        update={"outcome": "unresolved", "value": "unknown", "severity": severity, "level": level}
    )
