"""Profiles: who is regulated by whom, as policy configs in `policies/profiles`: `python -m policies.cli generate`.

A profile changes levels and settings, never what is checked. The files are plain policy configs, so that any stack can
be shown to the pack under one: `--policy-pack-config policies/profiles/sebi-re.json`. Written from the table below; a
test holds them against it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

from policies.framework.control import Control
from policies.framework.run_state import Ledger
from policies.pack import CONTROLS

FOLDER = Path(__file__).parents[1] / "profiles"


@dataclass(frozen=True)
class Profile:
    """`levels` are by what a control's id begins with, the longest wins; `settings` by id."""

    about: str
    levels: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        # The platform's own images still come from their makers' registries; other profiles advise against that.
        "default": Profile(
            "The controls' own levels; data classes are asked for, and where images come from is not.",
            {"DPDP-GOV-01": "mandatory", "DPDP-K8S-07": "disabled"},
        ),
        "dpdp-only": Profile(
            "What the DPDP Act and its Rules ask, and no more: where data is and whose key it is under, is advice.",
            {"DPDP-RES-": "advisory", "DPDP-K8S-": "advisory", "DPDP-ENC-05": "advisory", "DPDP-GOV-01": "mandatory"},
            {"DPDP-ENC-01": {"customerKey": False}, "DPDP-ENC-02": {"customerKey": False}},
        ),
        "sdf": Profile(
            "A Significant Data Fiduciary: specified data, and the traffic about it, may not leave (Rule 13(4)).",
            dict.fromkeys(("DPDP-SDF-01", "DPDP-RES-16", "DPDP-RES-17", "DPDP-LOG-05", "DPDP-GOV-01"), "mandatory"),
            {
                "DPDP-LOG-05": {"dnsQueries": True},
                "DPDP-SDF-01": {"specifiedClasses": ["personal", "sensitive", "payment"]},
            },
        ),
        "rbi-payments": Profile(
            "Payment data (RBI, 6 April 2018): all of it in India, and every log about it.",
            {"DPDP-RES-": "mandatory", "DPDP-LOG-": "mandatory", "DPDP-GOV-0": "mandatory"},
            {"DPDP-GOV-03": {"allowed": False}},
        ),
        "sebi-re": Profile(
            "An entity that SEBI regulates (cloud framework, 6 March 2023): data and keys in India, keys of one's own.",
            {"DPDP-RES-": "mandatory", "DPDP-ENC-": "mandatory", "DPDP-GOV-01": "mandatory"},
            {"DPDP-ENC-01": {"customerKey": True}, "DPDP-ENC-02": {"customerKey": True}},
        ),
        "irdai": Profile(
            "An insurer or its intermediary (IRDAI): records of policies and claims in India.",
            {"DPDP-RES-": "mandatory", "DPDP-GOV-01": "mandatory"},
        ),
        "govt-meity": Profile(
            "A government body on empanelled clouds (MeitY): everything in India, global services by list only.",
            {"DPDP-RES-": "mandatory", "DPDP-LOG-": "mandatory", "DPDP-ENC-": "mandatory", "DPDP-GOV-0": "mandatory"},
        ),
    }
)  # fmt: skip


class NoSuchProfile(LookupError):
    """There is no profile of a name; the message names those that there are."""


def file_of(name: str) -> Path:
    """The policy config of a profile.

    Raises:
        NoSuchProfile: there is none of that name.
    """
    if name not in PROFILES:
        near = get_close_matches(name, PROFILES, n=1)
        hint = f"; the nearest is {near[0]}" if near else ""
        raise NoSuchProfile(f"there is no profile {name}: there are {', '.join(PROFILES)}{hint}")
    return FOLDER / f"{name}.json"


def config(profile: Profile) -> dict[str, Any]:
    """The policy config of a profile: levels and settings by the names of policies."""
    return dict(sorted(pair for control in CONTROLS for pair in _of(profile, control)))


def write(folder: Path = FOLDER) -> None:
    """Write a file for each profile."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, profile in PROFILES.items():
        (folder / f"{name}.json").write_text(json.dumps(config(profile), indent=1) + "\n")


def _of(profile: Profile, control: Control) -> Iterator[tuple[str, Any]]:
    begins = max((one for one in profile.levels if control.id.startswith(one)), key=len, default=None)
    given: dict[str, Any] = dict(profile.settings.get(control.id, {}))
    if begins is not None:
        given["enforcementLevel"] = profile.levels[begins]
    for policy in control.policies(Ledger()):
        if given:
            yield policy.name, given
