"""The files that GitHub and contributors read: issue forms, owners, Dependabot, the changelog."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
GITHUB = PROJECT / ".github"
FORMS = {
    file.stem: yaml.safe_load(file.read_text())
    for file in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml")
    if file.stem != "config"
}
# GitHub docs, "Syntax for GitHub's form schema", read 2026-11-26: the attributes of each kind of field.
FIELDS: dict[str, tuple[set[str], set[str]]] = {
    "markdown": ({"value"}, set()),
    "textarea": ({"label"}, {"description", "placeholder", "value", "render"}),
    "input": ({"label"}, {"description", "placeholder", "value"}),
    "dropdown": ({"label", "options"}, {"description", "multiple", "default"}),
    "checkboxes": ({"label", "options"}, {"description"}),
}


def test_there_is_a_form_for_each_kind_of_report() -> None:
    assert {"bug", "wrong-price", "wrong-law", "wrong-finding"} <= FORMS.keys()
    assert all(form["name"] and form["description"] and form["labels"] for form in FORMS.values())
    assert yaml.safe_load((GITHUB / "ISSUE_TEMPLATE" / "config.yml").read_text()) == {
        "blank_issues_enabled": True
    }


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_form_is_one_that_github_shows(form: dict[str, Any]) -> None:
    fields = form["body"]
    ids = [field["id"] for field in fields if field["type"] != "markdown"]
    assert len(set(ids)) == len(ids)
    assert form.keys() == {"name", "description", "labels", "body"}
    for field in fields:
        needed, allowed = FIELDS[field["type"]]
        assert needed <= field["attributes"].keys() <= needed | allowed, field
        assert field.get("validations", {}).keys() <= {"required"}
        options = field["attributes"].get("options", [])
        assert len(set(map(str, options))) == len(options)
    assert any(field.get("validations", {}).get("required") for field in fields)


@pytest.mark.parametrize("name", ["wrong-price", "wrong-law"])
def test_who_says_that_a_fact_is_wrong_is_asked_for_the_source(name: str) -> None:
    (source,) = [field for field in FORMS[name]["body"] if field.get("id") == "source"]
    assert source["validations"] == {"required": True}


def test_every_path_of_codeowners_exists() -> None:
    rules = [line.split() for line in (GITHUB / "CODEOWNERS").read_text().splitlines() if line[:1] == "/"]
    assert rules
    for pattern, *owners in rules:
        assert (PROJECT / pattern.strip("/")).exists(), pattern
        assert all(re.fullmatch(r"@[\w-]+(/[\w-]+)?", owner) for owner in owners)


def test_dependabot_looks_wherever_something_is_pinned() -> None:
    updates = yaml.safe_load((GITHUB / "dependabot.yml").read_text())["updates"]
    looked_at: dict[str, set[Path]] = {}
    for update in updates:
        for folder in update.get("directories", [update.get("directory")]):
            there = PROJECT.glob(folder.strip("/")) if folder != "/" else [PROJECT]
            found = {path for path in there if path.is_dir() and path.name != "__pycache__"}
            assert found, folder
            looked_at.setdefault(update["package-ecosystem"], set()).update(found)
    # What is below tests/ stands for other people's projects, as they pinned it.
    ours = [
        path for path in PROJECT.glob("*") if path.is_dir() and path.name[0] != "." and path.name != "tests"
    ]

    def folders(name: str) -> set[Path]:
        return {file.parent for folder in ours for file in folder.rglob(name) if "venv" not in file.parts}

    assert looked_at["docker"] == folders("Dockerfile")
    assert looked_at["gomod"] == folders("go.mod")
    assert looked_at["npm"] == folders("package.json")
    # A requirement that is this repository itself pins nothing.
    assert looked_at["pip"] == {
        folder for folder in folders("requirements.txt") if "==" in (folder / "requirements.txt").read_text()
    }
    assert looked_at["uv"] == looked_at["github-actions"] == {PROJECT}
    assert all(update["schedule"]["interval"] in ("daily", "weekly", "monthly") for update in updates)


@pytest.mark.parametrize(
    "file", sorted(PROJECT.glob("workloads/*/Dockerfile")), ids=lambda file: file.parent.name
)
def test_a_base_image_is_written_where_dependabot_reads_it(file: Path) -> None:
    """It reads no ARG (dependabot/dependabot-core#2057)."""
    stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?$", file.read_text(), re.MULTILINE)
    default = re.search(r"^ARG BASE=(\S+)$", file.read_text(), re.MULTILINE)
    assert [stage for stage in stages if "$" not in stage[0]] == [(stages[0][0], "stock")]
    assert default and default[1] == "stock"
    assert re.search(r":[\w.-]+$", stages[0][0])


HEADING = re.compile(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2}|Unreleased)$", re.MULTILINE)
# https://keepachangelog.com/en/1.1.0/
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def versions() -> dict[str, str]:
    """The body of each version in the changelog, newest first."""
    _, *parts = HEADING.split((PROJECT / "CHANGELOG.md").read_text())
    return dict(zip(parts[::3], parts[2::3], strict=True))


def test_the_changelog_is_of_this_version() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    pack = yaml.safe_load((PROJECT / "policies" / "PulumiPolicy.yaml").read_text())
    assert next(iter(versions())) == project["version"] == pack["version"]


def test_the_changelog_is_kept() -> None:
    found = HEADING.findall((PROJECT / "CHANGELOG.md").read_text())
    numbers = [tuple(map(int, version.split("."))) for version, _ in found]
    days = [date.fromisoformat(day) for _, day in found if day != "Unreleased"]
    assert numbers == sorted(set(numbers), reverse=True)
    assert days == sorted(days, reverse=True)
    for body in versions().values():
        kinds = re.findall(r"^### (.+)$", body, re.MULTILINE)
        assert kinds
        assert set(kinds) <= KINDS
        assert len(set(kinds)) == len(kinds)


def test_a_version_that_changes_something_has_an_upgrade_note() -> None:
    for version, body in versions().items():
        if re.search(r"^### (Changed|Removed)$", body, re.MULTILINE):
            note = f"docs/upgrade-{version.rpartition('.')[0]}.md"
            assert f"]({note})" in body, version
            assert (PROJECT / note).is_file()
