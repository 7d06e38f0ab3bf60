"""A JSON Schema of the file that `--policy-pack-config` takes: `python -m policies.cli generate` writes it.

The engine takes a misspelt policy or setting without a word, and then nothing is changed by it; an editor or a check
that holds the file against this schema says so. A test holds the schema against the controls.

Of the engine's levels `remediate` is one only of the policies that have something to fill in. `$schema` is left out,
which the engine would read as a policy with a wrong level.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from pulumi_policy import EnforcementLevel, Policy, ResourceValidationPolicy

from policies.pack import CONTROLS, run

FILE = Path(__file__).parents[1] / "policy-config.schema.json"
LEVELS = [level.value for level in EnforcementLevel if level is not EnforcementLevel.REMEDIATE]
LEVEL, MENDING_LEVEL = {"$ref": "#/$defs/level"}, {"$ref": "#/$defs/mendingLevel"}
MENDING = [*LEVELS, EnforcementLevel.REMEDIATE.value]
# A JSON Schema's types, in words.
_TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "an object",
    "string": "text",
}


def schema() -> dict[str, Any]:
    """The schema, with a property for each policy of the pack."""
    named = {policy.name: _one(policy) for policy in run().policies}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of the policy pack india-dpdp",
        "description": "Levels and settings by policy, for `pulumi preview --policy-pack-config`.",
        "type": "object",
        "properties": {"all": _all(), **dict(sorted(named.items()))},
        "additionalProperties": False,
        "$defs": {
            "level": {"description": "What a finding does", "type": "string", "enum": LEVELS},
            "mendingLevel": {
                "description": "What a finding does, or that it is mended",
                "type": "string",
                "enum": MENDING,
            },
        },
    }


class PolicyConfigError(ValueError):
    """A file is no policy config; the message says what in it is wrong."""


def parse(file: Path) -> dict[str, Any]:
    """A policy config, with a level for every policy where it has one for `all`.

    Raises:
        PolicyConfigError: it is none, or says what its schema does not allow.
    """
    try:
        values = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise PolicyConfigError(f"{file} is no policy config: {error}") from None
    shape = schema()
    validator = Draft202012Validator(shape, format_checker=Draft202012Validator.FORMAT_CHECKER)
    if error := best_match(validator.iter_errors(values)):
        raise PolicyConfigError(f"{file}: {_problem(error)}")
    of_all = dict.fromkeys(shape["properties"], values["all"]) if "all" in values else {}
    return {name: given for name, given in {**of_all, **values}.items() if name != "all"}


def _problem(error: ValidationError) -> str:
    """What is wrong and where, with what would be right or the nearest to it."""
    given: Any = error.instance
    allowed: Any = error.validator_value
    shape: Any = error.schema
    keyword, where = error.validator, ".".join(map(str, error.absolute_path))
    if keyword == "additionalProperties":
        names = shape["properties"]
        name = next(name for name in given if name not in names)
        wrong = f"{where} has no setting {name}" if where else f"there is no policy {name}"
        return f"{wrong}{_nearest(name, names)}"
    if keyword == "enum":
        why = "; it has nothing to fill in" if given in MENDING and allowed == LEVELS else ""
        return f"{where} is {given!r}: one of {', '.join(allowed)} is wanted{why or _nearest(given, allowed)}"
    if keyword == "type":
        return f"{where or 'the whole'} is {given!r}: {_TYPES[allowed]} is wanted"
    if keyword == "anyOf":
        return f"{where} is {given!r}: a level or an object with settings is wanted"
    return f"{where}: {error.message}"


def _nearest(name: str, names: Iterable[str]) -> str:
    near = get_close_matches(name, names, n=1)
    return f"; the nearest is {near[0]}" if near else ""


def write(file: Path = FILE) -> None:
    """Write the JSON Schema of policy configs to a file."""
    file.write_text(json.dumps(schema(), indent=1, ensure_ascii=False) + "\n")


def _one(policy: Policy) -> dict[str, Any]:
    controls = {control.id for control in CONTROLS} & set(policy.tags or ())
    page = f"docs/policies/{controls.pop().lower()}.md" if controls else "docs/policies.md"
    settings = policy.config_schema.properties if policy.config_schema else {}
    mends = isinstance(policy, ResourceValidationPolicy) and policy.has_remediation()
    return {
        "description": f"{policy.description}. {page}",
        **_level_or({name: dict(setting) for name, setting in settings.items()}, mends),
        "default": policy.enforcement_level.value if policy.enforcement_level else None,
    }


def _all() -> dict[str, Any]:
    """The engine's word for every policy that the file does not name; it knows no settings."""
    return {"description": "The level of every policy that has none of its own here", **_level_or({})}


def _level_or(settings: dict[str, Any], mends: bool = False) -> dict[str, Any]:
    level = MENDING_LEVEL if mends else LEVEL
    whole = {
        "type": "object",
        "properties": {"enforcementLevel": level, **settings},
        "additionalProperties": False,
    }
    return {"anyOf": [level, whole]}
