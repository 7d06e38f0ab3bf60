"""The signature beside a verdict, Ed25519 as of a bundle for phones: a rollout goes on only with one that holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from workloads.training.trainer.recipe import RecipeError

_MAKE = "make one with `openssl genpkey -algorithm ed25519`"


class BlockedError(Exception):
    """The verdict is not one on which this model may be rolled out."""


def private_key(path: str) -> Ed25519PrivateKey:
    """The key in a PEM file."""
    try:
        key = load_pem_private_key(Path(path).read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise RecipeError(f"key {path} can't be read ({error}): {_MAKE}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise RecipeError(f"key {path} is no key of Ed25519: {_MAKE}")
    return key


def public_key(path: str) -> Ed25519PublicKey:
    """The other half, in a PEM file."""
    try:
        key = load_pem_public_key(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise RecipeError(f"key {path} can't be read ({error}): give the public key, PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise RecipeError(f"key {path} is no public key of Ed25519")
    return key


def check(
    raw: bytes, signature: bytes, key: Ed25519PublicKey, revision: str, golden_digest: str | None
) -> dict[str, Any]:
    """The verdict in these very bytes, where it lets this revision pass; BlockedError says why it does not."""
    try:
        key.verify(signature, raw)
    except InvalidSignature:
        raise BlockedError(
            "the verdict is not signed by this key, or was changed: run the gate again"
        ) from None
    verdict: dict[str, Any] = json.loads(raw)
    if verdict["model"]["revision"] != revision:
        judged = verdict["model"]["revision"]
        raise BlockedError(
            f"the verdict is of revision {judged!r}, not {revision!r}: run the gate on that one"
        )
    if golden_digest not in (None, verdict["goldenSet"]["digest"]):
        raise BlockedError(
            f"the verdict is by golden set {verdict['goldenSet']['digest']}, not {golden_digest}: run the gate again"
        )
    if not verdict["passed"]:
        raise BlockedError("the verdict is that it does not pass:\n" + "\n".join(verdict["reasons"]))
    return verdict
