"""Custom resources against the schemas of their upstream definitions.

One file a kind and version, GROUP/KIND_VERSION.json: the OpenAPI v3 schema in the definition at the release that
`source` names, without descriptions and CEL rules.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from openapi_schema_validator import OAS30Validator


def validate(resource: Mapping[str, Any]) -> None:
    """Raises AssertionError with the path of every mistake in a custom resource, fields that don't exist included."""
    group, _, version = resource["apiVersion"].rpartition("/")
    validator = _validator(group, resource["kind"], version)
    mistakes = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(_as_json(resource))]
    name = f"{resource['kind']} {resource['metadata'].get('name', '')}"
    assert not mistakes, f"{name}:\n  " + "\n  ".join(mistakes)


def _as_json(resource: Mapping[str, Any]) -> Any:
    """The resource as an API server gets it: Pulumi's wire knows floats only, JSON writes whole ones as integers."""
    return json.loads(
        json.dumps(resource), parse_float=lambda text: int(text[:-2]) if text.endswith(".0") else float(text)
    )


@cache
def _validator(group: str, kind: str, version: str) -> Any:
    file = Path(__file__).parent / group / f"{kind}_{version}.json"
    definition = json.loads(file.read_text())
    return OAS30Validator(_closed(definition["schema"]))


def _closed(schema: Any) -> Any:
    """The schema with unknown fields refused: an API server drops them in silence, and a typing error with them."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(part) for key, part in schema.items()}
    fields = closed.get("properties")
    # `metadata` is the API's own: definitions leave it empty.
    is_object = closed.get("type") == "object" and isinstance(fields, dict) and fields
    if (
        is_object
        and "additionalProperties" not in closed
        and not closed.get("x-kubernetes-preserve-unknown-fields")
    ):
        closed["additionalProperties"] = False
    return closed
