"""Placeholders of the shipped stack files: addresses that reach nobody, until the user puts in real ones."""

from __future__ import annotations

from collections.abc import Mapping

from infra.settings.stack import Settings

# Reserved for documentation and tests: mail to them reaches nobody (RFC 2606; RFC 6761).
RESERVED_DOMAINS = ("example.com", "example.net", "example.org", "example", "invalid", "localhost", "test")


def placeholders(read: Settings) -> Mapping[str, str]:
    """The addresses for alerts that nobody can have, by the path of their setting.

    They are not refused: the same file comes up on the local cloud, where no mail is sent.
    """
    clouds = {"aws": read.aws, "gcp": read.gcp}
    return {
        f"{name}.audit.alertEmails[{i}]": address
        for name, cloud in clouds.items()
        if cloud
        for i, address in enumerate(cloud.audit.alert_emails)
        if reserved(address)
    }


def reserved(address: str) -> bool:
    """Whether an e-mail address is in a domain that nobody can have."""
    domain = address.rpartition("@")[2].casefold().rstrip(".")
    return any(domain == name or domain.endswith(f".{name}") for name in RESERVED_DOMAINS)
