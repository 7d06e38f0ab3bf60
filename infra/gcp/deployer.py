"""Who runs the program, where the settings list who may: else they would find out at the cluster's first object."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_gcp as gcp

from infra.settings.errors import Problem, SettingsError

SETTING = "gcp.cluster.access.deployers"
ACCOUNT, PERSON = "serviceAccount:", "user:"
ROBOTS = ".gserviceaccount.com"


def check(listed: Sequence[str], provider: pulumi.ProviderResource | None) -> None:
    """Ask Google who runs the program, and wait for the answer, where every member listed is one person or account.

    Nobody can ask here who is in a group or a principal set, so that a list with one of them is believed. Credentials
    that impersonate an account are that account's. No list lets in whoever the project lets in.

    Raises:
        SettingsError: the caller is not listed, and could make no object in the cluster.
    """
    if not listed or not all(member.startswith((ACCOUNT, PERSON)) for member in listed):
        return
    try:
        runs = member_of(_email(provider))
    except Exception as error:
        raise _unknown(listed, error) from error
    if runs.casefold() not in (member.casefold() for member in listed):
        raise refused(listed, runs)


def member_of(email: str) -> str:
    """The member, as in an IAM policy, of an address that credentials are of."""
    return f"{ACCOUNT if email.endswith(ROBOTS) else PERSON}{email}"


def refused(listed: Sequence[str], runs: str) -> SettingsError:
    """The error for deployers among whom the one that runs Pulumi is not."""
    allowed = f"whoever runs pulumi among them: this is {runs}, whom the cluster would not let in"
    return SettingsError([Problem(SETTING, ", ".join(listed), allowed, f"[{', '.join([*listed, runs])}]")])


def _unknown(listed: Sequence[str], error: Exception) -> SettingsError:
    """A federated identity has no address: its token is none of Google's OpenID."""
    allowed = (
        "whoever runs pulumi among them, and Google doesn't tell who this is: list a federated identity as "
        f"principal://iam.googleapis.com/…, or let it impersonate an account that is listed ({error})"
    )
    return SettingsError([Problem(SETTING, ", ".join(listed), allowed)])


def _email(provider: pulumi.ProviderResource | None) -> str:
    """The address of the credentials that the provider has."""
    return gcp.organizations.get_client_open_id_user_info(opts=pulumi.InvokeOptions(provider=provider)).email
