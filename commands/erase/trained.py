"""Training runs that read a data principal's data, and the models that came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from commands.erase.plan import HERE, Found
from commands.page.lineage import Version


@dataclass(frozen=True)
class Trained:
    """A run: the folder of its record, why it is named, and the versions of models whose data have its commit."""

    run: str
    why: str
    models: tuple[str, ...]


def trained(
    runs: Sequence[Mapping[str, Any]], found: Sequence[Found], lineage: Sequence[Version]
) -> list[Trained]:
    """The runs that read a version with the principal's data, by its SHA-256, or a folder that has one."""
    here = [one for one in found if one.kind in HERE]
    digests = {one.sha256 for one in here}
    addresses = [one.uri for one in here]
    named = ((run, _why(run, digests, addresses)) for run in runs)
    return [Trained(run["run"], why, _models(run, lineage)) for run, why in named if why]


def _why(run: Mapping[str, Any], digests: set[str], addresses: Sequence[str]) -> str:
    if run.get("unreadable"):
        return f"its record can't be read ({run['unreadable']}): nobody knows"
    if digests & set(run["files"]):
        return "read a file with it, by its digest"
    folders = [uri.rstrip("/") for uri in run["data"]]
    if any(one == folder or one.startswith(f"{folder}/") for one in addresses for folder in folders):
        return "read the folder, perhaps as it was before or after"
    return ""


def _models(run: Mapping[str, Any], lineage: Sequence[Version]) -> tuple[str, ...]:
    return tuple(
        f"{one.model} {one.version}".strip() for one in lineage if one.data and one.data in run["commits"]
    )
