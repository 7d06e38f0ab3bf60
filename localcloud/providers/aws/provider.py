"""The `aws` provider of the local cloud: Pulumi's AWS types over moto, as the table `aws/types.yaml` says."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from typing_extensions import override

from localcloud.directories import run_dir
from localcloud.providers.aws import habits, shapes
from localcloud.providers.aws.addons import FUNCTIONS
from localcloud.providers.aws.api import LOCAL_KEYS, Api, RefusedError
from localcloud.providers.aws.calls import Calls, given, plan_scope
from localcloud.providers.aws.expressions import evaluate, holds
from localcloud.providers.aws.side_effects import SIDE_EFFECTS, SideEffect
from localcloud.providers.aws.table import FILE, Row, UnknownTypeError, invoke, row
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


class Aws(Provider):
    """The AWS provider of the local cloud: rows of types.yaml, carried out by moto."""

    def __init__(self) -> None:
        self._region: Any = UNKNOWN
        self._default_tags: Any = {}
        self._config: Values = {}

    @cached_property
    def _calls(self) -> Calls:
        given = self._config
        elsewhere = {
            service: url
            for block in given.get("endpoints") or []
            for service, url in block.items()
            if url and is_here(url)
        }
        keys = (given.get("accessKey") or LOCAL_KEYS[0], given.get("secretKey") or LOCAL_KEYS[1])
        return Calls(Api(elsewhere, keys), Store(run_dir() / "store.sqlite"))

    @override
    def configure(self, config: Values) -> None:
        self._config = config
        self._region = config.get("region", UNKNOWN)
        self._in_an_enabled_region(self._region)
        default_tags = config.get("defaultTags") or {}
        self._default_tags = UNKNOWN if default_tags is UNKNOWN else default_tags.get("tags") or {}

    @override
    def check(self, resource: Resource, old_inputs: Values, inputs: Values) -> Values:
        found = _row(resource)
        filled = self._with_default_tags(found, _named(found, resource, old_inputs, inputs))
        if filled == old_inputs:
            return filled
        self._in_an_enabled_region(self._region_of(filled))
        if misfits := self._calls.plan(found, filled, self._region_of(filled)):
            raise InvalidInputsError(misfits)
        return filled

    @override
    def diff(self, resource: Resource, old_inputs: Values, old_outputs: Values, inputs: Values) -> Diff:
        found = _row(resource)
        old_region, region = old_outputs.get("region"), self._region_of(inputs)
        moved = found.regional and old_region and region is not UNKNOWN and old_region != region
        changed = [name for name in changed_keys(old_inputs, inputs) if name != "region"]
        replaces = found.replaced_by(changed, old_inputs, inputs)
        if moved:
            changed, replaces = [*changed, "region"], [*replaces, "region"]
        if not replaces and (unknown := found.unknown_updates(changed)):
            raise ResourceError(
                f"{resource.type} {resource.name}: AWS changes {', '.join(unknown)} in place, and the row in "
                f"{FILE.name} does not say by which call: complete it"
            )
        return Diff(changed, replaces, bool(replaces) and (found.delete_first or _same_name(found, inputs)))

    @override
    def create(self, resource: Resource, inputs: Values) -> tuple[str, Values]:
        found = _row(resource)
        if resource.preview:
            return "", self._outputs(found, plan_scope(inputs, self._region_of(inputs)))
        scope = self._scope(inputs, "")
        with _Refusals(resource):
            self._meet("creating", found, scope)
            for call in found.needs:
                self._calls.run(found, call, scope)
            first, *rest = found.create
            scope["made"] = self._calls.run(found, first, scope)
            scope["id"] = evaluate(found.id, scope)
            if not scope["id"]:
                raise RefusedError(first.operation, "NoResource", str(scope["made"]))
        try:
            with _Refusals(resource):
                for call in (*rest, *(call for call in found.set if given(call, inputs))):
                    self._calls.run(found, call, scope)
                self._made(found, scope)
        except Exception as failed:
            self._undo(resource, found, inputs, scope, failed)
            raise
        with _Refusals(resource):
            scope["found"] = self._found(found, scope) or {}
        return scope["id"], self._outputs(found, scope)

    @override
    def read(self, resource: Resource, inputs: Values, outputs: Values) -> tuple[Values, Values] | None:
        found = _row(resource)
        scope = self._scope(inputs, resource.id, outputs=outputs)
        with _Refusals(resource):
            seen = self._found(found, scope)
        if seen is None:
            return None
        scope["found"] = seen
        scope["inputs"] = observed = _observed(found, inputs, scope)
        return observed, self._outputs(found, scope)

    @override
    def update(self, resource: Resource, old_inputs: Values, old_outputs: Values, inputs: Values) -> Values:
        found = _row(resource)
        if resource.preview:
            return _planned_update(found, old_outputs, inputs)
        changed = set(changed_keys(old_inputs, inputs))
        scope = self._scope(inputs, resource.id, old=old_inputs, outputs=old_outputs)
        scope["removed"] = sorted((old_inputs.get("tags") or {}).keys() - (inputs.get("tags") or {}).keys())
        with _Refusals(resource):
            self._meet("updating", found, scope)
            for call in (*found.triggered(changed), *(found.tagging if "tags" in changed else ())):
                self._calls.run(found, call, scope)
            if effect := _side_effect(found):
                effect.updated(self._calls.api, scope)
            self._meet("updated", found, scope)
            scope["found"] = self._found(found, scope) or {}
        return self._outputs(found, scope)

    @override
    def delete(self, resource: Resource, inputs: Values, outputs: Values) -> None:
        found = _row(resource)
        scope = self._scope(inputs, resource.id, outputs=outputs)
        with _Refusals(resource):
            self._delete(found, scope)

    @override
    def invoke(self, token: str, args: Values) -> Values:
        try:
            function = invoke(token)
        except UnknownTypeError as unknown:
            raise ResourceError(str(unknown)) from unknown
        if unused := set(args) - set(function.get("args", ())) - {"region"}:
            raise ResourceError(
                f"{token}: the local cloud does not know the argument {', '.join(sorted(unused))}"
            )
        scope = self._scope(args, "")
        self._in_an_enabled_region(scope["region"])
        if function.get("call") and holds(function.get("when"), scope):
            scope["found"] = self._ask(token, function["service"], function, scope)
            for more in function.get("also", ()):
                scope[more["as"]] = self._ask(token, more.get("service", function["service"]), more, scope)
        if player := FUNCTIONS.get(function.get("side_effects", "")):
            try:
                scope["found"] = player(scope)
            except RefusedError as refused:
                raise ResourceError(f"{token}: {refused}") from refused
        return {name: evaluate(expression, scope) for name, expression in function["outputs"].items()}

    def _ask(self, token: str, service: str, call: Mapping[str, Any], scope: Values) -> Values:
        """One call of a function."""
        params = {key: evaluate(part, scope) for key, part in call.get("params", {}).items()}
        given = {key: value for key, value in params.items() if value is not None}
        shape: Any = self._calls.api.model(service, call["call"]).input_shape
        try:
            return self._calls.api.call(
                service, scope["region"], call["call"], shapes.fit(shape, given, shapes.Place(""))
            )
        except RefusedError as refused:
            # Some refusals the real provider puts in words of its own, which programs know.
            words = call.get("refusals", {}).get(refused.code, str(refused))
            raise ResourceError(f"{token}: {words}") from refused

    def _region_of(self, inputs: Values) -> Any:
        return inputs.get("region") or self._region

    def _scope(self, inputs: Values, resource_id: str, old: Any = None, outputs: Any = None) -> Values:
        region = self._region_of(inputs)
        if region is UNKNOWN:
            raise ResourceError("the aws provider has no region: set `region` on aws.Provider")
        try:
            account = self._calls.api.account(region)
        except RefusedError as refused:
            raise ResourceError(f"the local AWS does not answer: {refused}; run `make up` again") from refused
        return {
            "inputs": inputs, "old": old or {}, "outputs": outputs or {}, "id": resource_id, "found": {},
            "made": {}, "removed": [], "region": region, "account": account, "partition": "aws",
        }  # fmt: skip

    def _with_default_tags(self, found: Row, inputs: Values) -> Values:
        """Default tags become inputs, as the real provider does, so that policies and diffs see them."""
        if not found.taggable:
            return inputs
        own: Any = UNKNOWN if inputs.get("tags") is UNKNOWN else inputs.get("tags") or {}
        tags = UNKNOWN if UNKNOWN in (own, self._default_tags) else {**self._default_tags, **own}
        rest = {name: value for name, value in inputs.items() if name not in ("tags", "tagsAll")}
        return rest if tags == {} else {**rest, "tags": tags}

    def _made(self, found: Row, scope: Values) -> None:
        """The resource exists: play its part, and note what its API will not tell."""
        played = effect.created(self._calls.api, scope) if (effect := _side_effect(found)) else {}
        notes = {**evaluate(found.remember, scope), **played}
        if notes:
            self._calls.remember(found, scope["region"], scope["id"], notes)
        self._meet("created", found, scope)

    def _meet(self, moment: str, found: Row, scope: Values) -> None:
        """What AWS does besides, at this moment of a resource."""
        habits.play(moment, found.token, self._calls.api, scope)

    def _in_an_enabled_region(self, region: Any) -> None:
        if region is not UNKNOWN and not habits.enabled(region):
            raise ResourceError(f"aws: {habits.not_enabled(region)}")

    def _undo(self, resource: Resource, found: Row, inputs: Values, scope: Values, failed: Exception) -> None:
        try:
            scope["outputs"] = self._outputs(found, {**scope, "found": self._found(found, scope) or {}})
            self._delete(found, scope)
        except RefusedError as refused:
            reasons = [str(failed), f"and what had been made could not be removed: {refused}"]
            raise NotReadyError(scope["id"], inputs, reasons) from failed

    def _delete(self, found: Row, scope: Values) -> None:
        self._meet("deleting", found, scope)
        effect = _side_effect(found)
        if effect:
            effect.deleting(self._calls.api, scope)
        for call in found.delete:
            try:
                self._calls.run(found, call, scope, keep=False)
            except RefusedError as refused:
                if not refused.gone and refused.code != call.forgives:
                    raise
        if effect:
            effect.deleted(self._calls.api, scope)
        self._calls.forget(found, scope["region"], scope["id"])
        self._meet("deleted", found, scope)

    def _found(self, found: Row, scope: Values) -> Values | None:
        """What AWS has of the resource, with what is kept of it; None when it is gone."""
        kept = self._calls.recall(found, scope["region"], scope["id"])
        if found.kept and kept is None:
            return None
        seen: Values = {}
        for index, call in enumerate((*found.needs, *found.read)):
            try:
                value = self._calls.run(found, call, {**scope, "found": seen})
            except RefusedError as refused:
                if not refused.gone:
                    raise
                value = None
            if value is None and index <= len(found.needs):  # itself, or what it belongs to
                return None
            if value is not None and index >= len(found.needs):
                seen |= {call.as_name: value} if call.as_name else value
        return {**seen, **(kept or {})}

    def _outputs(self, found: Row, scope: Values) -> Values:
        inputs = scope["inputs"]
        outputs = {name: value for name, value in inputs.items() if name != "__defaults"}
        for name, expression in found.outputs.items():
            value = evaluate(expression, scope) if expression else _mechanical(name, scope)
            if value is not None:
                outputs[name] = value
        if found.taggable:
            outputs["tagsAll"] = inputs.get("tags", {})
        if found.regional:
            outputs["region"] = scope["region"]
        return outputs


def is_here(url: str) -> bool:
    """Whether an endpoint is on this machine; any other the local cloud plays itself, as it plays AWS."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost")


