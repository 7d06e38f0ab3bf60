"""The APIs of a Google login, and how they say no. Nothing here changes the project: every call reads."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

with warnings.catch_warnings():
    # google.api_core tells every run on Python 3.11 in which year it will stop supporting it.
    warnings.simplefilter("ignore", FutureWarning)
    import google.auth
    import google_auth_httplib2
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
    from googleapiclient import discovery
    from googleapiclient.errors import HttpError
    from googleapiclient.http import HttpRequest
    from googleapiclient.model import JsonModel
    from httplib2 import HttpLib2Error

SCOPE = "https://www.googleapis.com/auth/cloud-platform"  # testIamPermissions takes no lesser one
LOGIN = "set GOOGLE_APPLICATION_CREDENTIALS, or `gcloud auth application-default login`"
UNSAID = (HttpError, GoogleAuthError, HttpLib2Error, OSError)


class NoGoogleLoginError(Exception):
    """There are no application default credentials; the message says what to do."""


@dataclass(frozen=True)
class Google:
    """The APIs of a login. `http` is that login's."""

    http: Any
    compute: Any
    projects: Any
    services: Any
    logging: Any
    policies: Any

    def get(self, url: str) -> Any:
        """An answer by its whole address, of an API that has no client, or whose client would escape it again."""
        return HttpRequest(self.http, JsonModel().response, url).execute()


def of_login(project: str) -> Google:
    """The APIs, with application default credentials. Calls count against `project`: a person's login has none, and
    some APIs then refuse it.

    Raises:
        NoGoogleLoginError: there are none.
    """
    try:
        credentials, _ = google.auth.default(scopes=[SCOPE])
    except DefaultCredentialsError:
        raise NoGoogleLoginError(f"no Google login to ask: {LOGIN}, and run it again") from None
    if hasattr(credentials, "with_quota_project"):
        credentials = credentials.with_quota_project(project)
    return of_http(google_auth_httplib2.AuthorizedHttp(credentials))


def of_http(http: Any) -> Google:
    """The APIs over an HTTP client; their descriptions are those of the package."""

    def api(name: str, version: str) -> Any:
        return discovery.build(name, version, http=http, static_discovery=True)

    services = api("serviceusage", "v1").services()
    return Google(
        http,
        compute=api("compute", "v1"),
        projects=api("cloudresourcemanager", "v3").projects(),
        services=services,
        logging=api("logging", "v2"),
        policies=api("orgpolicy", "v2").projects().policies(),
    )


def status(error: Exception) -> int | None:
    """The HTTP status of an answer of Google's; None of an error before there was one."""
    return int(error.resp.status) if isinstance(error, HttpError) else None


def why(error: Exception) -> str:
    """Why Google did not answer, as the table shows it."""
    return f"not said: {status(error) or type(error).__name__}"
