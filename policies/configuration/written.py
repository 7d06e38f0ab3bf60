"""The policy configs of the profiles, and their files in `policies/profiles`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from policies.configuration.profiles import FOLDER, PROFILES, Profile
from policies.framework.control import Control
from policies.framework.run_state import RunState
from policies.pack import CONTROLS, GOV_04


def config(profile: Profile) -> dict[str, Any]:
    """The policy config of a profile: levels and settings by the names of policies."""
    return dict(sorted(pair for control in (*CONTROLS, GOV_04) for pair in _of(profile, control)))


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
    elif profile.only_law and control.law.basis != "statutory":
        given["enforcementLevel"] = "advisory"
    if bound := [one for one in profile.regulated_as if any(one in law.regulated for law in control.laws)]:
        given["regulatedAs"] = bound
    for policy in control.policies(RunState()):
        if given:
            yield policy.name, given
