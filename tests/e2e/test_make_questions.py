"""The questions that the docs tell people to type, wrong ones, and stack prod from `make up` to `make down`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from localcloud.directories import PROJECT
from tests.e2e.newcomer import env, make, processes

__all__ = ["env"]
pytestmark = pytest.mark.e2e


PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("**/*.md"))]


def _code(page: Path) -> str:
    """Indented blocks and inline code of a page."""
    text = page.read_text()
    blocks = [line for line in text.splitlines() if line.startswith("    ")]
    return "\n".join([*blocks, *re.findall(r"`([^`]+)`", text)])


# As Hugging Face has it for a model of 8 billion parameters.
CONFIG_JSON = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "tie_word_embeddings": False,
}


def questions() -> list[str]:
    """The commands of the docs that only ask: they take seconds."""
    asked = re.findall(
        r"^    make ((?:choose|advise|cost)\b[^#\n]*)", "\n".join(map(_code, PAGES)), re.MULTILINE
    )
    return sorted({command.strip() for command in asked})


@pytest.mark.parametrize("question", questions())
def test_a_question_of_the_docs_is_answered(question: str, env: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(CONFIG_JSON))
    assert "₹" in make(
        question.replace("origin/main", "HEAD").replace("path/to/config.json", str(config)), env
    )


def test_no_login_no_refresh(env: dict[str, str]) -> None:
    bare = {
        name: value for name, value in env.items() if not name.startswith(("AWS_", "GOOGLE_", "CLOUDSDK_"))
    }
    nobody = {
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "HOME": "/nonexistent",
    }
    said = make(
        "catalog", {**bare, **nobody, "AWS_EC2_METADATA_DISABLED": "true", "NO_GCE_CHECK": "true"}, fails=True
    )
    assert "Nothing was refreshed" in said


@pytest.mark.parametrize("target", ["up", "preview", "cost"])
def test_an_unknown_stack_starts_nothing(target: str, env: dict[str, str]) -> None:
    said = make(f"{target} STACK=prd", env, fails=True)
    assert (
        "Pulumi.prd.yaml: there is no such file, so no stack prd; stacks are demo, dev, local, prod" in said
    )
    assert "Local cloud" not in said


def test_prod_comes_up_and_goes_though_it_protects_its_data(env: dict[str, str]) -> None:
    said = make("up STACK=prod", env)
    assert "policies: no finding" in said
    assert "p5.48xlarge" in said
    said = make("down STACK=prod", env)
    assert "resources were protected" in said
    assert "nothing is left behind" in said
    assert processes(env) == []
