"""A control: what the law asks, and the small function that looks for it, turned into policies of `pulumi_policy`.

Ids and policy names are API: people's configuration, exemptions and evidence refer to them. A control makes one
resource policy (`dpdp-res-01-resource-location-in-india`), which runs before each resource is made, and where it has
to join resources, a stack policy of that name with `-stack`, which runs at the end. Stack policies are few: the SDK
deserialises the whole stack again for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyComplianceFramework,
    PolicyConfigSchema,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.deserialize import deserialize_properties, serialize_properties
from pulumi_policy.proxy import UnknownValueError, unknown_checking_proxy

from policies.framework.record import ReportedFinding, brief, type_of
from policies.framework.remediation import PropertyPatch, patched
from policies.framework.resources import Resource, Settings, Stack, StackResource, provider_props
from policies.framework.run_state import RunState
from policies.framework.unknowns import Unknown, plain
from policies.law import ENTITIES, Law, provisions

T = TypeVar("T")

ANY_TYPE = ("",)  # every type starts with it
_FRAMEWORK = PolicyComplianceFramework(
    name="DPDP", version="2023", reference="Act 22 of 2023", specification="DPDP Rules 2025, G.S.R. 846(E)"
)


@dataclass(frozen=True)
class Finding:
    """One thing wrong at one place. `law` and `fix` only where they differ from the control's own."""

    what: str
    where: str
    value: Any
    expected: str
    fix: str = ""
    law: Law | None = None


Check = Callable[[Resource, Settings], Iterable[Finding | Unknown]]
StackCheck = Callable[[Stack, Settings], Iterable[tuple[str, Finding | Unknown]]]
Remediate = Callable[[Resource, Settings], Iterable[PropertyPatch]]
Resolves = Callable[[Unknown, StackResource, Stack], bool]


def nothing_resolves(_unknown: Unknown, _resource: StackResource, _stack: Stack) -> bool:
    """Says that no resource of the stack makes up for an unknown value."""
    return False


@dataclass(frozen=True)
class Control:
    """`types` are prefixes of resource types; none for a control that only sees the whole stack. `resolves` says
    whether the stack makes up for an unknown value. `remediate` gives what may be filled in where somebody sets the
    level `remediate`: only what has one safe value. `remedies` are by the prefix of a type, where the clouds differ.
    `comes_last`: its stack policy needs to know what the others found.

    `law` is the basis of a finding, unless the finding names one of `other_laws`, or `law_of_type` has another for the
    type of its resource."""

    id: str
    title: str
    law: Law
    severity: Severity
    level: EnforcementLevel
    types: tuple[str, ...]
    remedy: str
    check: Check | None
    stack_check: StackCheck | None = None
    resolves: Resolves = nothing_resolves
    settings: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    remediate: Remediate | None = None
    remedies: Mapping[str, str] = field(default_factory=dict)
    comes_last: bool = False
    other_laws: tuple[Law, ...] = ()
    law_of_type: Mapping[str, Law] = field(default_factory=dict)

    @cached_property
    def laws(self) -> tuple[Law, ...]:
        """Every law that a finding of this control may rest on, its own first."""
        return tuple(dict.fromkeys((self.law, *self.other_laws, *self.law_of_type.values())))

    @cached_property
    def policy_name(self) -> str:
        """The name of its resource policy, which people's configuration refers to."""
        return f"{self.id}-{self.title}".lower().replace(" ", "-")

    def policies(self, run_state: RunState) -> list[Policy]:
        """The policies that carry this control out."""
        made: list[Policy] = []
        if self.check:
            validate = _resource_validation(self, self.check, run_state)
            remediate = _remediation(self, self.remediate) if self.remediate else None
            made.append(
                ResourceValidationPolicy(
                    name=self.policy_name, validate=validate, remediate=remediate, **self._described
                )
            )
        if self.stack_check:
            name = f"{self.policy_name}-stack" if made else self.policy_name
            validate_stack = _stack_validation(self, self.stack_check, run_state, name)
            made.append(StackValidationPolicy(name=name, validate=validate_stack, **self._described))
        return made

    @cached_property
    def settings_of_law(self) -> dict[str, dict[str, Any]]:
        """The settings `regulatedAs` and `inForceFrom`, for controls whose law depends on them."""
        made: dict[str, dict[str, Any]] = {}
        if pending := [provisions()[one].in_force for law in self.laws for one in law.pending]:
            made["inForceFrom"] = {
                "type": "string",
                "format": "date",
                "default": str(pending[0]),
                "description": "the day from which provisions bind that were not in force in November 2026",
            }
        if entities := [one for one in ENTITIES if any(one in law.regulated for law in self.laws)]:
            made["regulatedAs"] = {
                "type": "array",
                "items": {"type": "string", "enum": entities},
                "default": [],
                "description": f"what a regulator binds you as, of {', '.join(entities)}: statutory for these",
            }
        return made

    def reported(self, policy: str, urn: str, finding: Finding, settings: Settings) -> ReportedFinding:
        """A finding as the record keeps it, with the law that applies under this run's settings."""
        law = (finding.law or self.law_of_type.get(type_of(urn), self.law)).stated(settings)
        return ReportedFinding(
            control=self.id,
            policy=policy,
            level=self.level.value,
            severity=self.severity.value,
            urn=urn,
            what=finding.what,
            where=finding.where,
            value=brief(finding.value),
            expected=finding.expected,
            fix=finding.fix or self.fix_of(type_of(urn)),
            basis=law.basis,
            law=law.text,
        )

    def fix_of(self, type_: str) -> str:
        """The remedy for resources of a type: nobody needs to hear of the other cloud's."""
        of = max((prefix for prefix in self.remedies if type_.startswith(prefix)), key=len, default=None)
        return self.remedy if of is None else self.remedies[of]

    @cached_property
    def _described(self) -> dict[str, Any]:
        properties = {**self.settings, **self.settings_of_law}
        return {
            "description": f"{self.id}: {self.title}",
            "display_name": self.title,
            "enforcement_level": self.level,
            "severity": self.severity,
            "framework": _FRAMEWORK if self.id.startswith("DPDP") else None,
            "tags": [self.id, self.law.basis],
            "remediation_steps": self.remedy,
            "config_schema": PolicyConfigSchema(properties) if properties else None,
        }


