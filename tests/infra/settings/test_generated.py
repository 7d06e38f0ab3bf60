"""What is made from the settings' models: the schema for editors, docs/settings.md, and `config` of Pulumi.yaml."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from infra.settings import fields, reading
from infra.settings.generate import PAGE, PROJECT, SCHEMA, generated
from infra.settings.stack import Settings
from infra.stacks import ROOT, read
from tests.infra.settings.site_on_premises import on_premises
from tests.infra.settings.test_settings import on_google, right_pools, with_pools

SHIPPED = sorted(ROOT.glob("Pulumi.*.yaml"))
OURS = "india-ai-infra:"
MADE = json.loads(SCHEMA.read_text(encoding="utf-8"))
VALIDATOR = Draft7Validator(MADE)


def model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := model_in(part))), None)


def every_field(model: type[BaseModel] = Settings, path: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Each setting by its path in YAML, as the models declare it."""
    for name, field in model.model_fields.items():
        whole = f"{path}.{field.alias or name}".lstrip(".")
        yield whole, field
        if inner := model_in(field.annotation):
            many = "[]" if str(field.annotation).startswith(("list", "tuple")) else ""
            yield from every_field(inner, whole + many)


FIELDS = dict(every_field())


def stack(**values: Any) -> dict[str, Any]:
    return {"config": {f"{OURS}{key}": value for key, value in values.items()}}


def wrong(written: Any) -> list[str]:
    """The paths that the schema refuses something at."""
    return ["/".join(map(str, error.absolute_path)) for error in VALIDATOR.iter_errors(written)]


@pytest.mark.parametrize("file", [PROJECT, PAGE, SCHEMA], ids=lambda file: file.name)
def test_what_is_made_from_the_models_is_as_they_are(file: Path) -> None:
    assert file.read_text(encoding="utf-8") == generated()[file], "run `make settings`"


@pytest.mark.parametrize("path", FIELDS)
def test_every_setting_says_in_sentences_what_it_is(path: str) -> None:
    text = FIELDS[path].description or ""
    assert re.fullmatch(r"(?s)[A-Z`0-9v].*\.", text), text
    for page in re.findall(r"docs/[\w-]+\.md", text):
        assert (ROOT / page).exists(), page


def test_the_page_has_every_setting_in_its_section_and_no_other() -> None:
    section, seen = "", set()
    for line in PAGE.read_text(encoding="utf-8").partition("## All settings")[2].splitlines():
        if line.startswith("### "):
            section = line.removeprefix("### ").strip("`").replace("The stack", "")
        if name := re.match(r"- \*\*`(\w+)`\*\*: ", line):
            seen.add(f"{section}.{name[1]}".lstrip("."))
    assert seen == set(FIELDS)


def test_every_link_within_the_page_has_a_heading() -> None:
    text = PAGE.read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in text.splitlines()
        if line.startswith("#")
    }
    links = set(re.findall(r"\]\(#([^)]+)\)", text))
    assert links and links <= headings


def test_the_project_names_every_setting_and_the_engine_knows_every_type() -> None:
    config = yaml.safe_load(PROJECT.read_text(encoding="utf-8"))["config"]
    for path in FIELDS:
        first, *deeper = path.replace("[]", "").split(".")
        assert first in config
        assert all(re.search(rf"\b{name}\b", config[first]["description"]) for name in deeper), path
    # sdk/go/common/workspace/project.json of pulumi 3.259.0.
    assert {entry["type"] for entry in config.values()} <= {"string", "integer", "boolean", "array", "object"}
    assert all(set(entry) <= {"type", "description", "default"} for entry in config.values())


def test_the_schema_is_one_and_describes_every_setting() -> None:
    Draft7Validator.check_schema(MADE)
    text = SCHEMA.read_text(encoding="utf-8")
    assert "$ref" not in text, "an editor would lose the description beside it"
    for field in FIELDS.values():
        assert json.dumps(field.description, ensure_ascii=False) in text


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_the_shipped_stacks_are_valid_and_name_the_schema(file: Path) -> None:
    assert wrong(read(file)) == []
    first, *_ = file.read_text(encoding="utf-8").splitlines()
    assert (file.parent / first.removeprefix("# yaml-language-server: $schema=")).resolve() == SCHEMA


