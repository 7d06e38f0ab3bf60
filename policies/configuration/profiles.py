"""Profiles: who is regulated by whom, as policy configs in `policies/profiles`: `python -m policies.cli generate`.

A profile changes levels, settings and whom the law binds, never what is checked. The files are plain policy configs, so
that any stack can be shown to the pack under one: `--policy-pack-config policies/profiles/sebi-re.json`. `written`
writes them from the table below; a test holds them against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

from policies.law import Entity

FOLDER = Path(__file__).parents[1] / "profiles"


@dataclass(frozen=True)
class Profile:
    """`levels` are by what a control's id begins with, the longest wins; `settings` by id.

    `regulated_as` says what regulators bind the entity as: it goes to every policy whose law turns on it. `only_law`
    makes advice of what no law asks for, where `levels` says nothing.
    """

    about: str
    levels: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    regulated_as: tuple[Entity, ...] = ()
    only_law: bool = False


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        # The platform's own images still come from their makers' registries; other profiles advise against that.
        "default": Profile(
            "The controls' own levels; data classes are asked for, and where images come from is not.",
            {"DPDP-GOV-01": "mandatory", "DPDP-K8S-07": "disabled"},
        ),
        "dpdp-only": Profile(
            "What the DPDP Act and its Rules ask, and no more: where data is, whose key it is under, tags, and every "
            "other rule of this house is advice.",
            # With keys of the cloud's let in, ENC-01 finds only what is not encrypted at all.
            {"DPDP-RES-": "advisory", "DPDP-LOG-08": "advisory", "DPDP-ENC-01": "mandatory"},
            {"DPDP-ENC-01": {"customerKey": False}, "DPDP-ENC-02": {"customerKey": False}},
            only_law=True,
        ),
        "sdf": Profile(
            "A Significant Data Fiduciary (s.10): data that the Government specifies, and traffic data about its flow, "
            "may not leave (r.13(4)). By November 2026 nobody was notified as one, and no data specified.",
            dict.fromkeys(("DPDP-SDF-01", "DPDP-RES-16", "DPDP-RES-17", "DPDP-LOG-05", "DPDP-GOV-01"), "mandatory"),
            {
                "DPDP-LOG-05": {"dnsQueries": True},
                "DPDP-SDF-01": {"specifiedClasses": ["personal", "sensitive", "payment"]},
            },
        ),
        "rbi-payments": Profile(
            "A system provider or bank, for payment data (RBI/2017-18/153): all of it stored only in India. Logs too, "
            "by a rule of this house: the circular does not speak of them.",
            {"DPDP-RES-": "mandatory", "DPDP-LOG-": "mandatory", "DPDP-GOV-0": "mandatory"},
            {"DPDP-GOV-03": {"allowed": False}},
            regulated_as=("rbi-payments",),
        ),
        "rbi-digital-lending": Profile(
            "A lender that RBI regulates, for digital lending (RBI/2025-26/36 of 8 May 2025, since 28 November 2025 in "
            "RBI/DOR/2025-26/154 for banks and RBI/DOR/2025-26/347 for NBFCs): data stored only on servers in India.",
            {"DPDP-RES-": "mandatory", "DPDP-GOV-01": "mandatory"},
            regulated_as=("rbi-digital-lending",),
        ),
        "sebi-re": Profile(
            "One of the eight classes of the cloud framework (SEBI/HO/ITD/ITD_VAPT/P/CIR/2023/033): data and logs in "
            "India, keys of one's own; that keys lie in India is a rule of this house. The wider localisation of CSCRF "
            "(SEBI/HO/ITD-1/ITD_CSC_EXT/P/CIR/2024/113, PR.DS.S2) is in abeyance "
            "(SEBI/HO/ITD-1/ITD_CSC_EXT/P/CIR/2024/184).",
            {"DPDP-RES-": "mandatory", "DPDP-ENC-": "mandatory", "DPDP-GOV-01": "mandatory"},
            {"DPDP-ENC-01": {"customerKey": True}, "DPDP-ENC-02": {"customerKey": True}},
            regulated_as=("sebi-re",),
        ),
        "irdai": Profile(
            "An insurer (IRDAI, Maintenance of Information Regulations 2025, before them IRDAI, Maintenance of "
            "Insurance Records Regulations 2015): records of policies and claims in data centres in India only.",
            {"DPDP-RES-": "mandatory", "DPDP-GOV-01": "mandatory"},
            regulated_as=("irdai",),
        ),
        "govt-meity": Profile(
            "A government body on clouds of the MeitY cloud empanelment, a condition of contracts and no law: "
            "everything in India, global services by list only.",
            {"DPDP-RES-": "mandatory", "DPDP-LOG-": "mandatory", "DPDP-ENC-": "mandatory", "DPDP-GOV-0": "mandatory"},
        ),
    }
)  # fmt: skip


class UnknownProfileError(LookupError):
    """There is no profile of a name; the message names those that there are."""


def file_of(name: str) -> Path:
    """The policy config of a profile.

    Raises:
        UnknownProfileError: there is none of that name.
    """
    if name not in PROFILES:
        near = get_close_matches(name, PROFILES, n=1)
        hint = f"; the nearest is {near[0]}" if near else ""
        raise UnknownProfileError(f"there is no profile {name}: there are {', '.join(PROFILES)}{hint}")
    return FOLDER / f"{name}.json"
