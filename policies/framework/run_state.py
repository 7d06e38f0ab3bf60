"""The state of one run of the pack: resources, unknown values, findings, and what exempts them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from pulumi_policy import ResourceValidationArgs, StackValidationArgs

from policies.framework.record import Level, Outcome, ReportedFinding
from policies.framework.resources import Resource, Settings, Stack
from policies.framework.unknowns import Unknown, dotted

# What exempts a finding: nothing (None), an exemption by its name, or the baseline.
Answer = Callable[[ReportedFinding], tuple[Outcome, str] | None]
# The properties of a resource if it were corrected in one respect, None where there is nothing to correct.
Suppose = Callable[[Resource], Mapping[str, Any] | None]


def nobody(_finding: ReportedFinding) -> None:
    """Exempts no finding."""


def nothing(_resource: Resource) -> None:
    """Supposes nothing of a resource."""


@dataclass
class RunState:
    """Kept from the first `Analyze` to the `AnalyzeStack` of one run. The servicer answers on several threads.

    `levels` are the run's, by policy, where they differ from the policies' own; `settings` are what policies are
    configured with. `inputs` are what each resource was given: in the first preview a Kubernetes resource has no
    outputs, since there is no cluster to ask. `suppose` is what would end the findings that `spare` counts.
    """

    answer: Answer = nobody
    suppose: Suppose = nothing
    levels: Mapping[str, Level] = field(default_factory=dict)
    settings: Mapping[str, Settings] = field(default_factory=dict)
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    _shown: dict[str, tuple[object, Resource]] = field(default_factory=dict)
    _stack: tuple[object, Stack] | None = None
    _supposed: tuple[Stack, Stack | None] | None = None
    _unknowns: dict[str, dict[str, tuple[Unknown, ...]]] = field(default_factory=dict)
    _findings: dict[tuple[str, str], list[ReportedFinding]] = field(default_factory=dict)
    _instead: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _avoidable: dict[str, dict[str, int]] = field(default_factory=dict)
    _of_stack: dict[str, set[str]] = field(default_factory=dict)
    _secrets: dict[str, set[str]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def resource(self, args: ResourceValidationArgs) -> Resource:
        """A resource as checks see it, made once for all of them."""
        with self._lock:
            kept = self._shown.get(args.urn)
        if kept and kept[0] is args.props:
            return kept[1]
        resource = Resource.analyzed(args)
        instead = self.suppose(resource)
        with self._lock:
            self._shown[args.urn] = (args.props, resource)
            self.inputs[args.urn] = resource.props
            if instead is not None:
                self._instead[args.urn] = instead
        return resource

    def stack(self, args: StackValidationArgs) -> Stack:
        """The stack as checks see it, made once for all of them."""
        if self._stack is None or self._stack[0] is not args.resources:
            seen = {urn: resource for urn, (_, resource) in self._shown.items()}
            self._stack = (args.resources, Stack(args.resources, self.inputs, seen, self.avoidable))
        return self._stack[1]

    def supposed(self, args: StackValidationArgs) -> Stack | None:
        """The stack if all that can be supposed were so; None where nothing can."""
        stack = self.stack(args)
        if self._supposed is None or self._supposed[0] is not stack:
            instead = {urn: props for urn, props in self._instead.items() if stack.get(urn)}
            self._supposed = (stack, stack.supposing(instead) if instead else None)
        return self._supposed[1]

    def set_avoidable(self, policy: str, urn: str, count: int) -> None:
        """Keep how many findings of a policy would go from a resource."""
        with self._lock:
            self._avoidable.setdefault(urn, {})[policy] = max(count, 0)

    def avoidable(self, urn: str) -> int:
        """How many findings would go from a resource if what is supposed of it were so."""
        with self._lock:
            return sum(self._avoidable.get(urn, {}).values())

    def add_looked_at(self, control: str, urns: Set[str]) -> None:
        """Keep which resources a control found to look at in the stack as a whole."""
        with self._lock:
            self._of_stack.setdefault(control, set()).update(urns)

    def looked_at_stack(self, control: str) -> bool:
        """Whether a control found anything to look at in the stack as a whole."""
        return bool(self._of_stack.get(control))

    def set_unknowns(self, control: str, urn: str, unknowns: Sequence[Unknown]) -> None:
        """Replace what a control could not know of a resource: a later look is the better one."""
        with self._lock:
            self._unknowns.setdefault(control, {})[urn] = tuple(unknowns)

    def add_unknowns(self, control: str, urn: str, unknowns: Sequence[Unknown]) -> None:
        """Add what a control could not know of a resource when it looked at the whole stack."""
        with self._lock:
            met = self._unknowns.setdefault(control, {})
            met[urn] = tuple(dict.fromkeys((*met.get(urn, ()), *unknowns)))

    def unknowns(self, control: str) -> list[tuple[str, Unknown]]:
        """(URN, unknown) for a control, in a stable order."""
        with self._lock:
            found = [(urn, one) for urn, many in self._unknowns.get(control, {}).items() for one in many]
        return sorted(found, key=lambda entry: (entry[0], dotted(entry[1].path)))

    def looked_at(self, control: str) -> int:
        """How many resources a control has looked at."""
        return len(self._unknowns.get(control, {}).keys() | self._of_stack.get(control, set()))

    def hide(self, urn: str, secrets: Sequence[str]) -> None:
        """Values of a resource at these paths are secrets: findings say where, and never what."""
        if secrets:
            with self._lock:
                self._secrets.setdefault(urn, set()).update(secrets)

    def report(self, policy: str, urn: str, findings: Sequence[ReportedFinding]) -> list[ReportedFinding]:
        """Replace what a policy found in a resource (in the stack, where `urn` is empty); returns the findings that
        nothing exempts."""
        answered = [self._answered(self._veiled(finding)) for finding in findings]
        with self._lock:
            self._findings[policy, urn] = answered
        return self.open(policy, urn)

    def findings(self) -> Iterator[ReportedFinding]:
        """Every finding of the run, with the level that it has in it."""
        for findings in self._findings.values():
            yield from (one.model_copy(update={"level": self.level(one)}) for one in findings)

    def level(self, finding: ReportedFinding) -> Level:
        """The level of a finding: its policy's, and never above its own."""
        level = self.levels.get(finding.policy, finding.level)
        return finding.level if finding.outcome == "unresolved" and finding.level == "advisory" else level

    def open(self, policy: str, urn: str) -> list[ReportedFinding]:
        """The findings of a policy in a resource (in the stack, where `urn` is empty) that nothing exempts."""
        return [one for one in self._findings.get((policy, urn), ()) if one.outcome in ("fail", "unresolved")]

    def _veiled(self, finding: ReportedFinding) -> ReportedFinding:
        """Without a value that is a secret, holds one, or is part of one."""
        inside = [path for path in self._secrets.get(finding.urn, ()) if touch(path, finding.where)]
        return finding.model_copy(update={"value": "(secret)"}) if inside else finding

    def _answered(self, finding: ReportedFinding) -> ReportedFinding:
        answer = self.answer(finding)
        return finding.model_copy(update={"outcome": answer[0], "answer": answer[1]}) if answer else finding


def touch(one: str, other: str) -> bool:
    """Whether a path is in another, or the other in it."""
    shorter, longer = sorted((one, other), key=len)
    return longer.startswith(shorter) and longer[len(shorter) :][:1] in ("", ".", "[")
