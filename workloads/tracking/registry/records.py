"""A promotion or rollback as its record on the server says it, and whether that may be believed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from . import verdicts
from .errors import RegistryError
from .signatures import Keys
from .stages import NOBODY, Change


def tags(change: Change, by: str, at: str) -> dict[str, str]:
    """The record of a change that `by` makes."""
    return {
        "action": change.action,
        "version": str(change.version),
        "expects": str(change.expects),
        "by": by,
        "at": at,
        **(change.verdict.tags if change.verdict else {}),
    }


def read(number: int, made: str, tags: Mapping[str, str], digests: Mapping[int, str], keys: Keys) -> Change:
    """The change with these tags, made at `made`. Whoever reaches the server may have written it, with whatever tags.

    digests: of the versions that are still there. A promotion has its verdict where that is signed and holds for them.
    """
    try:
        version, expects = int(tags["version"]), int(tags["expects"])
        by, at = tags["by"], datetime.fromisoformat(tags["at"]).isoformat()
    except (KeyError, ValueError):
        return Change(number, "promote", NOBODY, NOBODY, at=made)
    if tags.get("action") == "rollback":
        return Change(number, "rollback", version, expects, by, at)
    try:
        verdict = verdicts.recorded(tags, keys)
        model, baseline = digests.get(version, verdict.model), digests.get(expects, verdict.baseline)
        verdicts.check(verdict, version, model, expects, baseline)
    except RegistryError:
        return Change(number, "promote", version, expects, by, at)
    return Change(number, "promote", version, expects, by, at, verdict)
