"""Between Pulumi's camelCase values and the shapes of botocore's service models.

Names match without regard to case, and to plural or singular. A dict becomes a list of tags where the API has one, a
single value becomes a list of one, "true" a boolean; what differs beyond that, a row of the table names.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.model import Shape

from localcloud.providers.protocol import UNKNOWN

_TAG_MEMBERS = ({"Key", "Value"}, {"TagKey", "TagValue"}, {"key", "value"})
_LISTED_CHOICES = 12


@dataclass(frozen=True)
class Place:
    """The path of a value in the inputs, with what its row renames and what was found wrong so far."""

    path: str
    names: Mapping[str, str] = field(default_factory=dict)
    misfits: list[tuple[str, str]] = field(default_factory=list)
    key: str = ""

    def member(self, name: str) -> Place:
        """The place of a member of the structure here."""
        key = f"{self.key}.{name}" if self.key else name
        return replace(self, path=f"{self.path}.{name}" if self.path else name, key=key)

    def element(self, index: int) -> Place:
        """The place of an element of the list here."""
        return replace(self, path=f"{self.path}[{index}]")

    def wrong(self, reason: str) -> None:
        """Note what is wrong with the value here."""
        self.misfits.append((self.path, reason))


def named(members: Iterable[str], name: str) -> str | None:
    """The member that a camelCase name means."""
    plain = {member.replace("_", "").lower(): member for member in members}
    wanted = name.lower()
    candidates = (wanted, wanted + "s", wanted.removesuffix("s"), wanted.removesuffix("ies") + "y")
    return next((plain[c] for c in candidates if c in plain), None)


def target(shape: Shape, path: str) -> Shape | None:
    """The shape at a dotted path, through lists and maps; None when there is none."""
    for part in path.split("."):
        if shape.type_name == "list":
            shape = shape.member  # type: ignore[attr-defined]
        if shape.type_name == "map":
            shape = shape.value  # type: ignore[attr-defined]
            continue
        member = shape.members.get(part) if shape.type_name == "structure" else None  # type: ignore[attr-defined]
        if member is None:
            return None
        shape = member
    return shape


def put(params: dict[str, Any], shape: Shape, path: str, value: Any) -> None:
    """Set the value at a dotted path of the parameters, with a list of one wherever the shape has a list."""
    *parents, last = path.split(".")
    for part in parents:
        shape = shape.value if shape.type_name == "map" else shape.members[part]  # type: ignore[attr-defined]
        if shape.type_name == "list":
            shape = shape.member  # type: ignore[attr-defined]
            params = params.setdefault(part, [{}])[0]
        else:
            params = params.setdefault(part, {})
    params[last] = _as_text(value) if shape.type_name == "map" else value


def fit(shape: Shape, value: Any, place: Place) -> Any:
    """The value in the API's form. What can't be placed is noted in `place.misfits`; an unknown gets a stand-in."""
    if value is UNKNOWN:
        return _stand_in(shape)
    if shape.type_name == "structure":
        return _structure(shape, value, place)
    if shape.type_name == "list":
        return _list(shape, value, place)
    if shape.type_name == "map" and isinstance(value, dict):
        return {k: _as_text(fit(shape.value, v, place.member(k))) for k, v in value.items()}  # type: ignore[attr-defined]
    return _scalar(shape, value, place)


def _structure(shape: Any, value: Any, place: Place) -> Any:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        place.wrong(f"expected a mapping for {shape.name}, got {value!r}")
        return {}
    params: dict[str, Any] = {}
    for name, part in value.items():
        inner = place.member(name)
        path = place.names.get(inner.key) or named(shape.members, name)
        found = target(shape, path) if path else None
        if part is None:
            continue
        if path is None or found is None:
            inner.wrong(f"{shape.name} of the AWS API has no such member{_nearest(name, shape.members)}")
            continue
        put(params, shape, path, fit(found, part, inner))
    return params


def _list(shape: Any, value: Any, place: Place) -> list[Any]:
    if isinstance(value, dict) and _tag_members(shape):
        key, text = sorted(_tag_members(shape) or ())
        return [{key: k, text: "x" if v is UNKNOWN else _as_text(v)} for k, v in sorted(value.items())]
    if not isinstance(value, list):
        return [fit(shape.member, value, place)]
    return [fit(shape.member, element, place.element(i)) for i, element in enumerate(value)]


def _tag_members(shape: Any) -> set[str] | None:
    members = set(shape.member.members) if shape.member.type_name == "structure" else set()
    return next((pair for pair in _TAG_MEMBERS if pair == members), None)


def _scalar(shape: Any, value: Any, place: Place) -> Any:
    if shape.type_name == "boolean" and value in ("true", "false"):
        return value == "true"
    choices = getattr(shape, "enum", None)
    if choices and isinstance(value, str) and value not in choices:
        listed = ", ".join(choices) if len(choices) <= _LISTED_CHOICES else f"one of {len(choices)}"
        place.wrong(f"{value!r} is not allowed here; it may be {listed}{_nearest(value, choices)}")
    return value


def _nearest(given: str, known: Iterable[str]) -> str:
    lower = {k.lower(): k for k in known}
    near = difflib.get_close_matches(given.lower(), lower, n=1)
    return f" (did you mean {lower[near[0]]}?)" if near else ""


def _as_text(value: Any) -> Any:
    """Maps of the APIs hold text."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _stand_in(shape: Any) -> Any:
    """A value that passes the checks of its shape, for one that only `up` will know."""
    least = max(shape.metadata.get("min", 1), 1)
    if shape.type_name == "structure":
        return {name: _stand_in(shape.members[name]) for name in shape.required_members}
    if shape.type_name == "list":
        return [_stand_in(shape.member)] * least
    simple = {"map": {}, "boolean": True, "timestamp": "2026-01-01", "blob": b"x"}
    numbers = dict.fromkeys(("integer", "long", "float", "double"), shape.metadata.get("min", 1))
    return {**simple, **numbers}.get(shape.type_name, "x" * least)


