"""What a Google project says about a stack's needs. Nothing here changes the project: every call reads."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from infra.catalog.bill import Stack

from .account import Finding
from .needs import GKE_POOL, HERE, GcpQuotaRow
from .needs import google as gpu_quotas

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
# The quota of newer GPUs is one metric with the family as a dimension, which only this API tells ("View quotas", Cloud
# Quotas API); googleapiclient has no description of it.
FAMILIES = (
    "https://cloudquotas.googleapis.com/v1/projects/{project}/locations/global/services/compute.googleapis.com"
    "/quotaInfos/GPUS-PER-GPU-FAMILY-per-project-region"
)
QUOTAS_PAGE = "https://console.cloud.google.com/iam-admin/quotas"


class NoGoogleLogin(Exception):
    """There are no application default credentials; the message says what to do."""


@dataclass(frozen=True)
class Google:
    """The APIs of a login. `http` is that login's, for an API that has no client."""

    http: Any
    compute: Any
    projects: Any
    services: Any


def of_login() -> Google:
    """The APIs, with application default credentials.

    Raises:
        NoGoogleLogin: there are none.
    """
    try:
        credentials, _ = google.auth.default(scopes=[SCOPE])
    except DefaultCredentialsError:
        raise NoGoogleLogin(f"no Google login to ask: {LOGIN}, and run it again") from None
    return of_http(google_auth_httplib2.AuthorizedHttp(credentials))


def of_http(http: Any) -> Google:
    """The APIs over an HTTP client; their descriptions are those of the package."""

    def api(name: str, version: str) -> Any:
        return discovery.build(name, version, http=http, static_discovery=True)

    services = api("serviceusage", "v1").services()
    return Google(http, api("compute", "v1"), api("cloudresourcemanager", "v3").projects(), services)


def check(stack: Stack, project: str, region: str, asked: Google) -> list[Finding]:
    """Every check of the Google part of a stack, in the order in which a first `up` would fail."""
    apis, rights, unlisted = needed(one.type for one in stack.by_urn.values())
    findings = [_project(project, asked), *_apis(project, apis, asked), _rights(project, rights, asked)]
    if unlisted:
        note = "localcloud/preflight/gcp_needs.yaml lacks them"
        findings.append(
            Finding("rights", ", ".join(unlisted), "known types", note, "unknown", f"add a row: {note}")
        )
    findings += _quotas(stack, project, region, asked)
    return [*findings, *_machines(stack, project, asked)]


def needed(types: Iterable[str]) -> tuple[list[str], list[str], list[str]]:
    """APIs and permissions that making these types takes, and the types that the table lacks."""
    table: Mapping[str, Mapping[str, Any]] = yaml.safe_load((HERE / "gcp_needs.yaml").read_text())
    ours = sorted({type_ for type_ in types if type_.startswith("gcp:")})
    rows = [table[type_] for type_ in ours if type_ in table]
    rights = {right for row in rows for right in row["rights"]}
    return sorted({row["api"] for row in rows}), sorted(rights), [one for one in ours if one not in table]


def _project(project: str, asked: Google) -> Finding:
    try:
        state = asked.projects.get(name=f"projects/{project}").execute()["state"]
    except UNSAID as error:
        fix = "name a project that exists in the setting gcp.project, and a login that may read it"
        verdict = "missing" if _status(error) in (403, 404) else "unknown"
        return Finding("project", project, "active", _why(error), verdict, fix)
    fix = "" if state == "ACTIVE" else "undelete it, or name another in the setting gcp.project"
    return Finding("project", project, "active", state.lower(), "ok" if not fix else "missing", fix)


def _apis(project: str, apis: Sequence[str], asked: Google) -> Iterator[Finding]:
    names = [f"projects/{project}/services/{api}.googleapis.com" for api in apis]
    try:
        answer = asked.services.batchGet(parent=f"projects/{project}", names=names).execute()
    except UNSAID as error:
        yield Finding("API", ", ".join(apis), "enabled", _why(error), "unknown")
        return
    states = {one["config"]["name"]: one["state"] for one in answer.get("services", ())}
    for api in apis:
        name = f"{api}.googleapis.com"
        on = states.get(name) == "ENABLED"
        there = states.get(name, "not known").lower()
        fix = "" if on else f"gcloud services enable {name} --project {project}"
        yield Finding("API", name, "enabled", there, "ok" if on else "missing", fix)


