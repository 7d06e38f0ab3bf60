"""The law each control rests on. Dates in force are defaults here and configuration of every policy (`inForceFrom`).

The DPDP Act does not ask that personal data stay in India: s.16(1) lets it go anywhere that the Government has not
restricted by notification, and by November 2026 it had restricted no country. So a residency control names its basis
honestly: a rule of this house (posture), which keeps a later notification from ever biting, and binding law
(statutory) only where a regulator has made it, for payment data (RBI) and securities-market entities (SEBI).

Read from public copies, November 2026; engineering facts, not legal advice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Basis = Literal["statutory", "conditional", "posture"]

# Rule 1 and G.S.R. 843(E): eighteen months after notification, counted to the earlier of the dates given for it.
SAFEGUARDS_IN_FORCE = "2027-05-13"


@dataclass(frozen=True)
class Law:
    """What a control rests on: basis, citation, and the day it binds (ISO date; empty when it binds nobody yet)."""

    basis: Basis
    citation: str
    in_force_from: str = ""

    def since(self, date: str) -> Law:
        """The same law with the date that the pack is configured with."""
        return replace(self, in_force_from=date) if date else self

    def __str__(self) -> str:
        when = f" (in force from {self.in_force_from})" if self.in_force_from else ""
        return f"{self.basis}: {self.citation}{when}"


RESIDENCY = Law(
    "posture",
    "house rule; DPDP Act s.16(1) and DPDP Rules 2025 r.15 permit transfer unless restricted by notification. "
    "Statutory for payment data (RBI DPSS.CO.OD.No 2785/06.08.005/2017-18) and "
    "SEBI-regulated entities (SEBI/HO/ITD/ITD_VAPT/P/CIR/2023/033)",
)
KEY_RESIDENCY = Law(
    "posture",
    "house rule beside DPDP Act s.8(5), which asks for safeguards and not for a place. "
    "Statutory for SEBI-regulated entities (SEBI/HO/ITD/ITD_VAPT/P/CIR/2023/033: keys and data in India)",
)
ENCRYPTION = Law("statutory", "DPDP Act s.8(5), DPDP Rules 2025 r.6(1)(a) (encryption)", SAFEGUARDS_IN_FORCE)
CUSTOMER_KEY = Law(
    "posture",
    "house rule above DPDP Rules 2025 r.6(1)(a), which leaves the choice of key open. "
    "Statutory for SEBI-regulated entities (SEBI/HO/ITD/ITD_VAPT/P/CIR/2023/033: own keys)",
)
ACCESS = Law("statutory", "DPDP Act s.8(5), DPDP Rules 2025 r.6(1)(b) (access control)", SAFEGUARDS_IN_FORCE)
LOG_RETENTION = Law(
    "statutory",
    "DPDP Act s.8(5), DPDP Rules 2025 r.6(1)(e) and r.8(3) (logs kept one year)",
    SAFEGUARDS_IN_FORCE,
)
CLASSIFICATION = Law(
    "statutory", "DPDP Act s.8(4), DPDP Rules 2025 r.6(1)(g) (organisational measures)", SAFEGUARDS_IN_FORCE
)
EXEMPTIONS = Law("posture", "house rule beside DPDP Act s.8(4), which asks for measures that are observed")
BUDGET = Law("posture", "house rule: a stack keeps to the budget that it states itself")

# Care, masking and confinement of what is encrypted and let in.
KEY_CARE = Law(
    "posture",
    "house rule beside DPDP Act s.8(5) and DPDP Rules 2025 r.6(1)(a), which ask for encryption and are silent on "
    "the life of keys",
)
MASKING = Law(
    "statutory",
    "DPDP Act s.8(5), DPDP Rules 2025 r.6(1)(a) (encryption, obfuscation, masking or virtual tokens, such as fit)",
    SAFEGUARDS_IN_FORCE,
)

# Workloads, paths and shares (K8S-01 to K8S-07, RES-14 to RES-17, RES-20).
EGRESS = Law(
    "posture",
    "house rule above DPDP Act s.8(5) and DPDP Rules 2025 r.6(1)(b), which leave the means of access control open",
)
TELEMETRY = Law(
    "posture",
    "house rule beside DPDP Act s.8(4): usage statistics, which by their makers' word are not personal data",
)
IMAGE_SOURCE = Law(
    "posture",
    "house rule beside DPDP Rules 2025 r.6(1)(d) (continuity): images are programs, not personal data",
)
