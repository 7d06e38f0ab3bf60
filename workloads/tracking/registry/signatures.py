"""Who signed a verdict: the public keys of the gates whose verdicts count, and the check of a signature by them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from .errors import RegistryError

Keys = Sequence[Ed25519PublicKey]
_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)
MAKE = "give what `openssl pkey -in key.pem -pubout` prints of the gate's key of Ed25519"


def read(path: str) -> Keys:
    """The keys in a PEM file: the gate's, and those that it had before. RegistryError where there is none."""
    if not path:
        raise RegistryError(f"no key of the gate: --key or REGISTRY_VERDICT_KEY names a file; {MAKE}")
    try:
        keys = [load_pem_public_key(block) for block in _PEM.findall(Path(path).read_bytes())]
    except OSError as error:
        raise RegistryError(f"--key {path} can't be read: {error.strerror}; {MAKE}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise RegistryError(f"--key {path} is no public key in PEM ({error}): {MAKE}") from error
    found = [key for key in keys if isinstance(key, Ed25519PublicKey)]
    if not found or len(found) < len(keys):
        raise RegistryError(f"--key {path} is no public key of Ed25519: {MAKE}")
    return found


def signer(raw: bytes, signature: bytes, keys: Keys) -> str:
    """The fingerprint of the key that signed these very bytes; RegistryError where none of `keys` did."""
    for key in keys:
        try:
            key.verify(signature, raw)
        except InvalidSignature:
            continue
        return fingerprint(key)
    known = ", ".join(fingerprint(key)[:12] for key in keys)
    raise RegistryError(
        f"the verdict is not signed by the gate ({known}), or was changed since: run the golden set again, and give "
        "verdict.json as the gate wrote it, with verdict.json.sig beside it"
    )


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 of the key in DER: `openssl pkey -pubin -in key.pub -outform DER | sha256sum`."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
