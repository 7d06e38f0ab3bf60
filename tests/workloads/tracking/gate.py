"""A gate that signs: its key, its verdicts, and the files of them; and settings that name its key."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from infra.settings import reading
from infra.settings.stack import Settings
from tests.program import whole_stacks
from workloads.tracking.registry import signatures, verdicts
from workloads.tracking.registry.verdicts import Verdict

GOLDEN = {"name": "support", "version": "1.0.0", "digest": "d" * 64}


@dataclass(frozen=True)
class Gate:
    """Signs whatever it is given to."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def public(self) -> str:
        """PEM."""
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    @property
    def fingerprint(self) -> str:
        """As lineage shows it."""
        return signatures.fingerprint(self.key.public_key())

    def verdict(self, **changes: Any) -> Verdict:
        """A verdict as a promotion's record keeps it."""
        raw = document(**changes).encode()
        return verdicts.parsed(raw, self.key.sign(raw), [self.key.public_key()])

    def write(self, folder: Path, text: str = "", **changes: Any) -> Path:
        """verdict.json, signed, in a folder of its own; `text` instead of a verdict."""
        (path := folder / f"{len([*folder.iterdir()])}" / "verdict.json").parent.mkdir()
        raw = (text or document(**changes)).encode()
        path.write_bytes(raw)
        path.with_name("verdict.json.sig").write_bytes(self.key.sign(raw))
        return path


def document(model: str = "a" * 64, baseline: str = "", **changes: Any) -> str:
    """A verdict that passes, as workloads/evaluation/programs/verdict.py writes it."""
    return json.dumps(
        {
            "passed": True,
            "reasons": [],
            "model": {"name": "org/candidate", "revision": model},
            "baseline": {"name": "org/production", "revision": baseline} if baseline else None,
            "goldenSet": GOLDEN,
            "time": "2026-11-28T05:00:00Z",
            **changes,
        },
        indent=1,
        ensure_ascii=False,
    )


def settings(**tracking: Any) -> Settings:
    """Of the stack `local` with a registry of models."""
    said = {
        name.partition(":")[2]: value
        for name, value in whole_stacks.config_of("local").items()
        if name.startswith("india-ai-infra:")
    }
    asked = {"image": "{registry}/india-ai-infra/tracking:1", "cloud": "aws", **tracking}
    return reading.parse({**said, "workloads": {"tracking": asked}})
