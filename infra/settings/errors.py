"""The problems of a stack's settings: all of them in one error, each with the path of its setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError

from infra.spelling import nearest

NOTHING = "nothing"


@dataclass(frozen=True)
class Problem:
    """A wrong setting: its path, what was given, what is allowed, and the nearest valid value."""

    path: str
    given: str
    allowed: str
    nearest: str | None = None

    def __str__(self) -> str:
        lines = [f"  {self.path}: {self.given}", f"      allowed: {self.allowed}"]
        if self.nearest:
            lines.append(f"      nearest: {self.nearest}")
        return "\n".join(lines)


class SettingsError(ValueError):
    """All problems of a stack's settings. Nothing was created."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        verb = "setting is" if len(self.problems) == 1 else "settings are"
        count = f"{len(self.problems)} {verb} wrong"
        super().__init__("\n".join([f"{count}:", *map(str, self.problems)]))


def refuse(allowed: str, *, near: str | None = None, secret: bool = False) -> PydanticCustomError:
    """The error of a validator: what is allowed, and the nearest valid value. A `secret` value is not shown."""
    return PydanticCustomError("setting", "{allowed}", {"allowed": allowed, "near": near, "secret": secret})


def path_of(location: Sequence[str | int]) -> str:
    """`("aws", "cluster", "pools", 1, "gpu")` as `aws.cluster.pools[1].gpu`."""
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """The errors that pydantic found in `model`, a problem each, in the order of the settings."""
    return [_problem(details, model) for details in error.errors(include_url=False)]


def _problem(details: ErrorDetails, model: type[BaseModel]) -> Problem:
    context: dict[str, Any] = details.get("ctx", {})
    path = path_of(details["loc"])
    given = details["input"]
    match details["type"]:
        case "setting":
            # Where a validator refused a default, pydantic gives the Python name.
            path = path_of([step if isinstance(step, int) else to_camel(step) for step in details["loc"]])
            shown = "a secret, not shown here" if context["secret"] else _shown(given)
            return Problem(path, shown, context["allowed"], context["near"])
        case "missing":
            return Problem(path, NOTHING, "it must be given")
        case "extra_forbidden":
            known = _settings_at(model, details["loc"][:-1])
            return Problem(path, "no such setting", ", ".join(known), nearest(details["loc"][-1], known))
        case "literal_error":
            valid = _choices(context["expected"])
            return Problem(path, _shown(given), ", ".join(valid), nearest(given, valid))
        case "model_type":
            return Problem(path, _shown(given), f"settings: {', '.join(_settings_at(model, details['loc']))}")
    allowed = details["msg"].removeprefix("Input should be ").removeprefix("String should ")
    return Problem(path, _shown(given), allowed)


def _shown(value: object) -> str:
    return NOTHING if value is None else str(value)


def _choices(expected: str) -> list[str]:
    """The words of pydantic's `'spot' or 'on-demand'`."""
    return [word.strip(" '") for word in expected.replace(" or ", ", ").split(",")]


def _settings_at(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """The settings that the model at `location` has, by their names in YAML."""
    for step in location:
        if isinstance(step, int):
            continue
        field = next(f for name, f in model.model_fields.items() if (f.alias or name) == step)
        inner = _model_in(field.annotation)
        if inner is None:
            return []
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside `Model`, `Model | None` or `list[Model]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
