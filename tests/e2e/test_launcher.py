"""How the engine of the local cloud starts a program and a policy pack: as the launcher of Pulumi's own CLI does.

The expectations are what the launcher of v3.259.0, built from its source (pulumi/pulumi,
sdk/python/cmd/pulumi-language-python), was seen to do with the same project on 2026-11-26.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from localcloud.directories import PROJECT

pytestmark = pytest.mark.e2e

ENVIRONMENT = PROJECT / ".venv"
LOOK = """
import json, os, sys
seen = dict(argv=sys.argv, cwd=os.getcwd(), path=sys.path, env=dict(os.environ))
open({file!r}, "w").write(json.dumps(seen))
"""
PACK = """
from pulumi_policy import PolicyPack, ResourceValidationPolicy

PolicyPack(name="p", policies=[ResourceValidationPolicy(name="n", description="d", validate=lambda args, report: None)])
"""


@pytest.fixture(scope="module")
def folder(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose program and pack write down how they were started."""
    made = tmp_path_factory.mktemp("seen").resolve()
    runtime = f"runtime: {{name: python, options: {{toolchain: pip, virtualenv: {ENVIRONMENT}}}}}\n"
    (made / "Pulumi.yaml").write_text(f"name: seen\nmain: src\n{runtime}")
    (made / "Pulumi.s.yaml").write_text("config: {seen:a: b, seen:c: {d: 1}}\n")
    for name, text in (("src", "import helper\n"), ("pack", PACK)):
        (made / name).mkdir()
        (made / name / "__main__.py").write_text(LOOK.format(file=str(made / f"{name}.json")) + text)
    (made / "src" / "helper.py").write_text("")
    (made / "pack" / "PulumiPolicy.yaml").write_text(f"version: 0.0.1\n{runtime}")
    pulumi(made, environment, "stack", "init", "s")
    return made


def pulumi(folder: Path, env: dict[str, str], *words: str, fails: bool = False) -> str:
    bare = {name: value for name, value in env.items() if name != "PYTHONPATH"}
    command = ["pulumi", *words, "--color", "never"]
    done = subprocess.run(command, cwd=folder, env=bare, capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout


def seen(folder: Path, name: str) -> dict[str, Any]:
    return json.loads((folder / f"{name}.json").read_text())


def test_program_and_pack_are_started_as_by_the_official_launcher(
    folder: Path, environment: dict[str, str]
) -> None:
    pulumi(folder, environment, "preview", "-s", "s", "--policy-pack", str(folder / "pack"))
    config = {"seen:a": "b", "seen:c": '{"d":1}'}

    program = seen(folder, "src")
    assert program["argv"] == ["."]
    assert program["cwd"] == str(folder / "src")
    assert program["path"][0] == "."
    assert json.loads(program["env"]["PULUMI_CONFIG"]) == config
    assert program["env"]["PULUMI_CONFIG_SECRET_KEYS"] == "[]"
    assert program["env"]["VIRTUAL_ENV"] == str(ENVIRONMENT)
    assert program["env"]["PATH"].startswith(f"{ENVIRONMENT}/bin:")

    pack = seen(folder, "pack")
    assert pack["argv"][0] == pack["argv"][2] == str(folder / "pack")
    assert pack["cwd"] == pack["path"][0] == str(folder / "pack")
    assert json.loads(pack["env"]["PULUMI_CONFIG"]) == config
    told = {name: pack["env"][f"PULUMI_{name}"] for name in ("PROJECT", "STACK", "DRY_RUN", "ORGANIZATION")}
    assert told == {"PROJECT": "seen", "STACK": "s", "DRY_RUN": "true", "ORGANIZATION": "organization"}

    for process in (program, pack):
        assert "PYTHONPATH" not in process["env"]
        assert str(PROJECT) not in process["path"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import pulumi; raise pulumi.RunError('a setting')", ["a setting", "non-zero exit code: 1"]),
        ("1 / 0", ["ZeroDivisionError: division by zero"]),
        ("import nowhere", ["No module named 'nowhere'"]),
        ("import sys; sys.exit(3)", ["program exited with non-zero exit code: 3"]),
    ],
)
def test_a_program_that_fails_is_told_of_as_by_the_official_launcher(
    folder: Path, environment: dict[str, str], text: str, says: list[str]
) -> None:
    (folder / "src" / "__main__.py").write_text(text)
    said = pulumi(folder, environment, "preview", "-s", "s", fails=True)
    diagnostics = said.split("Diagnostics:")[1].split("Resources:")[0]
    assert diagnostics.count("error: ") == len(says), said
    for part in says:
        assert part in diagnostics
