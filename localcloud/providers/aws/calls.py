"""Turn a call of the table into parameters of the AWS API, check them, and carry the call out or keep it."""

from __future__ import annotations

from typing import Any

from localcloud.providers.aws import shapes
from localcloud.providers.aws.api import Api, RefusedError
from localcloud.providers.aws.expressions import evaluate, holds
from localcloud.providers.aws.table import FILE, Call, Row, TableError
from localcloud.providers.protocol import UNKNOWN, Values
from localcloud.store import Store

Misfits = list[tuple[str, str]]


class Calls:
    """The calls of the table against one AWS. What moto can't do is kept in `store`, by type, region and id."""

    def __init__(self, api: Api, store: Store) -> None:
        self.api = api
        self._store = store

    def plan(self, row: Row, inputs: Values, region: Any) -> Misfits:
        """What the service models refuse in these inputs, as (property, reason); no request is made."""
        scope = plan_scope(inputs, region)
        misfits: Misfits = []
        placed = {
            "region",
            f"{row.autoname[0]}Prefix",
            *row.mentioned,
            *row.local,
            *(["tags"] if row.taggable else []),
        }
        for call in (*row.create, *(c for c in row.set if given(c, inputs))):
            if not holds(call.when, scope):
                continue
            here: Misfits = []
            params, taken = self._parameters(row, call, _planned_item(call, scope), here)
            placed |= taken
            faults = [] if here else self.api.faults(call.service, call.operation, params)
            misfits += here + [("", f"{call.operation}: {fault}") for fault in faults]
            if call.as_name:
                scope[call.as_name] = UNKNOWN
        return misfits + [_unplaced(row, name) for name in _present(inputs) if name not in placed]

    def run(self, row: Row, call: Call, scope: Values, keep: bool = True) -> Any:
        """Carry a call out, for each of its items, and return what it says `where`; None if its condition fails."""
        if not holds(call.when, scope):
            return None
        value = None
        for item in self._items(row, call, scope):
            answer = self._one(row, call, {**scope, "item": item}, keep)
            value = evaluate(call.where, {**scope, "answer": answer})
        if call.as_name:
            scope[call.as_name] = value
        return value

    def recall(self, row: Row, region: str, resource_id: str) -> Values | None:
        """What was noted of a resource; None where nothing was."""
        return self._store.get(row.token, f"{region}/{resource_id}")

    def remember(self, row: Row, region: str, resource_id: str, values: Values) -> None:
        """Note values of a resource that its API will not tell, beside those noted before."""
        before = self.recall(row, region, resource_id) or {}
        self._store.put(row.token, f"{region}/{resource_id}", {**before, **values})

    def forget(self, row: Row, region: str, resource_id: str) -> None:
        """Drop what was noted of a resource."""
        self._store.delete(row.token, f"{region}/{resource_id}")

    def _one(self, row: Row, call: Call, scope: Values, keep: bool) -> Any:
        misfits: Misfits = []
        params, _ = self._parameters(row, call, scope, misfits)
        if misfits:
            raise RefusedError(
                call.operation, "ValidationError", "; ".join(f"{p}: {why}" for p, why in misfits)
            )
        if not call.kept:
            return self.api.call(call.service, scope["region"], call.operation, params)
        if faults := self.api.faults(call.service, call.operation, params):
            raise RefusedError(call.operation, "ValidationError", "; ".join(faults))
        if keep:
            resource_id = scope["id"] or evaluate(row.id, {**scope, "made": params})
            self.remember(row, scope["region"], resource_id, _to_keep(row, call, scope, params))
        return params

    def _items(self, row: Row, call: Call, scope: Values) -> list[Any]:
        if call.each is None:
            return [None]
        answer = None
        if operation := call.each.get("call"):
            lister = Call(call.each.get("service", call.service), operation, call.each.get("params", {}))
            answer = self._one(row, lister, scope, keep=False)
        return evaluate(call.each["items"], {**scope, "answer": answer}) or []

    def _parameters(
        self, row: Row, call: Call, scope: Values, misfits: Misfits
    ) -> tuple[dict[str, Any], set[str]]:
        """The parameters of a call, and the inputs that found a place of their own in them."""
        shape: Any = self.api.model(call.service, call.operation).input_shape
        params: dict[str, Any] = {}
        taken: set[str] = set()
        for name, value in _present(scope["inputs"]).items() if call.takes else ():
            path = _path(row, call, shape, name)
            if path is None:
                continue
            taken.add(name)
            place = shapes.Place(name, row.names, misfits, name)
            shapes.put(params, shape, path, shapes.fit(_target(row, call, shape, path), value, place))
        for name, expression in call.params.items():
            value = evaluate(expression, scope)
            if expression is None:
                params.pop(name, None)
            elif value is not None:
                fitted = shapes.fit(_target(row, call, shape, name), value, shapes.Place(name, {}, misfits))
                shapes.put(params, shape, name, fitted)
        return params, taken


def _to_keep(row: Row, call: Call, scope: Values, params: Values) -> Values:
    """What to keep of a call: its parameters; of one that tags, or takes tags away, the tags that there are then."""
    return {"tags": scope["inputs"].get("tags") or {}} if call in row.tagging else params


def plan_scope(inputs: Values, region: Any) -> Values:
    """What expressions may use before anything exists."""
    later = dict.fromkeys(("id", "account", "made", "found", "outputs"), UNKNOWN)
    return {**later, "inputs": inputs, "old": {}, "region": region, "partition": "aws", "removed": []}


def given(call: Call, inputs: Values) -> bool:
    """Whether the program gives one of the inputs that a setting is about."""
    return any(inputs.get(name) is not None for name in call.on)


def _present(inputs: Values) -> Values:
    empty: tuple[Any, ...] = (None, [], {})
    return {k: v for k, v in inputs.items() if not k.startswith("__") and k != "region" and v not in empty}


def _planned_item(call: Call, scope: Values) -> Values:
    """The scope with the first item of a call that is made for each of some, where it can be known."""
    if call.each is None:
        return scope
    items = evaluate(call.each["items"], {**scope, "answer": UNKNOWN})
    return {**scope, "item": items[0] if isinstance(items, list) and items else UNKNOWN}


def _path(row: Row, call: Call, shape: Any, name: str) -> str | None:
    """The path of an input in a call's parameters: by the row, by its name, by its name in `inside`."""
    containers = [("", shape)]
    if call.inside:
        containers.append((f"{call.inside}.", shapes.target(shape, call.inside)))
    for prefix, container in containers:
        if container.type_name == "list":
            container = container.member
        members = getattr(container, "members", {})
        path = row.names.get(name) or shapes.named(members, name)
        if path and shapes.target(container, path):
            return prefix + path
    return None


def _target(row: Row, call: Call, shape: Any, path: str) -> Any:
    found = shapes.target(shape, path)
    if found is None:
        raise TableError(f"{FILE.name}: {row.token}: {call.operation} has no parameter {path}")
    return found


def _unplaced(row: Row, name: str) -> tuple[str, str]:
    create = row.create[0].operation
    return name, (
        f"the local cloud would lose this: {create} has no parameter of that name, and the row of {row.token} in "
        f"{FILE.name} does not say where it goes; correct the name or complete the row"
    )