def observed(value: Any, found: Any, place: Place) -> Any:
    """What the API returned, in the form of the input; the input itself when they mean the same."""
    if found is None:
        return value
    if isinstance(value, dict):
        return _observed_dict(value, found, place)
    if isinstance(value, list):
        return _observed_list(value, found if isinstance(found, list) else [found], place)
    return value if _same(value, found) else _of_kind(value, found)


def _observed_dict(value: dict[str, Any], found: Any, place: Place) -> Any:
    if isinstance(found, list):
        tags = as_tags(found)
        if tags is not None:
            return tags
        found = found[0] if len(found) == 1 else {}
    if not isinstance(found, dict):
        return value
    result: dict[str, Any] = {}
    for name, part in value.items():
        inner = place.member(name)
        path = place.names.get(inner.key, "").split(".")[-1] or named(found, name)
        result[name] = observed(part, found.get(path), inner) if path else part
    return result


def as_tags(found: list[Any]) -> dict[str, str] | None:
    """A list of tags as a dict; None when it is another kind of list. Tags of AWS itself are not the program's."""
    pairs: dict[str, str] = {}
    for element in found:
        if not isinstance(element, dict):
            return None
        key = element.get("Key", element.get("TagKey"))
        if key is None or not set(element) <= {"Key", "Value", "TagKey", "TagValue"}:
            return None
        pairs[key] = element.get("Value", element.get("TagValue", ""))
    return without_tags_of_aws(pairs)


def without_tags_of_aws(tags: dict[str, str]) -> dict[str, str]:
    """The tags that are the program's."""
    return {key: value for key, value in tags.items() if not key.startswith("aws:")}


def _observed_list(value: list[Any], found: list[Any], place: Place) -> list[Any]:
    """Order means nothing to most APIs, so the same elements in another order are the same list."""
    if len(value) == len(found):
        elements = [observed(v, f, place) for v, f in zip(value, found, strict=True)]
        if elements == value:
            return value
    template = value[0] if value else None
    elements = [observed(template, f, place) if isinstance(template, dict) else f for f in found]
    return value if _sorted(elements) == _sorted(value) else elements


def _sorted(elements: list[Any]) -> list[str]:
    return sorted(json.dumps(e, sort_keys=True, default=str) for e in elements)


def _same(value: Any, found: Any) -> bool:
    if value == found or str(value).lower() == str(found).lower():
        return True
    return isinstance(value, str) and value[:1] in "{[" and _json(value) == _json(found)


def _json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _of_kind(value: Any, found: Any) -> Any:
    if isinstance(value, str) and not isinstance(found, str):
        return json.dumps(found) if isinstance(found, dict | list) else str(found).lower()
    if isinstance(value, bool):
        return str(found).lower() == "true"
    if isinstance(value, int) and str(found).lstrip("-").isdigit():
        return int(found)
    return found
