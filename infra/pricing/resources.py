"""The resources of a stack as the engine knows them, and what each is made from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from infra.settings.stack import Usage

T = TypeVar("T")


@dataclass(frozen=True)
class Resource:
    """A resource as the engine knows it, in a preview, a state file or a policy pack; values may be unknown.

    `sources` are the URNs that each top-level property is made from.
    """

    type: str
    urn: str
    inputs: Mapping[str, Any]
    parent: str = ""
    provider: str = ""
    sources: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The logical name in the program."""
        return self.urn.rsplit("::", 1)[-1]

    @classmethod
    def of_state(cls, resource: Mapping[str, Any]) -> Resource:
        """From the form of state files and of `pulumi preview --json`."""
        return cls(
            resource["type"],
            resource["urn"],
            resource.get("inputs") or {},
            resource.get("parent") or "",
            (resource.get("provider") or "").rpartition("::")[0],
            resource.get("propertyDependencies") or {},
        )


class ResourceGraph:
    """All resources of a stack, and what its month is assumed to carry."""

    def __init__(self, resources: Iterable[Resource], usage: Usage) -> None:
        self.usage = usage
        self.by_urn = {resource.urn: resource for resource in resources}
        self._kept: dict[Callable[..., Any], Any] = {}

    def once(self, read: Callable[[ResourceGraph], T]) -> T:
        """What a reader makes of the whole stack, kept for the next resource that needs it."""
        if read not in self._kept:
            self._kept[read] = read(self)
        return self._kept[read]

    def of(self, type_: str) -> list[Resource]:
        """The resources of a type."""
        return self._by_type.get(type_, [])

    def region(self, resource: Resource) -> str:
        """Of the resource itself, or its provider, or else the first cloud provider of the stack."""
        given = resource.inputs.get("region")
        if isinstance(given, str) and given:
            return given
        provider = self.by_urn.get(resource.provider)
        return _region(provider) or self._home

    def component(self, resource: Resource) -> str:
        """The outermost component that the resource is part of."""
        at = resource
        while (above := self.by_urn.get(at.parent)) and above.type != "pulumi:pulumi:Stack":
            at = above
        return at.name

    def behind(self, resource: Resource, prop: str, type_: str) -> Resource | None:
        """The resource of a type that a property is made from."""
        return next(iter(self.all_behind(resource, prop, type_)), None)

    def all_behind(self, resource: Resource, prop: str, type_: str) -> list[Resource]:
        """The resources of a type that a property is made from."""
        found = (self.by_urn.get(urn) for urn in resource.sources.get(prop) or ())
        return [source for source in found if source and source.type == type_]

    @cached_property
    def _by_type(self) -> Mapping[str, list[Resource]]:
        found: dict[str, list[Resource]] = {}
        for resource in self.by_urn.values():
            found.setdefault(resource.type, []).append(resource)
        return found

    @cached_property
    def _home(self) -> str:
        providers = (self.by_urn[urn] for urn in self.by_urn if "pulumi:providers:" in urn)
        return next((place for place in map(_region, providers) if place), "")


def plain(tree: Any, *names: str) -> Any:
    """The value at a path of names; None where there is none."""
    for name in names:
        tree = tree.get(name) if isinstance(tree, Mapping) else None
    return tree


def _region(provider: Resource | None) -> str:
    given = provider.inputs.get("region") if provider else None
    return given if isinstance(given, str) else ""
