"""The verdict of a golden set on a model, signed by the gate that made it, without which nothing is promoted."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from . import signatures
from .errors import RegistryError
from .signatures import Keys

_DIGEST = re.compile(r"[0-9a-f]{64}")
AGAIN = "run the golden set again"
SIGNATURE = ".sig"
# Of a promotion's record, from which everybody checks it anew.
DIGEST_TAG, DOCUMENT_TAG, SIGNATURE_TAG = "verdict", "verdict.json", "verdict.json.sig"


@dataclass(frozen=True)
class GoldenSet:
    """The questions that a model was judged by."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True)
class Verdict:
    """There is one only where its signature holds: `signer` is the fingerprint of the key.

    model, baseline: digests of the model that was judged and of the one it was held against; an empty baseline is
    none. at: when, UTC. raw, signature: the two files.
    """

    model: str
    baseline: str
    golden_set: GoldenSet
    passed: bool
    reasons: tuple[str, ...]
    at: str
    signer: str
    raw: bytes
    signature: bytes

    @property
    def digest(self) -> str:
        """Of verdict.json."""
        return hashlib.sha256(self.raw).hexdigest()

    @property
    def tags(self) -> dict[str, str]:
        """What the record of a promotion keeps."""
        signature = base64.b64encode(self.signature).decode()
        return {DIGEST_TAG: self.digest, DOCUMENT_TAG: self.raw.decode(), SIGNATURE_TAG: signature}


def read(path: Path, keys: Keys) -> Verdict:
    """verdict.json and its signature as workloads/evaluation writes them; RegistryError where they are none."""
    try:
        raw, signature = path.read_bytes(), path.with_name(path.name + SIGNATURE).read_bytes()
    except OSError as error:
        raise RegistryError(
            f"--verdict: {error.filename} can't be read: {error.strerror}; give verdict.json of a gate that signs, "
            f"with verdict.json{SIGNATURE} beside it"
        ) from error
    return parsed(raw, signature, keys)


def recorded(tags: Mapping[str, str], keys: Keys) -> Verdict:
    """The verdict that a promotion's record keeps; RegistryError where it keeps none that is signed."""
    try:
        raw = tags[DOCUMENT_TAG].encode()
        signature = base64.b64decode(tags[SIGNATURE_TAG], validate=True)
    except (KeyError, ValueError) as error:
        raise RegistryError(f"the promotion has no signed verdict: {AGAIN}") from error
    return parsed(raw, signature, keys)


def parsed(raw: bytes, signature: bytes, keys: Keys) -> Verdict:
    """The verdict in these bytes; RegistryError where none of `keys` signed them, or they are none."""
    signer = signatures.signer(raw, signature, keys)
    try:
        found: Any = json.loads(raw)
        baseline = found.get("baseline") or {}
        verdict = Verdict(
            model=found["model"]["revision"],
            baseline=baseline.get("revision", ""),
            golden_set=GoldenSet(**{name: str(value) for name, value in found["goldenSet"].items()}),
            passed=found["passed"],
            reasons=tuple(found.get("reasons", ())),
            at=datetime.fromisoformat(found["time"]).isoformat(),
            signer=signer,
            raw=raw,
            signature=signature,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RegistryError(f"what is signed is no verdict of a golden set ({error!r}): {AGAIN}") from error
    # Not `if verdict.passed`: a text "false" would pass.
    if not isinstance(verdict.passed, bool) or not _DIGEST.fullmatch(str(verdict.model)):
        raise RegistryError(
            f"verdict.json: `passed` is {verdict.passed!r} and `model.revision` {verdict.model!r}, which are to be "
            f"true or false and the digest that `register` prints: {AGAIN}"
        )
    return verdict


def check(verdict: Verdict, version: int, model: str, production: int, in_production: str) -> None:
    """RegistryError unless it lets `version`, whose digest is `model`, replace the version `production` with the digest
    `in_production`; that is 0 where nothing is in production."""
    if verdict.model != model:
        raise RegistryError(
            f"the verdict is of the model {verdict.model[:12]}, and version {version} is {model[:12]}: {AGAIN} on that"
        )
    if not verdict.passed:
        why = "; ".join(verdict.reasons) or "no reason is given"
        raise RegistryError(f"version {version} did not pass: {why}")
    if production and verdict.baseline != in_production:
        against = verdict.baseline[:12] or "nothing"
        raise RegistryError(
            f"the verdict holds it against {against}, and version {production} ({in_production[:12]}) is in "
            f"production: {AGAIN} against that"
        )


def check_golden_set(verdict: Verdict, last: GoldenSet | None, asked: str) -> None:
    """RegistryError where it is by another golden set than `asked`, a digest, or unless given than the `last` one."""
    now = verdict.golden_set
    if asked and now.digest != asked:
        raise RegistryError(
            f"the verdict is by the golden set {_named(now)}, not {asked[:12]}: {AGAIN} by that"
        )
    if not asked and last and now.digest != last.digest:
        raise RegistryError(
            f"the verdict is by the golden set {_named(now)}, and that of the promotion before by {_named(last)}: "
            f"{AGAIN} by that, or say --golden-set {now.digest} where the set is to change"
        )


def _named(golden: GoldenSet) -> str:
    return f"{golden.name} {golden.version} ({golden.digest[:12]})"
