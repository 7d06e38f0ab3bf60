"""Whatever YAML or bytes can do to a stack file: one sentence with the file and the line, and never a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.catalog.fabric_floors import check_floors
from infra.catalog.offered import check_offered
from infra.settings.errors import SettingsError
from infra.settings.reading import parse
from infra.stacks import ROOT, StackFileError, file_of, read, settings_in
from tests.examples import examples

SHIPPED = sorted(ROOT.glob("Pulumi.*.yaml"))
OURS = "config:\n  india-ai-infra:owner: a\n"


def written(folder: Path, text: str | bytes) -> Path:
    file = folder / "Pulumi.odd.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def refusal(file: Path) -> str:
    with pytest.raises(StackFileError) as refused:
        settings_in(file)
    message = str(refused.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Pulumi.odd.yaml: the file is empty"),
        ("# nothing\n\n", "Pulumi.odd.yaml: the file is empty"),
        ("encryptionsalt: v1\n", "Pulumi.odd.yaml: there are no settings in it"),
        ("config:\n", "Pulumi.odd.yaml: there are no settings in it"),
        ("config: null\n", "there are no settings in it"),
        ("config: {}\n", "there are no settings in it"),
        ("\nconfig: [a, b]\n", "Pulumi.odd.yaml:2: `config` is a list"),
        ("config: yes please\n", "Pulumi.odd.yaml:1: `config` is the text 'yes please'"),
        ("- config\n", "Pulumi.odd.yaml:1: a list where `config:` is needed"),
        ("config\n", "Pulumi.odd.yaml:1: the text 'config' where `config:` is needed"),
        ("config:\n  a:b: 1\n   c:d: 2\n", "Pulumi.odd.yaml:3: this is not YAML"),
        (
            "config:\nindia-ai-infra:owner: a\n",
            "there are no settings in it; needed are `config:` and, indented",
        ),
        ("config:\n\tindia-ai-infra:owner: a\n", "Pulumi.odd.yaml:2: a tab"),
        (
            f"{OURS}  india-ai-infra:owner: b\n",
            "Pulumi.odd.yaml:3: the key india-ai-infra:owner is there twice",
        ),
        (f"{OURS}config: {{}}\n", "Pulumi.odd.yaml:3: the key config is there twice"),
        (b"config:\n  india-ai-infra:owner: \xe9\n", "Pulumi.odd.yaml:2: this is not UTF-8"),
        ("config:\n  a: \x00\n", "Pulumi.odd.yaml:2: the character U+0000 is not YAML"),
        ("config:\n  other:owner: a\n  more:x: b\n", "Pulumi.odd.yaml: its settings are of more, other"),
        (f"{OURS}  x: !!python/object:os.system {{}}\n", "Pulumi.odd.yaml:3: this is not YAML"),
        (f"{OURS}  x: !!int seven\n", "Pulumi.odd.yaml:3: this can't be read as int"),
        (f"{OURS}  x: !!timestamp soon\n", "Pulumi.odd.yaml:3: this can't be read as timestamp"),
        (f"{OURS}  x: 2026-13-45\n", "Pulumi.odd.yaml:3: this can't be read as timestamp"),
        (f"{OURS}  x: {'9' * 5000}\n", "Pulumi.odd.yaml:3: this can't be read as int"),
        (f"{OURS}  x: *nobody\n", "Pulumi.odd.yaml:3: this is not YAML (found undefined alias 'nobody')"),
        (f"{OURS}  x: &a [*a]\n", "Pulumi.odd.yaml:3: an alias (*) that is inside what it names has no end"),
        (f"{OURS}---\n{OURS}", "Pulumi.odd.yaml:3: this is not YAML (expected a single document"),
        (f"{OURS}  1: b\n", "Pulumi.odd.yaml:3: a key that is no text"),
        (f"{OURS}  [a]: b\n", "Pulumi.odd.yaml:3: a key that is no text"),
        (f"config: {'[' * 3000}\n", "Pulumi.odd.yaml"),
    ],
)
def test_what_is_no_stack_file_is_refused_in_one_sentence(
    tmp_path: Path, text: str | bytes, says: str
) -> None:
    assert says in refusal(written(tmp_path, text))


def test_aliases_can_not_fill_the_memory(tmp_path: Path) -> None:
    lines = [f"  x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 30)]
    assert "more than 100,000 values" in refusal(
        written(tmp_path, "\n".join(["config:", "  x0: &x0 [a]", *lines]))
    )


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.folder.yaml").mkdir()
    assert "it can't be read: Is a directory" in refusal(tmp_path / "Pulumi.folder.yaml")
    assert "it can't be read: No such file" in refusal(tmp_path / "Pulumi.gone.yaml")
    with pytest.raises(StackFileError, match="no stack folders; stacks are folder; the nearest is folder"):
        file_of("folders", tmp_path)
    with pytest.raises(StackFileError, match=r"no stack \.\./etc"):
        file_of("../etc", tmp_path)


def test_scalars_are_read_as_pulumi_reads_them(tmp_path: Path) -> None:
    """YAML 1.2: what YAML 1.1 took for a boolean, a time of the day or an octal number is a text."""
    file = written(
        tmp_path, "config: {a: no, b: 1:30, c: 012, d: true, e: -7, f: &x {g: 1.5}, h: *x, i: null}"
    )
    assert settings_in(file) == {
        "a": "no", "b": "1:30", "c": "012", "d": True, "e": -7, "f": {"g": 1.5}, "h": {"g": 1.5}, "i": None,
    }  # fmt: skip


def test_a_key_without_a_project_is_of_this_one(tmp_path: Path) -> None:
    """As the engine has it (pulumi/pulumi, sdk/go/common/workspace/loaders.go)."""
    file = written(tmp_path, "config: {owner: a, aws:region: ap-south-1, india-ai-infra:purpose: b}")
    assert settings_in(file) == {"owner": "a", "purpose": "b"}


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_the_shipped_stacks_read_as_yaml_has_them(file: Path) -> None:
    assert read(file) == yaml.safe_load(file.read_text())
    parse(settings_in(file), check_offered, check_floors)


NOISE = st.sampled_from(
    ["\t", ":", "- ", "{", "}", "[", "]", "&a ", "*a", "!!int ", "!!set ", "!!binary ", "<<: ", "? ", "|", "'", '"',
     "%", "\n", "  ", "#", "---", "null", "1e999", "9" * 400, "-1", "0x_", ".nan", "2026-02-30", "\x85", "é", "yes"]
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A shipped stack with bytes cut out, doubled, or noise put in."""
    text = draw(st.sampled_from(SHIPPED)).read_bytes()
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        put = draw(st.one_of(NOISE.map(str.encode), st.binary(max_size=8), st.just(text[start:end] * 2)))
        text = text[:start] + put + text[end:]
    return text


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(10**400) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def misfits(draw: st.DrawFn) -> dict[str, Any]:
    """The settings of a shipped stack with some value, anywhere, in another's place."""
    values = settings_in(draw(st.sampled_from(SHIPPED)))
    for _ in range(draw(st.integers(1, 3))):
        at: Any = values
        while isinstance(at, (dict, list)) and at:
            keys = sorted(at) if isinstance(at, dict) else range(len(at))
            key = draw(st.sampled_from(list(keys)))
            if not isinstance(at[key], (dict, list)) or draw(st.booleans()):
                at[key] = draw(VALUES)
                break
            at = at[key]
    return values


def only_refused(read_settings: Any) -> None:
    try:
        parse(read_settings(), check_offered, check_floors)
    except (StackFileError, SettingsError) as error:
        assert str(error)


@given(st.one_of(mutated(), st.binary(max_size=200)))
@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_noise_is_read_or_refused_and_nothing_else(tmp_path: Path, text: bytes) -> None:
    only_refused(lambda: settings_in(written(tmp_path, text)))


@given(misfits())
@settings(max_examples=examples(60))
def test_any_value_in_any_place_is_taken_or_refused_and_nothing_else(values: dict[str, Any]) -> None:
    only_refused(lambda: values)
