"""The list of settings in docs/settings.md and the `config` of Pulumi.yaml, both made from the schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from infra.settings.schema import Node

_KINDS = {"string": "text", "boolean": "`true` or `false`", "integer": "a whole number", "number": "a number"}
_FORMATS = {"date": "a date", "email": "an e-mail address"}
# The bounds of numbers and lists, in words.
_BOUNDS = {
    "exclusiveMinimum": "above {:,g}",
    "minimum": "{:,g} or more",
    "exclusiveMaximum": "below {:,g}",
    "maximum": "{:,.15g} at most",
    "minItems": "{} or more",
    "maxItems": "{} at most",
}


def settings_list(schema: Node) -> str:
    """Every setting in Markdown: a section for each group, and in it a line for each setting."""
    return "\n".join(_section(path, node) for path, node in _groups("", schema))


def project_config(schema: Node) -> str:
    """The `config` of Pulumi.yaml, which knows the first level only: deeper settings are named in its descriptions."""
    config = {
        name: _declaration(node, name in schema["required"]) for name, node in schema["properties"].items()
    }
    return yaml.safe_dump({"config": config}, sort_keys=False, allow_unicode=True, width=116)


def _declaration(node: Node, required: bool) -> dict[str, Any]:
    group = _group(node)
    kind = "object" if group else node["type"]
    declared = {"type": kind, "description": node["description"]}
    if group:
        declared["description"] += f" Settings: {_names(group)}."
    elif words := node.get("enum"):
        declared["description"] += f" One of {', '.join(words)}."
    return declared if required else {**declared, "default": node.get("default", {} if group else None)}


def _names(group: Node) -> str:
    """`region, replica {region, failover}`: the names of a group's settings, and of those in them."""
    inner = {name: _group(node) for name, node in group["properties"].items()}
    return ", ".join(f"{name} {{{_names(deeper)}}}" if deeper else name for name, deeper in inner.items())


def _groups(path: str, group: Node) -> Iterator[tuple[str, Node]]:
    """The group, and then the groups in it, each by its path."""
    yield path, group
    for name, node in group["properties"].items():
        if inner := _group(node):
            many = "[]" if node["type"] == "array" else ""
            yield from _groups(f"{path}.{name}{many}".lstrip("."), inner)


def _group(node: Node) -> Node | None:
    """The settings that a setting, or each in its list, consists of."""
    inner = node["items"] if node.get("type") == "array" else node
    return inner if "properties" in inner else None


def _section(path: str, group: Node) -> str:
    lines = [
        _line(f"{path}.{name}".lstrip("."), name, node, name in group.get("required", ()))
        for name, node in group["properties"].items()
    ]
    title = f"### `{path}`" if path else "### The stack"
    about = [group.get("description", ""), ""] if path.endswith("[]") else []
    return "\n".join([title, "", *about, *lines, ""])


def _line(path: str, name: str, node: Node, required: bool) -> str:
    facts = ["required"] if required else []
    facts.append(_kind(path, node))
    if "default" in node:
        facts.append(f"default `{_yaml(node['default'])}`")
    return f"- **`{name}`**: {_markdown(node['description'])} *{_sentence('; '.join(facts))}*"


def _kind(path: str, node: Node) -> str:
    if not _group(node):
        return _markdown(_words(node))
    if node["type"] == "array":
        return f"a list of [`{path}[]`](#{_anchor(path)})"
    return f"see [`{path}`](#{_anchor(path)})"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _anchor(path: str) -> str:
    """GitHub's anchor of a heading."""
    return re.sub(r"[^\w-]", "", path.lower())


def _words(node: Node) -> str:
    """The values that a setting takes, in words."""
    if words := node.get("errorMessage"):
        return words
    if "anyOf" in node:
        first, second = node["anyOf"]
        of_them = second.get("items") == first
        return f"{_words(first)}, or {'a list of them' if of_them else _words(second)}"
    if choices := node.get("enum"):
        return ", ".join(f"`{choice}`" for choice in choices)
    if node["type"] == "array":
        one_of = "one of " if "enum" in node["items"] else ""
        return ", ".join(["a list", *_bounds(node), f"each {one_of}{_words(node['items'])}"])
    if node["type"] == "object":
        (values,) = node.get("patternProperties", {"": node.get("additionalProperties")}).values()
        return f"by name: {_words(values)}"
    kind = _FORMATS.get(node.get("format", ""), _KINDS[node["type"]])
    return ", ".join([kind, *_bounds(node)])


def _bounds(node: Node) -> list[str]:
    return [words.format(node[bound]) for bound, words in _BOUNDS.items() if bound in node]


def _yaml(value: Any) -> str:
    """A default as a stack file has it."""
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("\n").removesuffix("\n...")


def _markdown(text: str) -> str:
    """The text with links to pages of docs, and `<` as itself, which GitHub would take for HTML outside of code."""
    parts = text.split("`")
    parts[::2] = [
        re.sub(r"docs/([\w-]+)\.md", r"[\1](\1.md)", part).replace("<", r"\<") for part in parts[::2]
    ]
    return "`".join(parts)