class _Refusals:
    """Turns AWS's refusals into errors that name the resource."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, RefusedError):
            raise ResourceError(f"{self._resource.type} {self._resource.name}: {error}") from error


def _row(resource: Resource) -> Row:
    try:
        return row(resource.type)
    except UnknownTypeError as unknown:
        raise ResourceError(str(unknown)) from unknown


def _side_effect(found: Row) -> SideEffect | None:
    return SIDE_EFFECTS[found.side_effects] if found.side_effects else None


def _named(found: Row, resource: Resource, old_inputs: Values, inputs: Values) -> Values:
    """Fill the name that AWS wants and the program left open: the one it has, or a new one with a random end."""
    name, pattern = found.autoname
    if not name or inputs.get(name) is not None:
        return inputs
    prefix = inputs.get(f"{name}Prefix") or f"{resource.name}-"
    if prefix is UNKNOWN:
        return {**inputs, name: UNKNOWN}
    given_before = name not in old_inputs.get("__defaults", [])
    text = pattern.format(f"{prefix}{secrets.token_hex(4)[:7]}")
    value = text if given_before else old_inputs[name]
    return {**inputs, name: value.lower() if name == "bucket" else value, "__defaults": [name]}


def _same_name(found: Row, inputs: Values) -> bool:
    """A name that the program chose can't be had twice: the old resource has to go before the new one comes."""
    name = found.autoname[0]
    return bool(name) and name not in inputs.get("__defaults", [])


