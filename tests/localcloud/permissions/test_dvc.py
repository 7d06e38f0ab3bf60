"""Real DVC under the policies of people's roles: data engineers push, ML engineers pull, and no more."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from commands.dvc.config import sections, write
from commands.stacks import settings_of
from infra.contracts.grants import DATA_ENGINEER, ML_ENGINEER
from localcloud.directories import PROJECT
from localcloud.environments import environment
from localcloud.permissions.aws_account import Account
from localcloud.permissions.s3_gate import S3Gate
from tests.workloads.moto_server import moto

pytestmark = pytest.mark.slow

# Whose credentials a program has, by its access key.
PEOPLE = {"ENGINEER": DATA_ENGINEER, "SCIENTIST": ML_ENGINEER}


@pytest.fixture
def gate(account: Account, buckets: dict[str, str]) -> Iterator[S3Gate]:
    with moto() as endpoint:
        bucket = account.buckets[buckets["curated"]]
        keys = {"region_name": "ap-south-1", "aws_access_key_id": "unit", "aws_secret_access_key": "unit"}
        where = {"LocationConstraint": bucket.region}
        s3 = boto3.client("s3", endpoint_url=endpoint, **keys)
        s3.create_bucket(Bucket=bucket.name, CreateBucketConfiguration=where)
        roles = {key: account.roles[who] for key, who in PEOPLE.items()}
        yield S3Gate(account, roles.get, endpoint.removeprefix("http://"))


class Team:
    """A Git repository and its clones, with DVC's remote behind the gate."""

    def __init__(self, endpoint: str, home: Path) -> None:
        self._endpoint, self._home = endpoint, home
        self._bin = environment(PROJECT / "commands" / "dvc" / "requirements.txt").parent

    def run(self, who: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of git or DVC, as one of the people."""
        env = {
            **os.environ,
            "PATH": f"{self._bin}:{os.environ['PATH']}",
            "HOME": str(self._home),
            "AWS_ACCESS_KEY_ID": who,
            "AWS_SECRET_ACCESS_KEY": "unit",
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "user.name",
            "GIT_CONFIG_VALUE_0": who,
            "GIT_CONFIG_KEY_1": "user.email",
            "GIT_CONFIG_VALUE_1": "who@example.in",
        }
        return subprocess.run([*words], cwd=folder, env=env, capture_output=True, text=True)

    def do(self, who: str, folder: Path, commands: str) -> None:
        """Commands that have to work, with semicolons between."""
        for command in commands.split("; "):
            done = self.run(who, folder, *command.split())
            assert done.returncode == 0, f"{command}: {done.stderr or done.stdout}"

    def here(self, who: str, folder: Path) -> None:
        """Points this clone alone at the gate, as DVC has it: in the file that Git ignores."""
        self.do(who, folder, f"dvc remote modify --local lake endpointurl {self._endpoint}")


def test_a_team_versions_data_with_the_rights_of_its_roles(
    gate: S3Gate, buckets: dict[str, str], tmp_path: Path
) -> None:
    ours, clone = tmp_path / "ours", tmp_path / "clone"
    (ours / "data").mkdir(parents=True)
    for at in range(20):
        (ours / "data" / f"{at}.txt").write_text(f"row {at}\n")
    with gate.serve() as serving:
        team = Team(serving.url, tmp_path)
        team.do("ENGINEER", ours, "git init -q -b main; dvc init -q")
        assert write(ours, sections(settings_of("prod"), "aws", f"s3://{buckets['curated']}", None))
        team.here("ENGINEER", ours)
        team.do("ENGINEER", ours, "dvc add -q data; git add -A; git commit -qm one; dvc push -q")
        (ours / "data" / "7.txt").write_text("row 7, corrected\n")
        team.do("ENGINEER", ours, "dvc add -q data; git commit -qam two; dvc push -q")

        team.do("SCIENTIST", tmp_path, f"git clone -q {ours} {clone}")
        team.here("SCIENTIST", clone)
        team.do("SCIENTIST", clone, "dvc pull -q")
        assert (clone / "data" / "7.txt").read_text() == "row 7, corrected\n"
        team.do("SCIENTIST", clone, "git checkout -q HEAD~1; dvc pull -q")
        assert (clone / "data" / "7.txt").read_text() == "row 7\n"
        assert len(list((clone / "data").iterdir())) == 20

        (clone / "data" / "8.txt").write_text("a change of a reader\n")
        team.do("SCIENTIST", clone, "dvc add -q data")
        refused = team.run("SCIENTIST", clone, "dvc", "push")
    assert refused.returncode != 0
    assert "no statement" in next(seen.refusal for seen in gate.seen if seen.refusal)
    assert gate.unknown == []
    keys = {key for seen in gate.seen if seen.status == 200 for key in seen.call.keys}
    assert keys
    assert all(key.startswith("dvc/") for key in keys)
