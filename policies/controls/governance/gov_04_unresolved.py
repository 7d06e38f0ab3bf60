"""What stayed unknown when the run ended: one policy, whose level is the highest that an unknown value has.

A resource policy sees a value before it is known (a key's ARN in the first preview) and can't tell where it comes
from; the stack can, by `property_dependencies`. So each control says what settles its unknowns, and the rest is
reported here, at the end of the preview. What a control that is only advice needed to know is advice too. During the
update itself values are known and the controls decide.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from pulumi_policy import (
    EnforcementLevel,
    ReportViolation,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)

from policies.framework.control import ANY_TYPE, Control, Finding
from policies.framework.record import ReportedFinding
from policies.framework.resources import Resource, Settings, Stack
from policies.framework.run_state import RunState
from policies.framework.unknowns import Path, Unknown, dotted
from policies.law import UNSEEN
from policies.readers.pod_environment import resolved_by_own_resources
from policies.readers.values.reading import read

NAME = "dpdp-unresolved-values"


def unlisted(resource: Resource, _settings: Settings) -> Iterator[Unknown]:
    """GOV-04: a value that can't be known, in a property that no control lists, may lead anywhere."""
    to_people = str(resource.props.get("protocol", "")).startswith(("email", "sms"))
    if not resource.type.startswith(_JUDGED_OTHERWISE) and not to_people:
        yield from read(resource).unknowns
    yield from (Unknown(path) for path in read(resource).unread)


# The controls of Kubernetes list the blocks of a pod that may hide something; RES-02 judges providers.
_JUDGED_OTHERWISE = ("kubernetes:", "pulumi:")
# A value that a control needed is reported under that control; one that none lists, under this.
GOV_04 = Control(
    id="DPDP-GOV-04",
    title="No value stays unresolved",
    law=UNSEEN,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=ANY_TYPE,
    remedy="give the value as plain text, or take it from a resource of this stack",
    check=unlisted,
    resolves=resolved_by_own_resources,
)


def unresolved(controls: Sequence[Control], run_state: RunState) -> StackValidationPolicy:
    """A policy that reports each value that some control needed, could not know, and nothing in the stack settles."""

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        stack = run_state.stack(args)
        listed = {
            (urn, unknown.path) for control in controls for urn, unknown in run_state.unknowns(control.id)
        }
        reported = [
            _reported(control, urn, unknown, run_state)
            for control in (*controls, GOV_04)
            for urn, unknown in _open(control, run_state, stack, listed)
        ]
        for one in run_state.report(NAME, "", reported):
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


def _open(
    control: Control, run_state: RunState, stack: Stack, listed: Collection[tuple[str, Path]]
) -> Iterator[tuple[str, Unknown]]:
    """What nothing settles; of the values that no control lists, those that none of them has spoken of."""
    for urn, unknown in run_state.unknowns(control.id):
        if control.id == GOV_04.id and (urn, unknown.path) in listed:
            continue
        resource = stack.get(urn)
        if resource is None or not control.resolves(unknown, resource, stack):
            yield urn, unknown


def _reported(control: Control, urn: str, unknown: Unknown, run_state: RunState) -> ReportedFinding:
    finding = Finding(
        what="unresolved: a value that this control needs can't be known during preview",
        where=dotted(unknown.path),
        value=unknown,
        expected="a value known in preview, or one that comes from a resource of this stack that settles it",
        fix="give the value as plain text, or take it from such a resource",
    )
    reported = control.reported(NAME, urn, finding, run_state.settings.get(control.policy_name, {}))
    needed_at = run_state.levels.get(control.policy_name, control.level.value)
    severity, level = GOV_04.severity.value, "advisory" if needed_at == "advisory" else GOV_04.level.value
    return reported.model_copy(
        update={"outcome": "unresolved", "value": "unknown", "severity": severity, "level": level}
    )
