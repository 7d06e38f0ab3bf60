"""What the trainer exports, read from its source: what it imports is in an environment of its own."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from workloads.training import pod


def constant(name: str) -> Any:
    """The value of a constant of trainer/metrics.py."""
    tree = ast.parse((Path(pod.PACKAGE) / "metrics.py").read_text())
    values = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return ast.literal_eval(values[name])
