"""A JSON Schema of a stack file, made from the models: with it an editor completes, explains and checks settings.

It is draft 7, which the YAML language server knows in every version, and has no references: a field's description
would be lost beside one. It knows no null, which a setting that is left out may be in Python: an editor names what is
wrong in a setting only if there is one alternative. Other checks of Python it leaves to Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.settings.credentials import KEYS, NAMESPACE
from infra.settings.stack import Settings

Node = Mapping[str, Any]


def settings_schema() -> Node:
    """The schema of the settings by their names in YAML, without references."""
    schema = Settings.model_json_schema(by_alias=True)
    return _plain(schema, schema.pop("$defs"))


def stack_schema(project: str) -> Node:
    """The schema of a whole stack file of the project."""
    settings = settings_schema()
    secret = {"type": "object", "required": ["secure"]}
    secrets = {f"{NAMESPACE}:{name}": {**secret, "description": what} for name, what in KEYS.items()}
    config = {
        "description": "Settings of the stack. Those of this project are written with its name before them.",
        "type": "object",
        "properties": {
            **{f"{project}:{name}": _at_the_top(node) for name, node in settings["properties"].items()},
            **secrets,
        },
        "required": [f"{project}:{name}" for name in settings["required"]],
        # Settings of Pulumi's own and of other packages.
        "patternProperties": {f"^(?!{project}:)[^:]+:": {}},
        "additionalProperties": False,
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"A stack of {project}: Pulumi.<stack>.yaml",
        "type": "object",
        "properties": {"config": config},
        "required": ["config"],
    }


def _at_the_top(node: Node) -> Node:
    """A whole number may also be in quotes, as `pulumi config set` writes it."""
    return (
        {**node, "type": ["integer", "string"], "pattern": "^[0-9]+$"} if node["type"] == "integer" else node
    )


def _plain(node: Node, models: Mapping[str, Node]) -> dict[str, Any]:
    """The node with its models in place of references, and without null."""
    if reference := node.get("$ref"):
        return _plain({**models[reference.rpartition("/")[2]], **_without("$ref", node)}, models)
    if (others := [one for one in node.get("anyOf", ()) if one != {"type": "null"}]) and len(others) == 1:
        return _plain({**others[0], **_without("anyOf", node)}, models)
    return {key: _inside(key, value, models) for key, value in node.items() if not _noise(key, value)}


def _without(key: str, node: Node) -> Node:
    return {name: value for name, value in node.items() if name != key}


def _noise(key: str, value: Any) -> bool:
    """Whether it is a title, which repeats a name, or a default that no file needs."""
    return key == "title" or (key == "default" and (value is None or value == [] or isinstance(value, dict)))


def _inside(key: str, value: Any, models: Mapping[str, Node]) -> Any:
    match key:
        case "properties" | "patternProperties":
            return {name: _plain(inner, models) for name, inner in value.items()}
        case "anyOf":
            return [_plain(inner, models) for inner in value]
        case "items" | "additionalProperties" if isinstance(value, dict):
            return _plain(value, models)
        case _:
            return value