def _mechanical(name: str, scope: Values) -> Any:
    seen = scope["found"]
    if seen is UNKNOWN:
        return scope["inputs"].get(name, UNKNOWN)
    member = shapes.named(seen, name)
    return seen[member] if member else None


def _observed(found: Row, inputs: Values, scope: Values) -> Values:
    """The inputs as AWS has them now, wherever it tells."""
    result: Values = {}
    seen = scope["found"]
    for name, value in inputs.items():
        if name.startswith("__") or name in found.local or name == "region":
            result[name] = value
            continue
        place = shapes.Place(name, found.names, [], name)
        if name in found.observe:
            actual = evaluate(found.observe[name], scope)
            if actual is not None:
                result[name] = shapes.observed(value, actual, place)
            continue
        member = found.names.get(name, "").split(".")[-1] or shapes.named(seen, name)
        if name == "tags" and isinstance(tags := seen.get(member), dict):
            result[name] = shapes.without_tags_of_aws(tags)
            continue
        result[name] = shapes.observed(value, seen.get(member), place) if member else value
    return result


def _planned_update(found: Row, old_outputs: Values, inputs: Values) -> Values:
    """The outputs of an update in a preview: as they are, but for those that it changes, which are unknown."""
    outputs = {name: value for name, value in inputs.items() if name != "__defaults"}
    for name in found.outputs:
        old = old_outputs.get(name)
        if name in found.moves:
            outputs[name] = UNKNOWN
        elif isinstance(old, dict) and isinstance(inputs.get(name), dict):
            outputs[name] = {**old, **inputs[name]}
        elif name not in inputs and old is not None:
            outputs[name] = old
    kept = {name: old_outputs[name] for name in ("region",) if name in old_outputs}
    return {**outputs, **kept, **({"tagsAll": inputs.get("tags", {})} if found.taggable else {})}


if __name__ == "__main__":
    serve(Aws(), version("pulumi-aws"))
