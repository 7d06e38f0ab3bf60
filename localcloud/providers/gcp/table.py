"""The table of the Google types that the local cloud has: `gcp/types.yaml`, read row by row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from localcloud.directories import PROJECT
from localcloud.providers.aws.expressions import evaluate
from localcloud.providers.protocol import UNKNOWN

FILE = Path(__file__).with_name("types.yaml")
_HOLE = re.compile(r"\{([^{}]+)\}")


class TableError(Exception):
    """A row of the table is wrong."""


class UnknownTypeError(Exception):
    """The table has no row for a Pulumi type or function."""


@dataclass(frozen=True)
class Row:
    """What the local cloud knows of one Pulumi type; `api` and `schema` name what Google checks its inputs against."""

    token: str
    api: str
    schema: str
    id: str
    outputs: Mapping[str, Any]
    labels: str
    autonamed: bool
    adopts: bool
    side_effects: str

    @property
    def server_named(self) -> bool:
        """Google makes up its id, so the inputs can't tell whether it is still the same one."""
        return "{digits}" in self.id


_ROW_KEYS = {"api", "id", "outputs", "labels", "autoname", "adopts", "side_effects"}


@cache
def _content() -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(FILE.read_text(), loader)


def tokens() -> list[str]:
    """The Pulumi types of the table."""
    return list(_content()["types"])


def invokes() -> list[str]:
    """The Pulumi functions of the table."""
    return list(_content()["functions"])


@cache
def row(token: str) -> Row:
    """The row of a Pulumi type. Raises UnknownTypeError when there is none."""
    types = _content()["types"]
    if token not in types:
        raise UnknownTypeError(
            f"{token} is not in the local cloud: add a row for it to {FILE.relative_to(PROJECT)}"
        )
    written = types[token]
    if unknown := set(written) - _ROW_KEYS:
        raise TableError(f"{FILE.name}: {token}: no such key: {', '.join(sorted(unknown))}")
    api, _, schema = written["api"].partition("/")
    return Row(
        token=token,
        api=api,
        schema=schema,
        id=written["id"],
        outputs=written.get("outputs", {}),
        labels=written.get("labels", ""),
        autonamed=written.get("autoname", True),
        adopts=written.get("adopts", False),
        side_effects=written.get("side_effects", ""),
    )


@cache
def invoke(token: str) -> Mapping[str, Any]:
    """The row of a function: `args` that it takes, `outputs` that it gives."""
    functions = _content()["functions"]
    if token not in functions:
        raise UnknownTypeError(
            f"{token} is not in the local cloud: add a row for it to {FILE.relative_to(PROJECT)}"
        )
    return functions[token]


@cache
def differences(schema: str) -> Mapping[str, Any]:
    """What Pulumi calls differently in a schema of an API (`compute.v1/Firewall`), or has on its own."""
    fields = _content()["fields"]
    return {**fields["*"], **fields.get(schema, {})}


def schemas_that_differ() -> list[str]:
    """The API schemas for which the table names fields that Pulumi calls differently."""
    return [schema for schema in _content()["fields"] if schema != "*"]


def channels() -> Mapping[str, Mapping[str, Any]]:
    """GKE's release channels: `default`, the version of a new cluster, and `minors`, all that there are."""
    return _content()["gke_versions"]


def service_agent(service: str) -> str:
    """What the identity of an API in a project is called: `container-engine-robot` of container.googleapis.com."""
    return _content()["service_agents"].get(service) or f"gcp-sa-{service.split('.')[0]}"


def tells_email(service: str) -> bool:
    """Whether asking for the identity of a service gets its address."""
    return service not in _content()["identities_without_email"]


def agents_with_an_api() -> frozenset[str]:
    """Agents that exist as soon as the API is on, before anything uses it."""
    return frozenset(_content()["agents_with_an_api"])


def render(template: Any, scope: Mapping[str, Any]) -> Any:
    """The value of a template: `{…}` are JMESPath expressions; an expression that is the whole text keeps its type.

    A text is unknown when a part of it is, and nothing when a part has no value.
    """
    if isinstance(template, Mapping):
        parts = {key: render(part, scope) for key, part in template.items()}
        return {key: part for key, part in parts.items() if part is not None}
    if isinstance(template, list):
        return [render(part, scope) for part in template]
    return _text(template, scope) if isinstance(template, str) else template


def _text(template: str, scope: Mapping[str, Any]) -> Any:
    if whole := _HOLE.fullmatch(template):
        return evaluate(whole[1], scope)
    values = {hole: evaluate(hole, scope) for hole in _HOLE.findall(template)}
    if any(value is UNKNOWN for value in values.values()):
        return UNKNOWN
    if any(value is None for value in values.values()):
        return None
    return _HOLE.sub(lambda hole: str(values[hole[1]]), template)
