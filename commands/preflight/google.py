"""What a Google project says about a stack's needs. Nothing here changes the project: every call reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from commands.preflight import google_quotas
from commands.preflight.account import Finding, Verdict
from commands.preflight.google_apis import UNSAID, Google, HttpError, status, why
from commands.preflight.needs import HERE
from infra.geography import regions_of
from infra.pricing.nodes import GKE_POOL
from infra.pricing.resources import ResourceGraph

# What the provider needs so that its calls count against the project.
QUOTA_PROJECT = {"serviceusage.services.use"}
DOMAINS = "iam.allowedPolicyMemberDomains"
OWN_LOG_BUCKETS = ("_Default", "_Required")


def check(stack: ResourceGraph, project: str, region: str, asked: Google) -> list[Finding]:
    """Every check of the Google part of a stack, in the order in which a first `up` would fail."""
    apis, rights, unlisted = needed(one.type for one in stack.by_urn.values())
    findings = [_project(project, asked), *_apis(project, apis, asked), _rights(project, rights, asked)]
    if unlisted:
        note = "commands/preflight/gcp_needs.yaml lacks them"
        findings.append(
            Finding("rights", ", ".join(unlisted), "known types", note, "unknown", f"add a row: {note}")
        )
    findings += _members(stack, project, asked)
    findings += _log_buckets(stack, project, asked)
    findings += google_quotas.check(stack, project, region, asked)
    findings += _machines(stack, project, asked)
    return [*findings, *_profiles(stack, project, asked)]


def needed(types: Iterable[str]) -> tuple[list[str], list[str], list[str]]:
    """APIs and permissions that making these types takes, and the types that the table lacks."""
    table: Mapping[str, Mapping[str, Any]] = yaml.safe_load((HERE / "gcp_needs.yaml").read_text())
    ours = sorted({type_ for type_ in types if type_.startswith("gcp:")})
    rows = [table[type_] for type_ in ours if type_ in table]
    rights = {right for row in rows for right in row["rights"]} | (QUOTA_PROJECT if rows else set())
    apis = {api for row in rows for api in str(row["api"]).split()}
    return sorted(apis), sorted(rights), [one for one in ours if one not in table]


def _project(project: str, asked: Google) -> Finding:
    try:
        state = asked.projects.get(name=f"projects/{project}").execute()["state"]
    except UNSAID as error:
        fix = "name a project that exists in the setting gcp.project, and a login that may read it"
        verdict = "missing" if status(error) in (403, 404) else "unknown"
        return Finding("project", project, "active", why(error), verdict, fix)
    fix = "" if state == "ACTIVE" else "undelete it, or name another in the setting gcp.project"
    return Finding("project", project, "active", state.lower(), "ok" if not fix else "missing", fix)


def _apis(project: str, apis: Sequence[str], asked: Google) -> Iterator[Finding]:
    names = [f"projects/{project}/services/{api}.googleapis.com" for api in apis]
    try:
        answer = asked.services.batchGet(parent=f"projects/{project}", names=names).execute()
    except UNSAID as error:
        yield Finding("API", ", ".join(apis), "enabled", why(error), "unknown")
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
        return Finding("rights", what, "all", why(error), "unknown")
    lacking = sorted(set(rights) - set(answer.get("permissions", ())))
    if not lacking:
        return Finding("rights", what, "all", "all", "ok")
    return Finding(
        "rights", what, "all", f"without {len(lacking)}", "missing", f"grant roles with: {', '.join(lacking)}"
    )


def _members(stack: ResourceGraph, project: str, asked: Google) -> Iterator[Finding]:
    """Whether the organisation lets in everybody whom the stack grants something. It names customers, not domains, so
    members of several domains are to be looked at."""
    named = {str(one.inputs.get("member")) for one in stack.by_urn.values() if "member" in one.inputs}
    people = {member for member in named if member.startswith(("user:", "group:", "domain:"))}
    domains = sorted({member.rpartition("@")[2].removeprefix("domain:") for member in people})
    if not domains:
        return
    try:
        name = f"projects/{project}/policies/{DOMAINS}"
        rules = asked.policies.getEffectivePolicy(name=name).execute().get("spec", {}).get("rules", ())
    except UNSAID as error:
        yield Finding("members", ", ".join(domains), "permitted", why(error), "unknown")
        return
    allowed = [value for rule in rules for value in rule.get("values", {}).get("allowedValues", ())]
    verdict = "tight" if allowed and len(domains) > 1 else "ok"
    fix = (
        f"{DOMAINS} permits only {', '.join(allowed)}: is each domain of one of them?"
        if verdict != "ok"
        else ""
    )
    there = f"only {', '.join(allowed)}" if allowed else "everybody"
    yield Finding("members", ", ".join(domains), "permitted", there, verdict, fix)


def _log_buckets(stack: ResourceGraph, project: str, asked: Google) -> Iterator[Finding]:
    """Where the project's own log buckets stand. `_Default` may be anywhere once its sink writes to the region."""
    try:
        listed = asked.logging.projects().locations().buckets()
        found = listed.list(parent=f"projects/{project}/locations/-").execute().get("buckets", ())
    except UNSAID as error:
        yield Finding("logs", ", ".join(OWN_LOG_BUCKETS), "in India", why(error), "unknown")
        return
    places = {one["name"].rpartition("/")[2]: one["name"].split("/")[3] for one in found}
    sinks = {one.inputs.get("name") for one in stack.of("gcp:logging/projectSink:ProjectSink")}
    for bucket in OWN_LOG_BUCKETS:
        place = places.get(bucket, "not told")
        at_home = place in regions_of("gcp")
        taken = bucket in sinks
        verdict = "ok" if at_home or taken else "unknown" if place == "not told" else WORSE[bucket]
        there = f"{place}, its sink becomes the stack's" if taken and not at_home else place
        yield Finding(
            "logs", bucket, "in India", there, verdict, "" if verdict == "ok" else LOG_FIXES[bucket]
        )
    if any(place not in regions_of("gcp") for place in places.values()):
        yield from _parents_logs(project, asked)


