"""The `gcp` provider of the local cloud: Pulumi's Google types, checked and kept, as `gcp/types.yaml` says."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property, partial
from importlib.metadata import version
from threading import Lock
from typing import Any

from typing_extensions import override

from localcloud import google_deployer, google_networks
from localcloud.directories import run_dir
from localcloud.providers.gcp import habits, shapes
from localcloud.providers.gcp.partly_known import first, given_in, merged, not_known
from localcloud.providers.gcp.refusals import refusals
from localcloud.providers.gcp.replaced import replaced
from localcloud.providers.gcp.side_effects import SIDE_EFFECTS, raised_version
from localcloud.providers.gcp.table import (
    Row,
    UnknownTypeError,
    channels,
    invoke,
    render,
    row,
    service_agent,
    tells_email,
)
from localcloud.providers.protocol import (
    UNKNOWN,
    Diff,
    InvalidInputsError,
    NotReadyError,
    Provider,
    Resource,
    ResourceError,
    Values,
    changed_keys,
    serve,
)
from localcloud.store import Store

CLUSTER = "gcp:container/cluster:Cluster"
ATTRIBUTION = {"goog-pulumi-provisioned": "true"}
_LOCATION = re.compile(r"projects/[^/]+/locations/([^/]+)/")


class Gcp(Provider):
    """`now` is the clock by which deleted things linger."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._config: Values = {}
        # What a preview would make of resources, by type and id: others are judged by it, not by what is there.
        self._planned: dict[str, dict[str, Values]] = {}
        self._one_at_a_time = Lock()

    @cached_property
    def _store(self) -> Store:
        return Store(run_dir() / "store.sqlite")

    @override
    def configure(self, config: Values) -> None:
        self._config = config

    @override
    def check(self, resource: Resource, old_inputs: Values, inputs: Values) -> Values:
        found = _row(resource)
        filled = _named(found, resource, old_inputs, inputs)
        if filled == old_inputs:
            return filled
        if wrong := shapes.misfits(found, filled) or self._refusals(found, filled, resource.urn):
            raise InvalidInputsError(wrong)
        return filled

    @override
    def diff(self, resource: Resource, old_inputs: Values, old_outputs: Values, inputs: Values) -> Diff:
        found = _row(resource)
        changed = changed_keys(old_inputs, inputs)
        replaces = replaced(found.token, old_inputs, inputs)
        resource_id = resource.id if found.server_named else self._scope(found, inputs)["id"]
        moved = resource_id not in (resource.id, UNKNOWN)  # the provider's project or region may have changed
        if moved and not replaces:
            changed, replaces = [*changed, "project"], ["project"]
        return Diff(changed, replaces, bool(replaces) and resource_id == resource.id)

    @override
    def create(self, resource: Resource, inputs: Values) -> tuple[str, Values]:
        found = _row(resource)
        if resource.preview:
            self._plan(found, self._scope(found, inputs)["id"], inputs)
            return "", merged(not_known(found.outputs), given_in(inputs)) | self._labels(found, inputs)
        drawn: Values = {
            "digits": str(10**18 + secrets.randbelow(9 * 10**18)),
            "created": self._now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        scope = self._scope(found, inputs, drawn)
        with self._one_at_a_time:
            self._done(found, scope["id"])
            self._admit(resource, found, inputs, scope)
            self._store.put(found.token, scope["id"], {"inputs": inputs, "drawn": drawn, "urn": resource.urn})
        lacks = habits.spot_has_none(self._call(found, inputs, scope))
        try:
            if found.side_effects:
                played = habits.without_nodes(inputs) if lacks else inputs
                drawn["played"] = {
                    **SIDE_EFFECTS[found.side_effects].created(played, scope),
                    "lacksNodes": bool(lacks),
                }
        except Exception:
            self._store.delete(found.token, scope["id"])
            raise
        self._store.put(found.token, scope["id"], {"inputs": inputs, "drawn": drawn, "urn": resource.urn})
        habits.made(self._call(found, inputs, scope))
        outputs = self._outputs(found, inputs, drawn)
        if lacks:
            raise NotReadyError(scope["id"], outputs, [lacks])
        return scope["id"], outputs

    @override
    def read(self, resource: Resource, inputs: Values, outputs: Values) -> tuple[Values, Values] | None:
        found = _row(resource)
        record = self._record(found, resource.id)
        if record is None:
            return None
        seen = record["inputs"]
        return seen, self._outputs(found, seen, record["drawn"])

    @override
    def update(self, resource: Resource, old_inputs: Values, old_outputs: Values, inputs: Values) -> Values:
        found = _row(resource)
        record = self._store.get(found.token, resource.id)
        if record is None:
            said = f"googleapi: Error 404: {resource.id} was not found, notFound"
            raise ResourceError(f"{_said(resource)}: {said}")
        drawn = record["drawn"]
        if resource.preview:
            self._plan(found, resource.id, inputs)
            return self._outputs(found, inputs, drawn)
        self._done(found, resource.id)
        if wrong := self._refusals(found, inputs):
            raise ResourceError(f"{_said(resource)}: {_together(wrong)}")
        scope = self._scope(found, inputs, drawn) | {"old": record["inputs"]}
        habits.refuse(_said(resource), self._call(found, inputs, scope))
        if found.side_effects:
            drawn["played"] = self._played_again(found, inputs, scope, drawn.get("played", {}))
        self._store.put(found.token, resource.id, {"inputs": inputs, "drawn": drawn, "urn": resource.urn})
        return self._outputs(found, inputs, drawn)

    def _played_again(self, found: Row, inputs: Values, scope: Values, before: Values) -> Values:
        """A pool that came without its nodes gets them with the next update for which there are some."""
        lacks = habits.spot_has_none(self._call(found, inputs, scope)) if before.get("lacksNodes") else None
        if before.get("lacksNodes"):
            scope = {**scope, "old": {}}
        played = SIDE_EFFECTS[found.side_effects].updated(
            habits.without_nodes(inputs) if lacks else inputs, scope
        )
        return {**before, **played, "lacksNodes": bool(lacks)}

    @override
    def delete(self, resource: Resource, inputs: Values, outputs: Values) -> None:
        found = _row(resource)
        if outputs.get("deletionProtection") is True:
            kind = resource.type.rsplit(":", 1)[-1].lower()
            raise ResourceError(
                f"{_said(resource)}: Cannot destroy {kind} because deletion_protection is set to true. "
                f"Set it to false to proceed with {kind} deletion."
            )
        if outputs.get("deletionPolicy") == "PREVENT":
            raise ResourceError(f"{_said(resource)}: its deletionPolicy is PREVENT: set it to DELETE first")
        if outputs.get("deletionPolicy") == "ABANDON":
            return
        record = self._store.get(found.token, resource.id)
        if record and found.side_effects:
            seen = record["inputs"]
            SIDE_EFFECTS[found.side_effects].deleting(seen, self._scope(found, seen, record["drawn"]))
        if record and habits.ended(
            self._call(found, record["inputs"], {**self._place({}), "id": resource.id})
        ):
            return
        self._store.delete(found.token, resource.id)

    @override
    def invoke(self, token: str, args: Values) -> Values:
        try:
            function = invoke(token)
        except UnknownTypeError as unknown:
            raise ResourceError(str(unknown)) from unknown
        if unused := set(args) - set(function.get("args", ())):
            raise ResourceError(
                f"{token}: the local cloud does not know the argument {', '.join(sorted(unused))}"
            )
        outputs = render(function["outputs"], self._asked(token, function, args))
        habits.answered(outputs, self._store)
        return outputs

    def _asked(self, token: str, function: Mapping[str, Any], args: Values) -> Values:
        """What the outputs of a function may use; of one that reads or lists resources, what is known of them too."""
        scope = {**self._place(args), "caller": google_deployer.email(), **args}
        if "lists" in function:
            found, within = row(function["lists"]), render(function["within"], scope)
            records = {**google_networks.simulated(found.token), **self._store.items(found.token)}.items()
            here = [(key, record) for key, record in records if key.startswith(within)]
            known = [{**scope, **self._shown_as(found, key, record)} for key, record in here]
            return {**scope, "listed": [render(function["each"], one) for one in known]}
        if "reads" in function:
            found, key = row(function["reads"]), render(function["id"], scope)
            record = self._store.get(found.token, key) or google_networks.simulated(found.token).get(key)
            if record is None:
                raise ResourceError(
                    f"{token}: googleapi: Error 404: The resource '{key}' was not found, notFound"
                )
            return {**scope, **self._shown_as(found, key, record)}
        return scope

    def _shown_as(self, found: Row, key: str, record: Values) -> Values:
        return {**self._outputs(found, record["inputs"], record["drawn"]), "id": key}

    def _record(self, found: Row, resource_id: str) -> Values | None:
        """What Google has of a resource: what a program made of it, or what is there from the start."""
        record = self._store.get(found.token, resource_id)
        if record is None and found.token == habits.SINK:
            _, project, _, name = resource_id.split("/")
            sink = habits.own_sink(project, name)
            return {"inputs": sink, "drawn": {}} if sink else None
        return record

    def _call(self, found: Row, inputs: Values, scope: Mapping[str, Any]) -> habits.Call:
        return habits.Call(found.token, inputs, scope, self._store, self._now())

    def _admit(self, resource: Resource, found: Row, inputs: Values, scope: Values) -> None:
        """Let in what nothing made meanwhile forbids."""
        if self._store.get(found.token, scope["id"]) and not found.adopts:
            said = f"googleapi: Error 409: The resource '{scope['id']}' already exists, alreadyExists"
            raise ResourceError(f"{_said(resource)}: {said}")
        if wrong := self._refusals(found, inputs):
            raise ResourceError(f"{_said(resource)}: {_together(wrong)}")
        habits.refuse(_said(resource), self._call(found, inputs, scope))

    def _refusals(self, found: Row, inputs: Values, replacing: str = "") -> list[tuple[str, str]]:
        """What breaks a rule. `replacing` is the URN of what a plan may put these inputs in the place of: that is no
        neighbour of theirs. Whether it is gone in time is known when they are made."""
        scope = self._scope(found, inputs)
        stands = self._store.get(found.token, scope["id"]) if scope["id"] is not UNKNOWN else None
        scope["old"] = stands["inputs"] if stands else {}
        scope["played"] = stands["drawn"].get("played", {}) if stands else {}
        return refusals(found.token, inputs, scope, partial(self._inputs_of, without=replacing))

    def _inputs_of(self, token: str, without: str = "") -> Mapping[str, Values]:
        """The inputs of every resource of a type, as they are or as this preview would have them, but for a URN's."""
        standing = self._store.items(token).items()
        there = {
            key: record["inputs"] for key, record in standing if not without or record.get("urn") != without
        }
        return there | self._planned.get(token, {})

    def _plan(self, found: Row, resource_id: Any, inputs: Values) -> None:
        if resource_id is not UNKNOWN:
            self._planned.setdefault(found.token, {})[resource_id] = inputs

    def _done(self, found: Row, resource_id: str) -> None:
        """The resource is made or changed now: what a preview before this update planned is over."""
        self._planned.get(found.token, {}).pop(resource_id, None)

    def _scope(self, found: Row, inputs: Values, drawn: Values | None = None) -> Values:
        """What the templates of the table may use. `drawn` is what it was given when it was made, unknown before."""
        given = {name: value for name, value in given_in(inputs).items() if value is not None}
        later: Values = drawn or dict.fromkeys(("digits", "created", "played"), UNKNOWN)
        scope = {**self._place(given), **later, **given, "id": UNKNOWN, "old": {}}
        if "service" in given:
            service = given["service"]
            told = service is UNKNOWN or tells_email(service)
            scope["service_agent"] = (
                (UNKNOWN if service is UNKNOWN else service_agent(service)) if told else None
            )
        if "cluster" in given:
            scope |= self._cluster(scope)
        if "role" in given and "member" in given:
            scope["binding"] = _binding(given)
        scope["id"] = render(found.id, scope)
        if scope["id"] is None:
            raise ResourceError(f"{found.token}: neither it nor its provider says what {found.id} needs")
        known = scope["id"] is not UNKNOWN
        scope["link"] = f"https://www.googleapis.com/compute/v1/{scope['id']}" if known else UNKNOWN
        scope["octets"] = ".".join(str(byte) for byte in _digest(scope["id"])[:2]) if known else UNKNOWN
        scope["etag"] = _digest(scope["id"], given).hex()[:16]
        return scope

    def _place(self, given: Values) -> Values:
        """Where something is: as it says itself, or as its provider does."""
        project = first(given.get("project"), self._config.get("project"), os.environ.get("GOOGLE_PROJECT"))
        if project is None:
            raise ResourceError("the gcp provider has no project: set `project` on gcp.Provider")
        region = first(given.get("region"), self._config.get("region"))
        within = _LOCATION.match(given["cluster"]) if isinstance(given.get("cluster"), str) else None
        zone = self._config.get("zone")
        return {
            "project": project,
            "number": UNKNOWN
            if project is UNKNOWN
            else str(10**11 + int(_digest(project).hex(), 16) % 10**11),
            "region": region,
            "zone": zone,
            "location": first(given.get("location"), within[1] if within else None, region, zone),
            "zones": UNKNOWN if region is UNKNOWN else [f"{region}-{letter}" for letter in "abc"],
            "gke": {
                "versions": sorted({channel["default"] for channel in channels().values()}, reverse=True),
                "defaults": {name: channel["default"] for name, channel in channels().items()},
            },
        }

    def _cluster(self, scope: Values) -> Values:
        """The record of the GKE cluster that a node pool names, if it was made."""
        cluster = scope["cluster"]
        if cluster is UNKNOWN or UNKNOWN in (scope["project"], scope["location"]):
            return {"cluster_id": UNKNOWN}
        name = cluster.rsplit("/", 1)[-1]
        cluster_id = f"projects/{scope['project']}/locations/{scope['location']}/clusters/{name}"
        record = self._store.get(CLUSTER, cluster_id)
        planned = self._planned.get(CLUSTER, {}).get(cluster_id)
        inputs = planned or (record["inputs"] if record else {})
        stands = record["drawn"].get("played", {}).get("version") if record else None
        return {
            "cluster_id": cluster_id,
            "cluster_zones": inputs.get("nodeLocations"),
            "cluster_version": raised_version(inputs, stands),
        }

    def _outputs(self, found: Row, inputs: Values, drawn: Values) -> Values:
        added = render(found.outputs, self._scope(found, inputs, drawn))
        return merged(added, given_in(inputs)) | self._labels(found, inputs)

    def _labels(self, found: Row, inputs: Values) -> Values:
        """Every label that Google has, beside those that the program gave, as the real provider shows them."""
        if not found.labels:
            return {}
        own: Any = first(inputs.get(found.labels), {})
        default: Any = first(self._config.get("defaultLabels"), {})
        if UNKNOWN in (own, default):
            return {"pulumiLabels": UNKNOWN, "effectiveLabels": UNKNOWN}
        every = {**default, **own, **ATTRIBUTION}
        return {"pulumiLabels": every, "effectiveLabels": every}


def _row(resource: Resource) -> Row:
    try:
        return row(resource.type)
    except UnknownTypeError as unknown:
        raise ResourceError(str(unknown)) from unknown


def _named(found: Row, resource: Resource, old_inputs: Values, inputs: Values) -> Values:
    """Fill the name that the program left open: the one it has, or a new one with a random end."""
    name = shapes.fields(shapes.args_class(found.token)).get("name")
    if not name or name[1] or not found.autonamed or inputs.get("name") is not None:
        return inputs
    prefix = inputs.get("namePrefix") or f"{resource.name.lower()}-"
    if prefix is UNKNOWN:
        return {**inputs, "name": UNKNOWN}
    made_up = "name" in old_inputs.get("__defaults", [])
    return {
        **inputs,
        "name": old_inputs["name"] if made_up else f"{prefix}{secrets.token_hex(4)[:7]}",
        "__defaults": ["name"],
    }


def _binding(given: Values) -> Any:
    """How the id of a member's grant ends: the same role under another condition is another grant
    (terraform-provider-google, tpgiamresource/resource_iam_member.go)."""
    condition: Any = given.get("condition") or {}
    title = UNKNOWN if condition is UNKNOWN else condition.get("title", "")
    parts = [given["role"], given["member"], *([title] if title else ())]
    return UNKNOWN if UNKNOWN in parts else "/".join(parts)


def _digest(*parts: Any) -> bytes:
    return hashlib.sha256(json.dumps(parts, default=str, sort_keys=True).encode()).digest()


def _said(resource: Resource) -> str:
    return f"{resource.type} {resource.name}"


def _together(misfits: list[tuple[str, str]]) -> str:
    return "; ".join(f"{path}: {reason}" for path, reason in misfits)


if __name__ == "__main__":
    serve(Gcp(), version("pulumi-gcp"))
