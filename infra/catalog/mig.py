"""How a GPU can be cut into instances of its own (MIG): the kinds in Google's Indian regions that GKE cuts, each with
the profiles that make more than one ("Running multi-instance GPUs", GKE documentation)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from pydantic import Field

from infra.catalog.tables import DATA, Row, read
from infra.settings.errors import Problem
from infra.settings.sharing import MIG, TIME_SLICING, Sharing
from infra.spelling import nearest


class Profile(Row):
    """How a kind of GPU is cut: as many instances as it makes of one kind."""

    gpu: str
    profile: str
    parts: int = Field(ge=2)


@cache
def profiles() -> Mapping[str, Mapping[str, int]]:
    """By the kind of GPU: how many instances each profile makes."""
    found: dict[str, dict[str, int]] = {}
    for row in read(DATA / "mig_profiles.csv", Profile):
        found.setdefault(row.gpu, {})[row.profile] = row.parts
    return found


def check_sharing(path: str, gpu: str, sharing: Sharing | None) -> list[Problem]:
    """Problems of a pool's `sharing` on that kind of GPU: one that can't be cut, or not so, or not into so many."""
    if sharing is None or sharing.mode != MIG:
        return []
    known = profiles().get(gpu)
    if known is None:
        allowed = f"{TIME_SLICING} on {gpu}: of GPUs here only {', '.join(profiles())} can be cut"
        return [Problem(f"{path}.sharing.mode", MIG, allowed, TIME_SLICING)]
    profile = str(sharing.profile)
    if profile not in known:
        allowed = f"a profile of {gpu}: {', '.join(known)}"
        return [Problem(f"{path}.sharing.profile", profile, allowed, nearest(profile, known))]
    if sharing.parts != known[profile]:
        allowed = f"as many as {profile} makes of a {gpu}"
        return [Problem(f"{path}.sharing.parts", str(sharing.parts), allowed, str(known[profile]))]
    return []