def _resource_validation(
    control: Control, check: Check, run_state: RunState
) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if not args.resource_type.startswith(control.types):
            args.not_applicable("other resource type")
        settings = args.get_config()
        reported: list[ReportedFinding] = []
        unknowns: list[Unknown] = []
        for found in _sure(lambda: check(run_state.resource(args), settings)):
            if isinstance(found, Unknown):
                unknowns.append(found)
            else:
                reported.append(control.reported(control.policy_name, args.urn, found, settings))
        run_state.set_unknowns(control.id, args.urn, unknowns)
        if reported:
            _count_avoidable(control, check, run_state, args, len(reported))
        for one in run_state.report(control.policy_name, args.urn, reported):
            report(one.message, None)

    return validate


def _count_avoidable(
    control: Control, check: Check, run_state: RunState, args: ResourceValidationArgs, count: int
) -> None:
    """How many findings would go if what the run state supposes were so: the check itself says it."""
    resource = run_state.resource(args)
    if (instead := run_state.suppose(resource)) is None:
        return
    mended = Resource(resource.type, resource.urn, {**resource.props, **instead}, resource.provider_props)
    left = [one for one in _sure(lambda: check(mended, args.get_config())) if isinstance(one, Finding)]
    run_state.set_avoidable(control.policy_name, args.urn, count - len(left))


def _remediation(control: Control, patches_of: Remediate) -> Callable[[ResourceValidationArgs], Any]:
    """Runs before the check, which judges what comes of it: also what a remediation had filled before it broke."""

    def remediate(args: ResourceValidationArgs) -> dict[str, Any] | None:
        if not args.resource_type.startswith(control.types):
            args.not_applicable("other resource type")
        # As the engine sends them: an earlier policy's remediation has neither proxies nor marks of secrets.
        given = dict(serialize_properties(args.props))
        seen = plain(unknown_checking_proxy(deserialize_properties(given)))
        resource = Resource(args.resource_type, args.urn, seen, provider_props(args.provider))
        patches = list(_sure(lambda: patches_of(resource, args.get_config())))
        changed = patched(given, [one for one in patches if isinstance(one, PropertyPatch)])
        return changed if changed != given else None

    return remediate


def _stack_validation(
    control: Control, check: StackCheck, run_state: RunState, policy: str
) -> Callable[[StackValidationArgs, ReportViolation], None]:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        settings = args.get_config()
        stack = run_state.stack(args).view()
        found = [
            one if isinstance(one, tuple) else ("", one) for one in _sure(lambda: check(stack, settings))
        ]
        run_state.add_looked_at(control.id, stack.looked_at)
        for urn, of_urn in _by_urn(found, Unknown).items():
            run_state.add_unknowns(control.id, urn, of_urn)
        reported = [
            control.reported(policy, urn, one, settings) for urn, one in found if isinstance(one, Finding)
        ]
        if not control.comes_last and (supposed := run_state.supposed(args)):
            for urn, count in _avoidable(check, supposed, settings, found).items():
                run_state.set_avoidable(policy, urn, count)
        for one in run_state.report(policy, "", reported):
            report(one.message, one.urn or None)

    return validate


def _avoidable(
    check: StackCheck, supposed: Stack, settings: Settings, found: Sequence[tuple[str, Finding | Unknown]]
) -> Mapping[str, int]:
    """As `_count_avoidable`, by URN, for each resource that a stack policy has found something at."""
    counts = {urn: len(of_urn) for urn, of_urn in _by_urn(found, Finding).items() if urn}
    if not counts:
        return {}
    again = [one for one in _sure(lambda: check(supposed, settings)) if isinstance(one, tuple)]
    left = _by_urn(again, Finding)
    return {urn: count - len(left.get(urn, ())) for urn, count in counts.items()}


def _by_urn(found: Iterable[tuple[str, Finding | Unknown]], kind: type[T]) -> dict[str, list[T]]:
    of: dict[str, list[T]] = {}
    for urn, one in found:
        if isinstance(one, kind):
            of.setdefault(urn, []).append(one)
    return of


def _sure(look: Callable[[], Iterable[T]]) -> Iterator[T | Finding]:
    """What a check finds; breaking on odd input is a finding too, since an exception would end the whole preview."""
    try:
        yield from look()
    except UnknownValueError as error:
        yield _broken(f"read an unknown value unguarded: {error.message}")
    except Exception as error:  # noqa: BLE001  whatever the shape of somebody's resource, the preview must live
        yield _broken(f"{type(error).__name__}: {error}")


def _broken(why: str) -> Finding:
    return Finding(
        what="this control could not be evaluated, so it does not pass",
        where="the resource",
        value=why,
        expected="properties of the shape that the provider's schema gives",
        fix="correct the property; if it is right, report a fault of this pack with the message above",
    )
