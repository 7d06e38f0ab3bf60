"""As whom a stack is deployed on the local cloud."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from localcloud import deployer
from localcloud.directories import PROJECT


def of(tmp_path: Path, deployers: list[str]) -> dict[str, str]:
    file = tmp_path / "Pulumi.x.yaml"
    access = {"cluster": {"access": {"deployers": deployers}}}
    file.write_text(yaml.safe_dump({"config": {"india-ai-infra:aws": access, "india-ai-infra:owner": "ml"}}))
    return deployer.environment(file)


@pytest.mark.parametrize(
    ("listed", "role"),
    [
        ([], None),
        (["role/india-ai-infra-deployer"], None),
        (["role/ci", "role/india-ai-infra-deployer"], None),
        (["user/asha", "role/people/admin", "role/ci"], "people/admin"),
        (["arn:aws:iam::444455556666:role/ci"], None),
    ],
)
def test_it_is_the_first_role_of_the_list_unless_the_projects_own_is_there(
    tmp_path: Path, listed: list[str], role: str | None
) -> None:
    assert of(tmp_path, listed).get(deployer.VARIABLE) == role


@pytest.mark.parametrize("stack", ["local", "dev", "prod"])
def test_our_own_stacks_are_deployed_by_the_role_that_is_always_there(stack: str) -> None:
    assert deployer.environment(PROJECT / f"Pulumi.{stack}.yaml") == {}


def test_its_arn_has_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(deployer.VARIABLE, "people/admin")
    assert deployer.arn() == f"arn:aws:iam::{deployer.ACCOUNT}:role/people/admin"
