"""What one run of the pack has seen: resources, values that nobody could know, findings and who answers for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from pulumi_policy import ResourceValidationArgs, StackValidationArgs

from policies.framework.record import Level, Outcome, Told
from policies.framework.resources import Resource, Settings, Stack
from policies.framework.unknowns import Unknown, dotted

# A finding, to who answers for it: nobody, an exemption (named) or the baseline.
Answer = Callable[[Told], tuple[Outcome, str] | None]
# The properties of a resource if it were mended in one respect, None where there is nothing to mend.
Suppose = Callable[[Resource], Mapping[str, Any] | None]


def nobody(_told: Told) -> None:
    return None


def nothing(_resource: Resource) -> None:
    return None


@dataclass
class Ledger:
    """Kept from the first `Analyze` to the `AnalyzeStack` of one run. The servicer answers on several threads.

    `levels` are the run's, by policy, where they differ from the policies' own; `settings` are what policies are
    configured with. `inputs` are what each resource was given: in the first preview a Kubernetes resource has no
    outputs, since there is no cluster to ask. `suppose` is what would mend the findings that `spare` counts.
    """

    answer: Answer = nobody
    suppose: Suppose = nothing
    levels: Mapping[str, Level] = field(default_factory=dict)
    settings: Mapping[str, Settings] = field(default_factory=dict)
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    _shown: dict[str, tuple[object, Resource]] = field(default_factory=dict)
    _stack: tuple[object, Stack] | None = None
    _supposed: tuple[Stack, Stack | None] | None = None
    _met: dict[str, dict[str, tuple[Unknown, ...]]] = field(default_factory=dict)
    _told: dict[tuple[str, str], list[Told]] = field(default_factory=dict)
    _instead: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _spared: dict[str, dict[str, int]] = field(default_factory=dict)
    _of_stack: dict[str, set[str]] = field(default_factory=dict)
    _secrets: dict[str, set[str]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def resource(self, args: ResourceValidationArgs) -> Resource:
        """A resource as checks see it, made once for all of them."""
        with self._lock:
            kept = self._shown.get(args.urn)
        if kept and kept[0] is args.props:
            return kept[1]
        resource = Resource.shown(args)
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
            self._stack = (args.resources, Stack(args.resources, self.inputs, seen, self.spared))
        return self._stack[1]

    def supposed(self, args: StackValidationArgs) -> Stack | None:
        """The stack if all that can be supposed were so; None where nothing can."""
        stack = self.stack(args)
        if self._supposed is None or self._supposed[0] is not stack:
            instead = {urn: props for urn, props in self._instead.items() if stack.get(urn)}
            self._supposed = (stack, stack.supposing(instead) if instead else None)
        return self._supposed[1]

    def spare(self, policy: str, urn: str, count: int) -> None:
        """Keep how many findings of a policy would go from a resource."""
        with self._lock:
            self._spared.setdefault(urn, {})[policy] = max(count, 0)

    def spared(self, urn: str) -> int:
        """How many findings would go from a resource if what is supposed of it were so."""
        with self._lock:
            return sum(self._spared.get(urn, {}).values())

    def looked(self, control: str, urns: Set[str]) -> None:
        """Keep which resources a control found to look at in the stack as a whole."""
        with self._lock:
            self._of_stack.setdefault(control, set()).update(urns)

    def looked_at_stack(self, control: str) -> bool:
        """Whether a control found anything to look at in the stack as a whole."""
        return bool(self._of_stack.get(control))

    def met(self, control: str, urn: str, unknowns: Sequence[Unknown]) -> None:
        """Replace what a control could not know of a resource: a later look is the better one."""
        with self._lock:
            self._met.setdefault(control, {})[urn] = tuple(unknowns)

    def also_met(self, control: str, urn: str, unknowns: Sequence[Unknown]) -> None:
        """Add what a control could not know of a resource when it looked at the whole stack."""
        with self._lock:
            met = self._met.setdefault(control, {})
            met[urn] = tuple(dict.fromkeys((*met.get(urn, ()), *unknowns)))

    def unknowns(self, control: str) -> list[tuple[str, Unknown]]:
        """(URN, unknown) for a control, in a stable order."""
        with self._lock:
            found = [(urn, one) for urn, many in self._met.get(control, {}).items() for one in many]
        return sorted(found, key=lambda entry: (entry[0], dotted(entry[1].path)))

    def looked_at(self, control: str) -> int:
        """How many resources a control has looked at."""
        return len(self._met.get(control, {}).keys() | self._of_stack.get(control, set()))

    def hide(self, urn: str, secrets: Sequence[str]) -> None:
        """Values of a resource at these paths are secrets: findings say where, and never what."""
        if secrets:
            with self._lock:
                self._secrets.setdefault(urn, set()).update(secrets)

    def tell(self, policy: str, urn: str, findings: Sequence[Told]) -> list[Told]:
        """Keep what a policy found in a resource (in the stack, where `urn` is empty), instead of what it found
        before; returns those that nobody answers for."""
        answered = [self._answered(self._veiled(told)) for told in findings]
        with self._lock:
            self._told[policy, urn] = answered
        return self.open(policy, urn)

    def told(self) -> Iterator[Told]:
        """Every finding of the run, with the level that it has in it."""
        for findings in self._told.values():
            yield from (one.model_copy(update={"level": self.level(one)}) for one in findings)

    def level(self, told: Told) -> Level:
        """The level of a finding: its policy's, and never above its own."""
        level = self.levels.get(told.policy, told.level)
        return told.level if told.outcome == "unresolved" and told.level == "advisory" else level

    def open(self, policy: str, urn: str) -> list[Told]:
        """What a policy found in a resource (in the stack, where `urn` is empty) that nobody answers for."""
        return [one for one in self._told.get((policy, urn), ()) if one.outcome in ("fail", "unresolved")]

    def _veiled(self, told: Told) -> Told:
        """Without a value that is a secret, holds one, or is part of one."""
        inside = [path for path in self._secrets.get(told.urn, ()) if _touch(path, told.where)]
        return told.model_copy(update={"value": "(secret)"}) if inside else told

    def _answered(self, told: Told) -> Told:
        answer = self.answer(told)
        return told.model_copy(update={"outcome": answer[0], "answer": answer[1]}) if answer else told


def _touch(one: str, other: str) -> bool:
    """Whether a path is in another, or the other in it."""
    shorter, longer = sorted((one, other), key=len)
    return longer.startswith(shorter) and longer[len(shorter) :][:1] in ("", ".", "[")