def mappings(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, deeper in inner:
        yield from mappings(deeper, (*path, key))


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_a_wrong_key_anywhere_in_a_stack_is_refused_where_it_is(file: Path) -> None:
    whole = read(file)
    places = [place for place in mappings(whole) if place]
    assert len(places) > 5
    for place in places:
        written = copy.deepcopy(whole)
        at = written
        for step in place:
            at = at[step]
        at[f"{OURS}regoin" if place == ("config",) else "regoin"] = "ap-south-1"
        assert wrong(written) == ["/".join(map(str, place))], place


def least(**over: Any) -> dict[str, Any]:
    return stack(
        **{
            **json.loads(reading.parse(with_pools()).model_dump_json(by_alias=True, exclude_none=True)),
            **over,
        }
    )


@pytest.mark.parametrize(
    ("key", "value", "right"),
    [
        ("aws:region", "ap-south-1", True),
        ("pulumi:disable-default-providers", ["aws"], True),
        ("owner", "ml", False),
        (f"{OURS}Owner", "ml", False),
        ("onPremises:accessKey", {"secure": "v1:abc"}, True),
        ("onPremises:accessKey", "in plain text", False),
    ],
)
def test_keys_of_others_are_theirs(key: str, value: Any, right: bool) -> None:
    written = least()
    written["config"][key] = value
    assert (wrong(written) == []) == right


def test_a_number_may_be_as_pulumi_config_set_writes_it() -> None:
    assert wrong(least(retentionDays="400")) == []
    assert reading.parse(with_pools(retentionDays="400")).retention_days == 400


@pytest.mark.parametrize("key", ["owner", "environment", "purpose", "budget", "currency"])
def test_what_is_required_is_missed(key: str) -> None:
    written = least()
    del written["config"][OURS + key]
    assert wrong(written) == ["config"]
    assert wrong({}) == [""]


@pytest.mark.parametrize(
    ("over", "at"),
    [
        ({"environment": "production"}, "environment"),
        ({"retentionDays": "a year"}, "retentionDays"),
        ({"budget": {"monthlyInr": 0}}, "budget/monthlyInr"),
        ({"aws": {"region": "us-east-1"}}, "aws/region"),
        ({"aws": {"region": "ap-south-1", "cluster": {"version": 1.35}}}, "aws/cluster/version"),
        ({"gcp": {"project": "Team", "region": "asia-south1"}}, "gcp/project"),
        ({"aws": None}, "aws"),
    ],
)
def test_a_wrong_value_is_refused_as_the_settings_refuse_it(over: dict[str, Any], at: str) -> None:
    assert wrong(least(**over)) == [f"config/{OURS}{at}"]


@given(right_pools(), st.integers(365, 10_000), st.floats(0.01, 1000))
def test_what_the_settings_take_the_schema_takes(pools: list[dict[str, Any]], days: int, rate: float) -> None:
    for values in (
        with_pools(*pools, retentionDays=days, onPremises=on_premises()),
        on_google(cluster={"access": {"jumpHost": True}, "pools": pools})
        if fit_google(pools)
        else on_google(),
    ):
        values["currency"] = {"usdInr": rate, "asOf": "2026-11-24"}
        dumped = json.loads(reading.parse(values).model_dump_json(by_alias=True, exclude_none=True))
        assert wrong(stack(**values)) == [] and wrong(stack(**dumped)) == []


def fit_google(pools: list[dict[str, Any]]) -> bool:
    return not any(pool["name"][0].isdigit() for pool in pools)


KINDS = {name: kind for name, kind in vars(fields).items() if get_origin(kind) is Annotated}
PATTERNS = {
    name: schema["pattern"]
    for name, kind in KINDS.items()
    if "pattern" in (schema := TypeAdapter(kind).json_schema())
}


def takes(kind: Any, value: Any) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", PATTERNS)
@given(data=st.data())
def test_an_editor_and_the_settings_agree_on_a_text(name: str, data: st.DataObject) -> None:
    assert len(PATTERNS) > 15
    pattern = re.compile(PATTERNS[name].replace("$", r"\Z"))
    text = data.draw(st.from_regex(pattern, alphabet=st.characters(max_codepoint=126)))
    cut = data.draw(st.integers(0, len(text)))
    for one in (text, text[cut:], text[:cut], f"{text[:cut]} {text[cut:]}"):
        assert takes(KINDS[name], one) == bool(pattern.search(one)), one


def test_every_kind_says_what_it_allows() -> None:
    unsaid = {name for name, kind in KINDS.items() if "errorMessage" not in TypeAdapter(kind).json_schema()}
    assert unsaid == {"Email"}, "which has a format of JSON Schema's own"
