"""The policy pack `india-dpdp`, as the engine starts it: `python -m pulumi.policy ENGINE policies`."""

import gc
import sys
from pathlib import Path
from typing import Any

# The engine runs this folder, not the package around it.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pulumi_policy.policy

from policies import pack
from policies.framework import project
from policies.framework.record import Record, record_file, write
from policies.runner.servicer import Servicer

# On the path, this folder's modules would stand for others' of the same names.
sys.path[:] = [folder for folder in sys.path if Path(folder).resolve() != project.PACK]


def keep(record: Record) -> None:
    """Write what was found, if somebody wants it."""
    if file := record_file():
        write(record, file)


def serve(*about: Any) -> Servicer:
    """The servicer that answers the engine, with a fresh run of the pack for each stack."""
    return Servicer(run, keep, *about)


if file := record_file():
    file.unlink(missing_ok=True)  # one of an earlier run says nothing about this one
run = pack.run()
# Tables and controls stay until the end: to look for cycles in them again and again took a quarter of the pack's time.
gc.freeze()
gc.set_threshold(20_000, 20, 20)
pulumi_policy.policy._PolicyAnalyzerServicer = serve  # pyright: ignore[reportAttributeAccessIssue]
pulumi_policy.PolicyPack(
    name=pack.NAME,
    policies=run.policies,
    display_name="DPDP Act and Rules, for infrastructure",
    description="What India's DPDP Act, its Rules, CERT-In, SEBI, RBI and IRDAI ask of infrastructure, and what only a "
    "house rule asks, each with its basis.",
)
