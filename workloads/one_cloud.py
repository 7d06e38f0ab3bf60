"""The check that every workload has whose pods stand in one cluster of the stack."""

from __future__ import annotations

from infra.settings.errors import Problem
from infra.settings.valid_parts import Check, Parts
from infra.settings.workloads import path_of
from infra.settings.workloads.workload import InOneCloud


def in_one_cloud(kind: type[InOneCloud], which: str) -> Check:
    """A problem where it is not said, or wrongly, in which cloud it is; `which` one to name (`the cloud whose …`)."""

    def check(parts: Parts) -> list[Problem]:
        asked = parts.workload(kind)
        clouds = [each.cloud for each in parts.clouds]
        if asked is None or not clouds or asked.cloud in clouds or (asked.cloud is None and len(clouds) == 1):
            return []
        allowed = f"{' or '.join(clouds)}: {which}"
        return [Problem(f"{path_of(kind)}.cloud", str(asked.cloud or "none given"), allowed, clouds[0])]

    return check
