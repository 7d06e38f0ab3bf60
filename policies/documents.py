"""Policy documents: their statements, and when one that a preview can't read yet may wait for the update."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from policies.control import Finding
from policies.keys import is_from_this_stack
from policies.resource import Stack, StackResource, document
from policies.unknowns import Unknown, each, leaves

Statement = tuple[str, dict[str, Any]]


def statements(value: Any, where: str) -> Iterator[Statement | Finding | Unknown]:
    """(where, statement) for each; a document or statement that is unknown in part is so as a whole."""
    tree = document(value)
    if unknown := next((leaf.value for leaf in leaves(tree) if isinstance(leaf.value, Unknown)), None):
        yield unknown
        return
    if not isinstance(tree, dict):
        yield Finding("the policy can't be read", where, value, "a policy document in JSON")
        return
    many = isinstance(tree.get("Statement"), list)
    for index, statement in enumerate(each(tree.get("Statement"))):
        at = f"{where}.Statement[{index}]" if many else f"{where}.Statement"
        if isinstance(statement, dict):
            yield at, statement
        else:
            yield Finding("the statement can't be read", at, statement, "a statement")


def waits_for_the_update(unknown: Unknown, resource: StackResource, _stack: Stack) -> bool:
    """True when all that a document still lacks is what the stack's own resources are called.

    Its actions and principals are then written in the program, but hidden with the rest. The update shows the whole
    document to the same mandatory control before it is made.
    """
    names = [part for part in unknown.path if isinstance(part, str)]
    sources = resource.sources(names[0]) if names else []
    return bool(sources) and all(is_from_this_stack(source.resource_type) for source in sources)
