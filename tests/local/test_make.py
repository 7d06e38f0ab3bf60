"""The commands that a newcomer types, as they type them, and a `make up` that is killed."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from localcloud.directories import PROJECT

pytestmark = pytest.mark.local


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    whole = {**os.environ, "INDIA_AI_INFRA_RUN": str(tmp_path_factory.mktemp("newcomer"))}
    yield whole
    make("down", whole)
    assert processes(whole) == []


def make(target: str, env: dict[str, str], fails: bool = False) -> str:
    done = subprocess.run(
        ["make", "-s", *shlex.split(target)],
        cwd=PROJECT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert (done.returncode != 0) == fails, said
    return said


def processes(env: dict[str, str]) -> list[str]:
    """Command lines of whatever runs out of this run directory."""
    folder = env["INDIA_AI_INFRA_RUN"]
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        words = process.info["cmdline"] or []
        if (
            any(folder in word for word in words)
            or (process.info["environ"] or {}).get("INDIA_AI_INFRA_RUN") == folder
        ):
            found.append(" ".join(words))
    return found


def test_up_twice_then_everything_else_then_down(env: dict[str, str], tmp_path: Path) -> None:
    first = make("up", env)
    for expected in (
        "Cluster",
        "of the budget",
        "p5.48xlarge",
        "spot",
        "₹",
        "policies: no finding",
        "checked and kept, not carried out",
        "Try next",
        "running",
    ):
        assert expected in first, first
    second = make("up", env)
    assert "Nothing changed" in second
    assert "no change" in make("preview", env)
    assert "nothing is left behind" in make("doctor", env)
    shell = subprocess.run(
        ["bash", "-c", 'eval "$(make -s env)" && pulumi stack ls --json && kubectl get nodes'],
        cwd=PROJECT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shell.returncode == 0, shell.stderr
    assert '"name": "local"' in shell.stdout
    assert "Ready" in shell.stdout
    state = tmp_path / "stack.json"
    export = f'eval "$(make -s env)" && pulumi stack export -s local --file {state}'
    subprocess.run(["bash", "-c", export], cwd=PROJECT, env=env, capture_output=True, check=True)
    assert "controls: 0 violations" in make(f"audit STATE={state} OUT={tmp_path / 'audit'}", env)
    assert (tmp_path / "audit" / "evidence.html").exists()
    said = make("down", env)
    assert "nothing is left behind" in said
    assert "moto" in said
    assert processes(env) == []


@pytest.mark.parametrize("after", ["Preview", "Update"])
def test_a_killed_up_is_recovered_by_the_next(env: dict[str, str], after: str) -> None:
    with subprocess.Popen(
        ["make", "-s", "up"], cwd=PROJECT, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        _wait_for(child, after)
        os.killpg(child.pid, signal.SIGKILL)
    assert "Cluster" in make("up", env)
    assert "nothing is left behind" in make("doctor", env)


def _wait_for(child: subprocess.Popen[str], step: str) -> None:
    """Return while the step runs: after the line that ends the one before it, and a little more."""
    before = {"Preview": "Local cloud", "Update": "Preview"}[step]
    assert child.stdout
    for line in child.stdout:
        if before in line:
            break
    time.sleep(6)


def test_a_cloud_that_died_begins_anew(env: dict[str, str]) -> None:
    for process in psutil.process_iter(["cmdline", "environ"]):
        ours = (process.info["environ"] or {}).get("INDIA_AI_INFRA_RUN") == env["INDIA_AI_INFRA_RUN"]
        if ours and any("moto_server" in word for word in process.info["cmdline"] or []):
            process.kill()
    said = make("up", env)
    assert "begins anew: no longer running: moto" in said
    assert "Cluster" in said
    make("down", env)
    assert processes(env) == []


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
    assert "Pulumi.prd.yaml: there is no such file, so no stack prd; stacks are dev, local, prod" in said
    assert "Local cloud" not in said


def test_every_make_command_of_the_docs_exists() -> None:
    commands = {c for page in PAGES for c in re.findall(r"\bmake (?:-s )?([a-z-]+)\b", _code(page))}
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    assert {"up", "test", "down", "preview", "doctor", "bench", "env"} <= commands
    assert commands <= targets


def test_prod_comes_up_and_goes_though_it_protects_its_data(env: dict[str, str]) -> None:
    said = make("up STACK=prod", env)
    assert "policies: no finding" in said
    assert "p5.48xlarge" in said
    said = make("down STACK=prod", env)
    assert "resources were protected" in said
    assert "nothing is left behind" in said
    assert processes(env) == []
