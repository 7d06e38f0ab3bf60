"""Where a value comes from: one answer, for every control, to whether this stack's own resources made it.

A preview can't know such a value, but the engine knows what it is made of. What the stack's own resources are called is
judged where they are made, and the update shows the known value to the same control before its resource is made.
"""

from __future__ import annotations

from policies.framework.resources import Stack, StackResource
from policies.framework.unknowns import Unknown

_CLOUDS = ("aws:", "gcp:")
IN_CLUSTERS = ("kubernetes:", "random:", "tls:")  # own too, where pods are told something
# These hand out values made elsewhere: a foreign key's ARN, for one.
_ANYTHING = (
    *("pulumi:", "aws:ssm/", "aws:secretsmanager/", "gcp:secretmanager/", "aws:cloudformation/"),
    "aws:lambda/invocation:",
)


def is_own(type_: str, also: tuple[str, ...] = ()) -> bool:
    """Whether the outputs of a resource of this type describe only itself: its names, ids and ARNs."""
    return type_.startswith(_CLOUDS + also) and not type_.startswith(_ANYTHING)


def sources(unknown: Unknown, resource: StackResource) -> list[str]:
    """The types of the resources from which the top-level property around an unknown value is made."""
    names = [part for part in unknown.path if isinstance(part, str)]
    return [source.resource_type for source in resource.sources(names[0])] if names else []


def made_here(resource: StackResource, prop: str, also: tuple[str, ...] = ()) -> bool:
    """Whether a top-level property is made from resources of this stack, and from nothing that hands out others'."""
    types = [source.resource_type for source in resource.sources(prop)]
    return bool(types) and all(is_own(type_, also) for type_ in types)


def resolved_by_own_parts(unknown: Unknown, resource: StackResource, _stack: Stack) -> bool:
    """Whether an unknown value is made from the stack's own resources alone, so that only their names are missing.

    What else is in it (a document's actions and principals) is then written in the program, but hidden with the rest.
    """
    types = sources(unknown, resource)
    return bool(types) and all(map(is_own, types))
