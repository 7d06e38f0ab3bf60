"""The stacks of this project, as their files say them."""

from __future__ import annotations

import yaml

from infra.advice import check_fits
from infra.catalog import check_offered
from infra.settings import Settings, parse
from workloads.proof.floors import check_floors

from .paths import PROJECT


class NoSuchStack(LookupError):
    """There is no file for a stack; the message names those that there are."""


def settings_of(stack: str) -> Settings:
    """The settings of a stack, read from its file as the program reads them.

    Raises:
        NoSuchStack: there is no such file.
        SettingsError: with every wrong setting.
    """
    file = PROJECT / f"Pulumi.{stack}.yaml"
    if not file.exists():
        known = ", ".join(sorted(found.suffixes[0][1:] for found in PROJECT.glob("Pulumi.*.yaml")))
        raise NoSuchStack(f"there is no stack {stack}: {file.name} is missing; there are {known}")
    values = yaml.safe_load(file.read_text())["config"]
    ours = {k.partition(":")[2]: v for k, v in values.items() if k.startswith("india-ai-infra:")}
    return parse(ours, check_offered, check_fits, check_floors)
