"""What the cache is told: a JSON file, and secrets as files of a folder, as Kubernetes mounts a Secret."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

# Classes of data whose principals may ask for erasure (DPDP Act 2023, s. 8(7) and 12).
PERSONAL = frozenset({"personal", "sensitive", "payment"})
SHORTEST_SECRET = 16


class OptionsError(Exception):
    """The configuration or a secret can't be used; the message says which, and what it must be."""


@dataclass(frozen=True)
class Tenant:
    """A team with an API key of the gateway."""

    name: str
    data_class: str
    above_zero: bool = False
    """Whether answers above temperature 0 are kept too: the same question then has the same answer."""


@dataclass(frozen=True)
class Options:
    """The cache's configuration; times in seconds, sizes in bytes."""

    upstream: str
    """The gateway: http://gateway:30000."""
    redis: str
    """redis://host:port/0 or unix:///path."""
    tenants: Mapping[str, Tenant]
    """By the SHA-256 of their API key. Requests with any other key pass by the cache."""
    secret: bytes = field(repr=False)
    """All keys of entries and seals follow from it: with another secret every entry is a miss."""
    admin: bytes = field(repr=False)
    """The key that may erase."""
    redis_password: str | None = field(default=None, repr=False)
    lives: Mapping[str, int] = field(default_factory=dict)
    """Seconds that an answer is kept, by class of data; none for a class that is not named."""
    revisions: Mapping[str, str] = field(default_factory=dict)
    """The revision of each model or adapter that is served."""
    redis_seconds: float = 0.05
    """The most that a call of Redis may take before the request goes on without."""
    redis_rest_seconds: float = 1.0
    """For how long nobody asks Redis again after it failed."""
    lock_seconds: float = 10.0
    """After which a process that died holds no question any more. A living one renews its lock."""
    wait_seconds: float = 60.0
    """The longest that a question waits for the same one of another process."""
    upstream_seconds: float = 600.0
    """The longest silence of the gateway."""
    client_seconds: float = 60.0
    """The longest silence of a client that sends its request or takes its answer."""
    largest_request: int = 4 << 20
    largest_answer: int = 1 << 20
    """Larger answers are passed on, not kept."""
    log_prompts: bool = False

    def tenant(self, api_key: str) -> Tenant | None:
        """Whose key it is."""
        return self.tenants.get(fingerprint(api_key))


def fingerprint(api_key: str) -> str:
    """What stands for an API key in memory."""
    return hashlib.sha256(api_key.encode()).hexdigest()


_OF_FILES = frozenset({"tenants", "secret", "admin", "redis_password"})
_PLAIN = {each.name: each for each in fields(Options) if each.name not in _OF_FILES}


def load(config: Path, secrets: Path) -> Options:
    """The options. Secrets are the files `secret`, `admin`, `redis-password`, and `tenant-<name>` with each API key."""
    given = _config(config)
    tenants = given.pop("tenants", {})
    plain = {name: given.pop(name) for name in list(given) if name in _PLAIN}
    if given:
        raise OptionsError(
            f"{config}: no such options: {', '.join(sorted(given))}; there are {sorted(_PLAIN)}"
        )
    for name in ("upstream", "redis"):
        if not isinstance(plain.get(name), str):
            raise OptionsError(f"{config}: {name} is missing: an address is needed")
    return Options(
        tenants=dict(_tenant(name, said, config, secrets) for name, said in tenants.items()),
        secret=_secret(secrets / "secret"),
        admin=_secret(secrets / "admin"),
        redis_password=_text(secrets / "redis-password") if (secrets / "redis-password").exists() else None,
        **plain,
    )


def _config(path: Path) -> dict[str, Any]:
    try:
        given = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise OptionsError(f"{path}: {error}; a file with a JSON object is needed") from error
    if not isinstance(given, dict):
        raise OptionsError(f"{path}: a JSON object is needed")
    return given


def _tenant(name: str, said: Any, config: Path, secrets: Path) -> tuple[str, Tenant]:
    if not isinstance(said, dict) or not isinstance(said.get("data_class"), str):
        raise OptionsError(f"{config}: tenants.{name} needs a data_class, such as internal")
    key = _secret(secrets / f"tenant-{name}").decode()
    return fingerprint(key), Tenant(name, said["data_class"], said.get("above_zero") is True)


def _secret(path: Path) -> bytes:
    text = _text(path).encode()
    if len(text) < SHORTEST_SECRET:
        raise OptionsError(f"{path}: {len(text)} bytes are too few for a secret: {SHORTEST_SECRET} or more")
    return text


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise OptionsError(f"{path}: {error}; a file with a secret is needed") from error
