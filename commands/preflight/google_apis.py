"""The APIs of a Google login, and how they say no. Nothing here changes the project: every call reads."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

with warnings.catch_warnings():
    # google.api_core tells every run on Python 3.11 in which year it will stop supporting it.
    warnings.simplefilter("ignore", FutureWarning)
    import google.auth
    import google_auth_httplib2
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
    from googleapiclient import discovery, discovery_cache
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
    """The APIs over the HTTP client of a login; their descriptions are those of the package."""

    http: Any

    @cached_property
    def compute(self) -> Any:
        """Compute Engine."""
        return self._api("compute", "v1")

    @cached_property
    def projects(self) -> Any:
        """Projects, of Resource Manager."""
        return self._api("cloudresourcemanager", "v3").projects()

    @cached_property
    def services(self) -> Any:
        """Which APIs are on, of Service Usage."""
        return self._api("serviceusage", "v1").services()

    @cached_property
    def logging(self) -> Any:
        """Cloud Logging."""
        return self._api("logging", "v2")

    @cached_property
    def policies(self) -> Any:
        """Policies of organisations, as they hold in a project."""
        return self._api("orgpolicy", "v2").projects().policies()

    def get(self, url: str) -> Any:
        """An answer by its whole address, of an API that has no client, or whose client would escape it again."""
        return HttpRequest(self.http, JsonModel().response, url).execute()

    def _api(self, name: str, version: str) -> Any:
        return discovery.build_from_document(_document(name, version), http=self.http)


@cache
def _document(name: str, version: str) -> dict[str, Any]:
    found = discovery_cache.get_static_doc(name, version)
    assert found, "the pinned google-api-python-client describes it"
    return json.loads(found)


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
    return Google(google_auth_httplib2.AuthorizedHttp(credentials))


def status(error: Exception) -> int | None:
    """The HTTP status of an answer of Google's; None of an error before there was one."""
    return int(error.resp.status) if isinstance(error, HttpError) else None


def why(error: Exception) -> str:
    """Why Google did not answer, as the table shows it."""
    return f"not said: {status(error) or type(error).__name__}"
