"""The policy pack `india-dpdp`, installed: `india-dpdp path` names the folder that `--policy-pack` takes.

The pack is a folder that the engine starts as a process of its own, so it keeps its own package name inside this one
and stands for nobody else's `policies`.
"""

from __future__ import annotations

import sys
from pathlib import Path

PACK = Path(__file__).resolve().parent


def main() -> None:
    """`india-dpdp path` and, from the pack's own commands, `audit`, `baseline` and `report`."""
    if sys.argv[1:] == ["path"]:
        print(PACK)
        return
    sys.path.insert(0, str(PACK.parent))
    from policies.cli import app

    app()
