"""Labels: Google's tags. lower-case letters, digits, `-` and `_`, 63 at most, so a purpose is written as a slug."""

from __future__ import annotations

import re

from infra.contracts.governance import DataGovernance

LONGEST = 63


def labels(governance: DataGovernance, name: str, retention_days: int | None = None) -> dict[str, str]:
    """Labels of a resource that holds this data. `retention_days` is given where it differs from the data's own."""
    tags = governance.tags(name, retention_days)
    return {key.lower().replace(":", "-"): _value(text) for key, text in tags.items()}


def defaults(project: str, stack: str, owner: str) -> dict[str, str]:
    """Labels that the provider puts on every resource that takes some (its `default_labels`)."""
    return {"project": _value(project), "stack": _value(stack), "owner": _value(owner)}


def _value(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-")[:LONGEST]