def _rights(project: str, rights: Sequence[str], asked: Google) -> Finding:
    what, body = f"{len(rights)} permissions", {"permissions": list(rights)}
    try:
        answer = asked.projects.testIamPermissions(resource=f"projects/{project}", body=body).execute()
    except UNSAID as error:
        return Finding("rights", what, "all", _why(error), "unknown")
    lacking = sorted(set(rights) - set(answer.get("permissions", ())))
    if not lacking:
        return Finding("rights", what, "all", "all", "ok")
    return Finding(
        "rights", what, "all", f"without {len(lacking)}", "missing", f"grant roles with: {', '.join(lacking)}"
    )


def _quotas(stack: Stack, project: str, region: str, asked: Google) -> Iterator[Finding]:
    """The GPU quotas of the region as they are today; what is used of them is not free."""
    wanted = gpu_quotas(stack)
    if not wanted:
        return
    try:
        told = asked.compute.regions().get(project=project, region=region).execute()
        free = {one["metric"]: (one["limit"], one.get("usage", 0)) for one in told.get("quotas", ())}
        families = _families(project, region, asked) if any(row.family for row, _ in wanted) else {}
    except UNSAID as error:
        for row, gpus in wanted:
            yield Finding("quota", _named(row, region), f"{gpus:g}", _why(error), "unknown")
        return
    for row, gpus in wanted:
        limit, used = (families.get(row.family), 0) if row.family else free.get(row.metric, (None, 0))
        there = "not told" if limit is None else f"{limit:g}" + (f", {used:g} used" if used else "")
        verdict = "unknown" if limit is None else "ok" if limit - used >= gpus else "missing"
        fix = "" if verdict == "ok" else f"ask for {gpus + used:g} at {QUOTAS_PAGE}?project={project}"
        yield Finding("quota", _named(row, region), f"{gpus:g}", there, verdict, fix)


def _families(project: str, region: str, asked: Google) -> dict[str, float]:
    """The limit of each GPU family in a region."""
    request = HttpRequest(asked.http, JsonModel().response, FAMILIES.format(project=project))
    limits = {}
    for info in request.execute().get("dimensionsInfos", ()):
        of = info.get("dimensions", {})
        if of.get("region") == region and "gpu_family" in of:
            limits[of["gpu_family"]] = float(info["details"].get("value", 0))
    return limits


def _named(row: GcpQuotaRow, region: str) -> str:
    family = f" of gpu_family {row.family}" if row.family else ""
    return f"{row.metric}{family} in {region}{', unverified' if row.basis == 'unverified' else ''}"


def _machines(stack: Stack, project: str, asked: Google) -> Iterator[Finding]:
    """Whether each zone of a node pool has its machine type, today and for this project."""
    for pool in stack.of(GKE_POOL):
        machine = str((pool.inputs.get("nodeConfig") or {}).get("machineType"))
        zones = [str(zone) for zone in pool.inputs.get("nodeLocations") or ()]
        lacking = []
        try:
            for zone in zones:
                if not _has(project, zone, machine, asked):
                    lacking.append(zone)
        except UNSAID as error:
            yield Finding("zones", f"{pool.name}: {machine}", ", ".join(zones), _why(error), "unknown")
            continue
        verdict = "missing" if zones and len(lacking) == len(zones) else "tight" if lacking else "ok"
        fix = (
            f"{machine} is not in {', '.join(lacking)}: `make catalog` reads today's zones" if lacking else ""
        )
        there = "all" if not lacking else f"not in {', '.join(lacking)}"
        yield Finding("zones", f"{pool.name}: {machine}", ", ".join(zones), there, verdict, fix)


def _has(project: str, zone: str, machine: str, asked: Google) -> bool:
    try:
        asked.compute.machineTypes().get(project=project, zone=zone, machineType=machine).execute()
    except HttpError as error:
        if _status(error) == 404:
            return False
        raise
    return True


def _status(error: Exception) -> int | None:
    return int(error.resp.status) if isinstance(error, HttpError) else None


def _why(error: Exception) -> str:
    status = _status(error)
    return f"not said: {status if status else type(error).__name__}"
