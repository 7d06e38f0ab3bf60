"""The files that are made from the models of the settings. `make settings` writes them, a test says when one drifts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from infra.settings.reference import project_config, settings_list
from infra.settings.schema import settings_schema, stack_schema

ROOT = Path(__file__).resolve().parents[2]
PROJECT, PAGE = ROOT / "Pulumi.yaml", ROOT / "docs" / "settings.md"
SCHEMA = Path(__file__).with_name("settings.schema.json")
CONFIG = "# Made from infra/settings by `make settings`: change the models there.\nconfig:\n"
BEGIN, END = "<!-- made from infra/settings by `make settings` -->\n\n", "<!-- end -->\n"


def generated() -> Mapping[Path, str]:
    """The text of each file, with what was written by hand in it as it is."""
    schema = settings_schema()
    project, page = PROJECT.read_text(encoding="utf-8"), PAGE.read_text(encoding="utf-8")
    head, before = project.partition(CONFIG)[0], page.partition(BEGIN)[0]
    name = yaml.safe_load(head)["name"]
    return {
        PROJECT: head + CONFIG + project_config(schema).removeprefix("config:\n"),
        PAGE: before + BEGIN + settings_list(schema) + "\n" + END + page.partition(END)[2],
        SCHEMA: json.dumps(stack_schema(name), ensure_ascii=False, indent=1) + "\n",
    }
