"""The policy pack `india-dpdp`, as the engine starts it: `python -m pulumi.policy ENGINE policies`."""

import sys
from pathlib import Path

# The engine runs this folder, not the package around it.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pulumi_policy import PolicyPack

from policies.pack import NAME, policies

PolicyPack(
    name=NAME,
    policies=policies(),
    display_name="DPDP Act and Rules, for infrastructure",
    description="What India's DPDP Act, its Rules, RBI, SEBI and CERT-In ask of infrastructure, each with its basis.",
)
