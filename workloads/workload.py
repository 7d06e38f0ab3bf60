"""What a workload is to the program: what it needs of the platform, and what makes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.contracts.burst import Burst
from infra.contracts.cluster import Pool
from infra.contracts.needs import WorkloadNeeds
from infra.contracts.site import Sites
from infra.settings.valid_parts import Check


@dataclass(frozen=True)
class Program:
    """A program whose runs can be made again on any machine: `reproduce` is the module that does it, run with
    `python -m` in the folder of `requirements`, by an environment that has these."""

    requirements: Path
    reproduce: str


@dataclass(frozen=True)
class Promotion:
    """What puts versions of models into production: `module` is run with `python -m` in the folder of `requirements`,
    by an environment that has these.

    key: of who signs the verdicts that count, PEM, by the setting `key_setting`. forward: the command that brings its
    server to this machine's `port`.
    """

    requirements: Path
    module: str
    key: str | None
    key_setting: str
    forward: str
    port: int


@dataclass(frozen=True)
class Kept:
    """What a workload keeps of data principals beside the lake, and how it is erased. `cache` says that it answers to
    `DELETE /cache/principals/<identifier>`."""

    what: str
    erased: str
    cache: bool = False


@dataclass(frozen=True)
class Workload:
    """A row of the registry. A stack asks for it by the field of `infra.settings.workloads.Workloads` that has the name
    of its needs."""

    needs: WorkloadNeeds
    build: Callable[[Any, Sites], None]
    """Makes it of that field's settings, at the sites of the stack."""
    needs_for: Callable[[Any], WorkloadNeeds] | None = None
    """What it needs with these settings, where that is more than `needs`: an operator that they choose."""
    checks: Sequence[Check] = ()
    """What its settings are held to beyond their own fields, before anything is made."""

    burst: Callable[[Any, Pool, float], Burst] | None = None
    """What it runs where there is no cluster, from its settings, its pool and the rupees of a dollar; None for one that
    needs a cluster."""

    program: Program | None = None
    """What makes its runs again, if it keeps records of them."""

    promotion: Callable[[Any], Promotion] | None = None
    """How versions of models go into production with its settings, for `make promote`."""

    keeps: Callable[[Any], Sequence[Kept]] | None = None
    """What it keeps of data principals with its settings, for `make erase`."""

    def needs_with(self, settings: Any) -> WorkloadNeeds:
        """What it needs with its settings; None are those of a stack that does not ask for it."""
        return self.needs_for(settings) if settings and self.needs_for else self.needs
