"""One resource, and one stack, as the checks see them: plain data, unknowns marked, nothing of the SDK's machinery."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeVar

from pulumi_policy import PolicyProviderResource, PolicyResource, ResourceValidationArgs

from policies.framework.unknowns import plain

ROOT = "pulumi:pulumi:Stack"
Settings = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Resource:
    """`props` are inputs, camelCase as in the cloud's schema; in a stack they are outputs, which repeat the inputs."""

    type: str
    urn: str
    props: dict[str, Any]
    provider_props: dict[str, Any] = field(default_factory=dict)
    _kept: dict[Callable[..., Any], Any] = field(default_factory=dict, compare=False, repr=False)

    def once(self, read: Callable[[Resource], T]) -> T:
        """What a reader makes of this resource, kept for the next control that asks."""
        if read not in self._kept:
            self._kept[read] = read(self)
        return self._kept[read]

    @classmethod
    def analyzed(cls, args: ResourceValidationArgs) -> Resource:
        """The resource of an `Analyze` call."""
        return cls(args.resource_type, args.urn, plain(args.props), provider_props(args.provider))


@dataclass(frozen=True)
class StackResource:
    """A resource among the others of its stack. `props` are read when first asked for: most are never asked for.

    `instead` are properties that a control would see if the program were mended.
    """

    analyzed: PolicyResource
    inputs: Mapping[str, Any] = field(default_factory=dict)
    instead: Mapping[str, Any] = field(default_factory=dict)
    seen: Resource | None = None

    @property
    def type(self) -> str:
        """Its Pulumi type, such as `aws:s3/bucket:Bucket`."""
        return self.analyzed.resource_type

    @property
    def urn(self) -> str:
        """Its URN."""
        return self.analyzed.urn

    @cached_property
    def props(self) -> dict[str, Any]:
        """Its outputs over its inputs, with what `instead` supposes."""
        return {**self.inputs, **plain(self.analyzed.props), **self.instead}

    @property
    def provider(self) -> str:
        """The URN of its provider: which cluster a Kubernetes resource is in."""
        return self.analyzed.provider.urn if self.analyzed.provider else ""

    @cached_property
    def alone(self) -> Resource:
        """The same resource as a resource check sees it; with what readers have made of it, where it is unchanged."""
        alone = Resource(self.type, self.urn, self.props, provider_props(self.analyzed.provider))
        return self.seen if self.seen is not None and self.seen == alone else alone

    @cached_property
    def given(self) -> Resource:
        """The resource as its own checks saw it: inputs alone, and what readers have made of them already."""
        return self.alone if self.seen is None or self.instead else self.seen

    def sources(self, prop: str) -> list[PolicyResource]:
        """The resources that the value of a top-level property is made from, by the engine's own records."""
        return self.analyzed.property_dependencies.get(prop, [])


class Stack:
    """All resources of a stack, by type and by URN.

    They come in the order of their URNs: the engine's own order changes from run to run, and what a control says of a
    stack must not.
    """

    def __init__(
        self,
        resources: Sequence[PolicyResource],
        inputs: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
        seen: Mapping[str, Resource] = MappingProxyType({}),
        spared: Callable[[str], int] = lambda _urn: 0,
    ) -> None:
        ordered = sorted(resources, key=lambda one: one.urn)
        self._by_urn = {
            one.urn: StackResource(one, inputs.get(one.urn, {}), seen=seen.get(one.urn)) for one in ordered
        }
        self.spared = spared
        self.looked_at: set[str] = set()

    @property
    def name(self) -> str:
        """The stack's name, as every URN has it; empty where there is no resource."""
        return next(iter(self._by_urn), "").partition("::")[0].removeprefix("urn:pulumi:")

    @property
    def urn(self) -> str:
        """The URN of the stack itself, for what is wrong with all of it: no resource must answer for another's lack.

        It is the engine's own name of its root (DefaultRootStackURN in sdk/go/common/resource/urn.go of
        pulumi/pulumi), under which it shows a finding whose URN it does not know.
        """
        project = next(iter(self._by_urn), "").split("::")[1:2]
        return f"urn:pulumi:{self.name}::{project[0]}::{ROOT}::{project[0]}-{self.name}" if project else ""

    def view(self) -> Stack:
        """The same stack for one control, so that `looked_at` tells which resources that one found to look at."""
        other = copy.copy(self)
        other.looked_at = set()
        return other

    def supposing(self, instead: Mapping[str, Mapping[str, Any]]) -> Stack:
        """The same stack if resources, by URN, had other properties."""
        other = self.view()
        other._by_urn = {
            urn: replace(one, instead=instead[urn]) if urn in instead else one
            for urn, one in self._by_urn.items()
        }
        return other

    def of(self, *types: str) -> Iterator[StackResource]:
        """The resources of these types."""
        return self._seen(lambda type_: type_ in types)

    def under(self, *prefixes: str) -> Iterator[StackResource]:
        """The resources whose types begin so."""
        return self._seen(lambda type_: type_.startswith(prefixes))

    def beside(self, *types: str) -> Iterator[StackResource]:
        """As `of`, for what only helps to judge others: a control that finds no other has had nothing to look at."""
        return (resource for resource in self._by_urn.values() if resource.type in types)

    def all(self) -> Iterator[StackResource]:
        """Every resource, in the order of the stack."""
        return iter(self._by_urn.values())

    def _seen(self, wanted: Callable[[str], bool]) -> Iterator[StackResource]:
        for resource in self._by_urn.values():
            if wanted(resource.type):
                self.looked_at.add(resource.urn)
                yield resource

    def get(self, urn: str) -> StackResource | None:
        """The resource with a URN; None where the stack has none."""
        return self._by_urn.get(urn)

    def attached(self, to: StackResource, prop: str, *types: str) -> list[StackResource]:
        """The resources of `types` whose `prop` refers to `to`, by dependency or by a name written out in full.

        A reference that can't be known yet counts when the engine knows what it is made from, and never otherwise.
        """
        return [
            other
            for other in self.of(*types)
            if any(source.urn == to.urn for source in other.sources(prop))
            or (isinstance(other.props.get(prop), str) and other.props[prop] == to.props.get(prop))
        ]

    def behind(self, of: StackResource, prop: str) -> set[str]:
        """URNs of what a property's value comes from, directly or through the `bucket` of another resource.

        A bucket's name is often taken from its policy, so that what uses it waits for the policy.
        """
        direct = {source.urn for source in of.sources(prop)}
        between = [found for urn in direct if (found := self.get(urn)) and urn != of.urn]
        return direct | {source.urn for found in between for source in found.sources("bucket")}


def provider_props(provider: PolicyProviderResource | None) -> dict[str, Any]:
    """The inputs of a resource's provider; empty where the engine names none."""
    return plain(provider.props) if provider else {}


def document(value: Any) -> Any:
    """JSON given as text, as a tree; anything else is handed back as it came (also text that is no JSON)."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
