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

    @property
    def cited(self) -> str:
        """The citation, and since when it binds."""
        return (
            f"{self.citation} (in force from {self.in_force_from})" if self.in_force_from else self.citation
        )


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

# Visibility, retention, continuity, breach (helpers of the LOG, RET, BCK, BRE and SDF controls).
VISIBILITY = Law(
    "statutory",
    "DPDP Act s.8(5), DPDP Rules 2025 r.6(1)(c) (logs, monitoring and review of access)",
    SAFEGUARDS_IN_FORCE,
)
# Rule 6 names logs and their year, and no particular kind of store for them.
LOG_SAFETY = Law(
    "posture",
    "house rule: logs that can be altered show nothing; DPDP Rules 2025 r.6(1)(c) and r.6(1)(e) ask for logs and a "
    "year of them, and leave the way open",
)
TRAFFIC_LOGS = Law(
    "statutory",
    "DPDP Rules 2025 r.6(1)(c) (visibility) and r.8(3) (traffic data kept one year); "
    "CERT-In Directions of 28 April 2022, (iv), under IT Act s.70B(6) (logs of all systems)",
    SAFEGUARDS_IN_FORCE,
)
# CERT-In's FAQs of 18 May 2022 let a cloud use a time source of its own that does not deviate from NIC's and NPL's.
CLOCKS = Law(
    "statutory",
    "CERT-In Directions of 28 April 2022, (i), under IT Act s.70B(6) (clocks traceable to NIC or NPL)",
    "2022-06-28",
)
ERASURE = Law("statutory", "DPDP Act s.8(7), DPDP Rules 2025 r.8 (erasure)", SAFEGUARDS_IN_FORCE)
RETENTION_FLOOR = Law(
    "statutory",
    "DPDP Rules 2025 r.8(3) and r.6(1)(e) (personal data, traffic data and logs kept one year)",
    SAFEGUARDS_IN_FORCE,
)
CONTINUITY = Law(
    "statutory",
    "DPDP Act s.8(5), DPDP Rules 2025 r.6(1)(d) (continuity, such as by backups)",
    SAFEGUARDS_IN_FORCE,
)
SECOND_COPY = Law(
    "posture",
    "house rule: a second copy in the other Indian region; DPDP Rules 2025 r.6(1)(d) asks for continuity and names "
    "no place",
)
BREACH = Law(
    "statutory",
    "DPDP Act s.8(6), DPDP Rules 2025 r.7 (without delay, details within 72 hours); CERT-In Directions of "
    "28 April 2022, (ii), under IT Act s.70B(6) (6 hours)",
    SAFEGUARDS_IN_FORCE,
)
ACCOUNTABILITY = Law(
    "statutory", "DPDP Act s.8(4) and s.8(7) (measures, purpose and erasure)", SAFEGUARDS_IN_FORCE
)
UNSEEN = Law("posture", "house rule beside DPDP Act s.8(1) and s.8(4): what holds data is judged or named")
SPECIFIED_DATA = Law(
    "conditional",
    "DPDP Act s.10, DPDP Rules 2025 r.13(4): significant data fiduciaries, for data that the Government specifies; "
    "none was specified by November 2026",
)
# Where data is put, beyond the place of a resource: logs, and models that are asked elsewhere.
LOGS_IN_INDIA = Law(
    "statutory",
    "CERT-In Directions of 28 April 2022, (iv), under IT Act s.70B(6): logs of 180 days within the Indian "
    "jurisdiction; by its FAQ of May 2022 copies may also lie elsewhere. DPDP Act s.8(5) asks for no place",
    "2022-06-28",
)
INFERENCE = Law(
    "posture",
    "house rule; DPDP Act s.16(1) permits transfer unless restricted by notification, and r.13(4) would bind "
    "significant data fiduciaries once data are named. "
    "Statutory for SEBI-regulated entities (SEBI/HO/ITD/ITD_VAPT/P/CIR/2023/033: data processed within India)",
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
