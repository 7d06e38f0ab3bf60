"""The level `remediate` through the real engine: what the pack fills in is in the plan, and then in the state."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pulumi_policy.deserialize import SPECIAL_SECRET_SIG, SPECIAL_SIG_KEY
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE as UNKNOWN

from localcloud.directories import PROJECT

pytestmark = pytest.mark.e2e

ENC_05 = "dpdp-enc-05-keys-rotate-and-are-protected"
SETTINGS = f"""
name: keys
runtime: {{name: python, options: {{toolchain: pip, virtualenv: {PROJECT / ".venv"}}}}}
"""
PROGRAM = """
import pulumi
import pulumi_aws as aws

silent = aws.kms.Key("silent")
aws.kms.Key("joined", description=silent.arn)
aws.kms.Key("hidden", description=pulumi.Output.secret("what it is for"))
if pulumi.Config().get_bool("written"):
    aws.kms.Key("written", enable_key_rotation=False)
"""


@dataclass(frozen=True)
class Keys:
    """A project of another team, with keys of which little is said."""

    folder: Path
    env: dict[str, str]

    def pulumi(self, *words: str, fails: bool = False) -> str:
        done = subprocess.run(
            ["pulumi", *words], cwd=self.folder, env=self.env, capture_output=True, text=True, check=False
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout

    def under(self, level: str) -> tuple[str, str, str, str]:
        """The pack at a level of ENC-05, and nothing else of it."""
        config = self.folder / "dpdp.json"
        config.write_text(json.dumps({"all": "disabled", ENC_05: level}))
        return "--policy-pack", f"{PROJECT}/policies", "--policy-pack-config", str(config)


@pytest.fixture(scope="module")
def keys(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    made = Keys(tmp_path_factory.mktemp("keys"), environment)
    (made.folder / "Pulumi.yaml").write_text(SETTINGS)
    (made.folder / "__main__.py").write_text(PROGRAM)
    made.pulumi("stack", "init", "dev")
    made.pulumi("config", "set", "aws:region", "ap-south-1")
    yield made
    made.pulumi("destroy", "--yes", "--skip-preview")
    made.pulumi("stack", "rm", "--yes", "dev")


def inputs(resources: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of each key, by its name, without what the provider adds for itself."""
    return {
        one["urn"].rpartition("::")[2]: {
            name: value for name, value in one["inputs"].items() if name != "__defaults"
        }
        for one in resources
        if one["type"] == "aws:kms/key:Key"
    }


def planned(said: str) -> dict[str, dict[str, Any]]:
    return inputs([step["newState"] for step in json.loads(said)["steps"]])


MENDED = {"enableKeyRotation": True}


def test_the_plan_has_what_is_missing_and_so_has_the_state(keys: Keys) -> None:
    plan = planned(keys.pulumi("preview", "--json", *keys.under("remediate")))
    assert plan["silent"] == MENDED
    assert {name: plan["joined"][name] for name in MENDED} == MENDED
    assert UNKNOWN in json.dumps(plan["joined"])
    assert (
        keys.pulumi("preview", *keys.under("remediate")).count(f"[remediate]  {ENC_05}  (3 resources)") == 1
    )

    keys.pulumi("up", "--yes", "--skip-preview", *keys.under("remediate"))
    state = inputs(json.loads(keys.pulumi("stack", "export", "--show-secrets"))["deployment"]["resources"])
    assert state["silent"] == MENDED
    assert state["joined"]["description"].startswith("arn:aws:kms:ap-south-1:")
    assert state["hidden"]["description"][SPECIAL_SIG_KEY] == SPECIAL_SECRET_SIG
    again = json.loads(keys.pulumi("preview", "--json", *keys.under("remediate")))
    assert again["changeSummary"] == {"same": 4}


def test_what_is_written_is_found_and_not_mended(keys: Keys) -> None:
    keys.pulumi("config", "set", "written", "true")
    try:
        plan = planned(keys.pulumi("preview", "--json", *keys.under("remediate"), fails=True))
        said = keys.pulumi("preview", *keys.under("remediate"), fails=True)
    finally:
        keys.pulumi("config", "rm", "written")
    assert plan["written"]["enableKeyRotation"] is False
    assert "[DPDP-ENC-05] the key does not rotate; at enableKeyRotation = False" in said


def test_at_its_own_level_the_pack_fills_in_nothing(keys: Keys) -> None:
    said = keys.pulumi("preview", *keys.under("mandatory"), fails=True)
    assert said.count("[DPDP-ENC-05] the key does not rotate; at enableKeyRotation = nothing") == 3
    assert "[remediate]" not in said
