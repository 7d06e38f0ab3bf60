"""Who runs the program on Google: asked where the settings list persons and accounts alone, refused if not listed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi_gcp as gcp
import pytest
import yaml

from infra.gcp import deployer
from infra.settings.errors import SettingsError
from localcloud import google_deployer

ASHA, ROBOT = "user:asha@example.in", "serviceAccount:ci@unit-project.iam.gserviceaccount.com"
GROUP = "group:platform@example.in"
PRINCIPALS = "principalSet://iam.googleapis.com/locations/global/workforcePools/staff/group/platform"
ASKED = "gcp:organizations/getClientOpenIdUserInfo:getClientOpenIdUserInfo"


def run(deploy: Callable[..., Any], listed: list[str], email: str = "asha@example.in") -> Any:
    def program() -> None:
        deployer.check(listed, gcp.Provider("gcp", project="unit-project"))

    return deploy(program, outputs={ASKED: {"email": email}})


@pytest.mark.parametrize("listed", [[ASHA], [ROBOT, ASHA], ["user:Asha@Example.in"]])
def test_who_is_listed_may(deploy: Callable[..., Any], listed: list[str]) -> None:
    assert [call.token for call in run(deploy, listed).invokes] == [ASKED]


@pytest.mark.parametrize("listed", [[], [GROUP], [ROBOT, PRINCIPALS]])
def test_where_nobody_can_tell_nobody_is_asked(deploy: Callable[..., Any], listed: list[str]) -> None:
    assert run(deploy, listed).invokes == []


@pytest.mark.parametrize(
    ("email", "member"),
    [
        ("ravi@example.in", "user:ravi@example.in"),
        ("ci@other.iam.gserviceaccount.com", "serviceAccount:ci@other.iam.gserviceaccount.com"),
        ("1-compute@developer.gserviceaccount.com", "serviceAccount:1-compute@developer.gserviceaccount.com"),
    ],
)
def test_who_is_not_listed_reads_the_line_to_write(
    deploy: Callable[..., Any], email: str, member: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        run(deploy, [ASHA, ROBOT], email)
    (problem,) = refused.value.problems
    assert problem.path == "gcp.cluster.access.deployers"
    assert member in problem.allowed
    assert problem.nearest == f"[{ASHA}, {ROBOT}, {member}]"


def test_a_federated_identity_has_no_address_and_reads_what_to_do(
    deploy: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Any) -> str:
        raise RuntimeError("Error 401: invalid authentication credentials")

    monkeypatch.setattr(deployer, "_email", fails)
    with pytest.raises(SettingsError, match=r"principal://iam\.googleapis\.com/.*401"):
        run(deploy, [ASHA])


# ── The local cloud's caller ─────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("listed", "email"),
    [
        ([], None),
        ([GROUP, PRINCIPALS], None),
        ([ASHA, f"user:{google_deployer.EMAIL}"], None),
        ([GROUP, ROBOT, ASHA], "ci@unit-project.iam.gserviceaccount.com"),
    ],
)
def test_the_local_cloud_is_called_by_the_first_who_is_listed(
    tmp_path: Path, listed: list[str], email: str | None
) -> None:
    file = tmp_path / "Pulumi.x.yaml"
    access = {"cluster": {"access": {"deployers": listed}}}
    file.write_text(yaml.safe_dump({"config": {"india-ai-infra:gcp": access, "india-ai-infra:owner": "ml"}}))
    assert google_deployer.environment(file).get(google_deployer.VARIABLE) == email
