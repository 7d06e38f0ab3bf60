"""Reads the settings of a stack, and refuses wrong ones before anything is created, every mistake at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.runtime import config as runtime_config
from pydantic import ValidationError

from infra.settings.cross_checks import CHECKS
from infra.settings.errors import Problem, SettingsError, problems_of
from infra.settings.names import fits
from infra.settings.reach import check_reachable
from infra.settings.stack import Settings
from infra.settings.valid_parts import Check, parts_of


def load(config: pulumi.Config, *checks: Check) -> Settings:
    """The settings of the running stack.

    `checks` refuse what the settings alone can't know, such as a machine that the region lacks
    (`catalog.check_offered`).

    Raises:
        SettingsError: with every problem at once.
    """
    # pulumi.Config can't list its keys, and a mistyped one must not pass unseen.
    given = {**runtime_config.get_config_env(), **runtime_config.CONFIG.get()}
    prefix = f"{config.name}:"
    values = {key.removeprefix(prefix): _value(text) for key, text in given.items() if key.startswith(prefix)}
    return parse(values, fits(config.name, pulumi.get_stack()), *checks)


def parse(values: Mapping[str, Any], *checks: Check) -> Settings:
    """Settings from plain values, as the YAML of a stack holds them; see `load`."""
    problems: list[Problem] = []
    settings = None
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems = problems_of(error, Settings)
    parts = parts_of(values)
    for check in (*CHECKS, check_reachable, *checks):
        problems += check(parts)
    if settings is None or problems:
        raise SettingsError(problems)
    return settings


def _value(text: str) -> Any:
    """A value of the engine, which gives objects and lists as JSON, and everything else as it was written."""
    if not text.startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
