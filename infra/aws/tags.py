"""Tags: what a stack puts on everything, and what it puts on every resource that holds data."""

from __future__ import annotations


def defaults(project: str, stack: str, owner: str) -> dict[str, str]:
    """Tags that the AWS provider puts on every resource (its `default_tags`)."""
    return {"project": project, "stack": stack, "owner": owner}
