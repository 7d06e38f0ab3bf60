"""The keys of the store on premises: secrets of the stack, which its file holds only encrypted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pulumi

from infra.settings.errors import NOTHING, Problem, SettingsError

NAMESPACE = "onPremises"  # not the project's own: whatever stands there is one of the settings, and shown


@dataclass(frozen=True)
class Credentials:
    """An S3 access key, and its secret."""

    access_key: pulumi.Output[str]
    secret_key: pulumi.Output[str]


def store_credentials() -> Credentials:
    """The running stack's keys of its store.

    Raises:
        SettingsError: one is missing; says how to set it.
    """
    get: Callable[[str], pulumi.Output[str] | None] = pulumi.Config(NAMESPACE).get_secret
    access, secret = get("accessKey"), get("secretKey")
    if access is None or secret is None:
        missing = [name for name, value in (("accessKey", access), ("secretKey", secret)) if value is None]
        raise SettingsError([Problem(f"{NAMESPACE}:{name}", NOTHING, _how(name)) for name in missing])
    return Credentials(access, secret)


def _how(name: str) -> str:
    return f"a key of onPremises.store: pulumi config set --secret {NAMESPACE}:{name}"
