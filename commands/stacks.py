"""The stacks of this project, as their files say them."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.catalog.resolved import Resolve, resolve
from infra.settings.names import fits
from infra.settings.reading import parse
from infra.settings.stack import Settings
from infra.stacks import PROJECT as NAME
from infra.stacks import file_of, settings_in
from localcloud.directories import PROJECT
from workloads.registry import checks

StackName = Annotated[str, typer.Option("--stack", "-s", help="Which Pulumi.<stack>.yaml to run.")]


def settings_of(stack: str, resolve: Resolve = resolve) -> Settings:
    """The settings of a stack, read from its file as the program reads them; `resolve` as in `registry.checks`.

    Raises:
        StackFileError: there is no such file, or it is no stack file.
        SettingsError: with every wrong setting.
    """
    return parse(settings_in(file_of(stack, PROJECT)), fits(NAME, stack), *checks(resolve=resolve))