def _parents_logs(project: str, asked: Google) -> Iterator[Finding]:
    """Where the project's folder, or organisation, has the log buckets of new projects made."""
    try:
        parent = asked.projects.get(name=f"projects/{project}").execute().get("parent", "")
        if not parent:
            return
        kind = getattr(asked.logging, parent.partition("/")[0])()
        place = kind.getSettings(name=parent).execute().get("storageLocation") or "global"
    except UNSAID as error:
        yield Finding("logs", "new projects beside it", "in India", why(error), "unknown")
        return
    at_home = place in regions_of("gcp")
    command = f"gcloud logging settings update --{parent.replace('s/', '=')} --storage-location=asia-south1"
    verdict: Verdict = "ok" if at_home else "tight"
    yield Finding("logs", f"new projects of {parent}", "in India", place, verdict, "" if at_home else command)


# The place of a log bucket can't be changed. `_Required` keeps what Google writes down about the project, not its data.
WORSE: Mapping[str, Verdict] = {"_Default": "missing", "_Required": "tight"}
LOG_FIXES = {
    "_Default": "leave gcp.audit.defaultSink on in one stack of the project, so that its logs go to the region",
    "_Required": "changes of configuration stay there for 400 days: a new project in a folder whose logs are stored in "
    "India has it in the region",
}


def _profiles(stack: ResourceGraph, project: str, asked: Google) -> Iterator[Finding]:
    """Whether the zone of each network for RDMA has the profile that such a network needs."""
    for network in stack.of("gcp:compute/network:Network"):
        profile = str(network.inputs.get("networkProfile") or "").rpartition("/")[2]
        if not profile:
            continue
        try:
            asked.compute.networkProfiles().get(project=project, networkProfile=profile).execute()
        except UNSAID as error:
            gone = status(error) == 404
            fix = (
                "put the pool where `gcloud compute network-profiles list` has a RoCE profile" if gone else ""
            )
            yield Finding("network", profile, "offered", why(error), "missing" if gone else "unknown", fix)
            continue
        yield Finding("network", profile, "offered", "offered", "ok")


def _machines(stack: ResourceGraph, project: str, asked: Google) -> Iterator[Finding]:
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
            yield Finding("zones", f"{pool.name}: {machine}", ", ".join(zones), why(error), "unknown")
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
        if status(error) == 404:
            return False
        raise
    return True
