"""What a workload is to the program: what it needs of the platform, and what makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.contracts.needs import WorkloadNeeds
from infra.contracts.site import Sites


@dataclass(frozen=True)
class Workload:
    """A row of the registry. A stack asks for it by the field of `infra.settings.workloads.Workloads` that has the name
    of its needs."""

    needs: WorkloadNeeds
    build: Callable[[Any, Sites], None]
    """Makes it of that field's settings, at the sites of the stack."""
