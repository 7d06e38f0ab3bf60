"""A thin client for any kind of Kubernetes object: apply, read, list, delete, in the API server's own words.

Objects are plain dicts. The path of a kind is asked from the API server and kept, so that custom resources need no
code of their own.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Object = dict[str, Any]

FIELD_MANAGER = "pulumi-kubernetes"
REQUEST_SECONDS = 30
WATCH_SECONDS = 300  # then it is asked for anew
JSON = "application/json"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


class ApiError(Exception):
    """The API server refused a request: its HTTP status, its reason and its message."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class UnknownKindError(Exception):
    """The API server serves no such kind, at least not yet."""


class UnreachableError(Exception):
    """Nothing answers at the cluster's endpoint."""


@dataclass(frozen=True)
class Kind:
    """Where the objects of a kind live below the API server."""

    prefix: str
    plural: str
    namespaced: bool

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """The path of its objects, of those in a namespace, or of the one with a name."""
        parts = [self.prefix]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name:
            parts.append(name)
        return "/".join(parts)


class Api:
    """One cluster, as the administrator that the kubeconfig names. Safe to share between threads."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig
        self._kinds: dict[tuple[str, str], Kind] = {}

    @functools.cached_property
    def _client(self) -> ApiClient:
        # Imported late: a preview without changes never speaks to the cluster.
        from kubernetes.client import ApiClient, Configuration
        from kubernetes.config import load_kube_config

        configuration = Configuration()
        load_kube_config(str(self._kubeconfig), client_configuration=configuration, persist_config=False)
        configuration.proxy = None  # the cluster is on this machine
        configuration.connection_pool_maxsize = 32
        return ApiClient(configuration)

    def request(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        content: str = JSON,
        query: Mapping[str, str] | None = None,
    ) -> Object:
        """One request; returns the decoded answer, or raises `ApiError` or `UnreachableError`."""
        from urllib3.exceptions import HTTPError

        url = self._client.configuration.host + path + (f"?{urlencode(query)}" if query else "")
        headers = {"Content-Type": content, "Accept": "application/json"}
        try:
            answer = self._client.rest_client.request(
                method, url, headers=headers, body=body, _request_timeout=REQUEST_SECONDS
            )
            raw = answer.read()
        except HTTPError as error:
            raise UnreachableError(
                f"the cluster at {self._client.configuration.host} does not answer: {error}"
            ) from None
        if answer.status >= 400:
            raise _error(answer.status, raw)
        return json.loads(raw) if raw[:1] in (b"{", b"[") else {}

    def kind(self, api_version: str, kind: str) -> Kind:
        """The kind's path; asked once, and again while the API server does not know it."""
        known = self._kinds.get((api_version, kind))
        if known:
            return known
        prefix = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        try:
            listed = self.request("GET", prefix)["resources"]
        except ApiError as error:
            if error.status != 404:
                raise
            listed = []
        for resource in listed:
            if "/" not in resource["name"]:
                found = Kind(prefix, resource["name"], resource["namespaced"])
                self._kinds[api_version, resource["kind"]] = found
        if (api_version, kind) not in self._kinds:
            raise UnknownKindError(f'no matches for kind "{kind}" in version "{api_version}"')
        return self._kinds[api_version, kind]

    def path(self, wanted: Object) -> str:
        """The path of the object that `wanted` describes by apiVersion, kind and metadata."""
        metadata = wanted["metadata"]
        kind = self.kind(wanted["apiVersion"], wanted["kind"])
        return kind.path(metadata.get("namespace") or "default", metadata["name"])

    def apply(self, wanted: Object, *, dry_run: bool = False, force: bool = False) -> Object:
        """Server-side apply; returns the object after it (with `dry_run`, as it would be)."""
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict", "force": str(force).lower()}
        if dry_run:
            query["dryRun"] = "All"
        path = self.path(wanted)
        return _trimmed(self.request("PATCH", path, wanted, content=APPLY, query=query))

    def get(self, wanted: Object) -> Object | None:
        """The object as it is; None where there is none."""
        return self._unless_gone("GET", wanted)

    def delete(self, wanted: Object, propagation: str = "Foreground") -> Object | None:
        """Delete the object; None where there is none. `propagation` is the API's `propagationPolicy`."""
        return self._unless_gone("DELETE", wanted, propagationPolicy=propagation)

    def list(self, api_version: str, kind: str, namespace: str | None = None, **query: str) -> list[Object]:
        """The objects of a kind, of all namespaces unless one is named. `query` goes into the request, as
        `labelSelector`."""
        return self.request("GET", self.kind(api_version, kind).path(namespace), query=query)["items"]

    def watch(self, path: str, **query: str) -> Iterator[tuple[str, Object]]:
        """What is at a list's path, and then every change to it: `ADDED`, `MODIFIED` or `DELETED`, and the object.
        Ends when the API server ends the watch, or knows the changes since the list no more.

        Raises:
            UnreachableError: it does not answer, or no longer.
        """
        from urllib3.exceptions import HTTPError

        listed = self.request("GET", path, query=query)
        yield from (("ADDED", item) for item in listed["items"])
        yield "LISTED", listed
        since = {"watch": "1", "resourceVersion": listed["metadata"]["resourceVersion"]}
        words = urlencode({**query, **since, "timeoutSeconds": str(WATCH_SECONDS)})
        url = f"{self._client.configuration.host}{path}?{words}"
        try:
            answer = self._client.rest_client.pool_manager.request(
                "GET", url, preload_content=False, timeout=WATCH_SECONDS + REQUEST_SECONDS
            )
            for line in _lines(answer.stream(amt=None, decode_content=True)):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                yield event["type"], event["object"]
        except HTTPError as error:
            raise UnreachableError(f"the watch of {path} broke off: {error}") from None

    def _unless_gone(self, method: str, wanted: Object, **query: str) -> Object | None:
        try:
            return _trimmed(self.request(method, self.path(wanted), query=query))
        except UnknownKindError:
            return None
        except ApiError as error:
            if error.status == 404:
                return None
            raise


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole


def _trimmed(answer: Object) -> Object:
    """Without the record of who set which field: long, and nobody here reads it."""
    answer.get("metadata", {}).pop("managedFields", None)
    return answer


def _error(status: int, raw: bytes) -> ApiError:
    try:
        answer = json.loads(raw)
    except ValueError:
        answer = {}
    return ApiError(status, answer.get("reason", ""), answer.get("message") or raw.decode(errors="replace"))
