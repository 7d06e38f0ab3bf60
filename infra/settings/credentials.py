"""The access key of the S3 server on premises: two secrets of the stack, which its file holds encrypted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pulumi

from infra.settings.errors import NOTHING, Problem, SettingsError

# Not the project's own namespace: what is there is read as settings, which refusals show.
NAMESPACE = "onPremises"
KEYS = {
    name: f"A key of onPremises.store, encrypted: pulumi config set --secret {NAMESPACE}:{name}"
    for name in ("accessKey", "secretKey")
}


@dataclass(frozen=True)
class Credentials:
    """An S3 access key, and its secret."""

    access_key: pulumi.Output[str]
    secret_key: pulumi.Output[str]


def store_credentials() -> Credentials:
    """The access key of the running stack's store.

    Raises:
        SettingsError: a part of it is missing; the message says how to set it.
    """
    get: Callable[[str], pulumi.Output[str] | None] = pulumi.Config(NAMESPACE).get_secret
    access, secret = map(get, KEYS)
    if access is None or secret is None:
        missing = [(name, allowed) for name, allowed in KEYS.items() if get(name) is None]
        raise SettingsError([Problem(f"{NAMESPACE}:{name}", NOTHING, allowed) for name, allowed in missing])
    return Credentials(access, secret)
