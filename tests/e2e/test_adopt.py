"""The pack on a project that is not ours, in Go: first by hand, then by every command of docs/adopt.md, in their order.

`pulumi-language-go` is a launcher of the tests' own (`projects/language_host_go.py`); the program, its SDK, the engine
and the pack are real. The page's commands run a clone of the last commit.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud import directories as paths
from localcloud.directories import PROJECT
from localcloud.toolchain.build import find_go

pytestmark = pytest.mark.e2e

PROJECTS = Path(__file__).parent / "projects"
LAUNCHER = '#!/bin/sh\nexec "{python}" "{host}" "$@"\n'
FINDING = re.compile(r"^\s+- \[(\w+)\]\s+(?:\[severity: \w+\]\s+)?(\S+)\s+\((.+)\)$", re.MULTILINE)


@pytest.fixture(scope="module")
def env(environment: dict[str, str]) -> dict[str, str]:
    """A shell with an engine that can run Go projects."""
    launcher = paths.bin_dir() / "pulumi-language-go"
    host = PROJECTS / "language_host_go.py"
    launcher.write_text(LAUNCHER.format(python=sys.executable, host=host))
    launcher.chmod(0o755)
    bare = {name: value for name, value in environment.items() if not name.startswith("INDIA_DPDP_")}
    return {**bare, "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true"}


@pytest.fixture(scope="module")
def shop(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The project of another team, built."""
    folder = tmp_path_factory.mktemp("team") / "shop"
    shutil.copytree(PROJECTS / "go-shop", folder)
    go = find_go(lambda done, total, what: None)
    build = {**env, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOTOOLCHAIN": "local"}
    command = [go, "build", "-trimpath", "-o", "shop", "."]
    subprocess.run(command, cwd=folder, env=build, check=True)
    for stack in ("dev", "prod"):
        run(f"pulumi stack init {stack}", folder, env)
    yield folder
    for stack in ("dev", "prod"):
        run(f"pulumi stack rm --yes --preserve-config {stack}", folder, env)


def run(command: str, folder: Path, env: dict[str, str], fails: bool = False) -> str:
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert (done.returncode != 0) == fails, f"{command}\n{said}"
    return said


def findings(said: str) -> set[tuple[str, str, str]]:
    """Level, policy and resource of every finding that the engine printed."""
    return set(FINDING.findall(said))


ABROAD = {
    ("mandatory", "dpdp-res-01-resource-location-in-india", "aws:s3:Bucket: uploads"),
    ("mandatory", "dpdp-res-01-resource-location-in-india", "aws:cloudwatch:LogGroup: orders"),
    ("mandatory", "dpdp-res-02-provider-pinned-to-india", "pulumi:providers:aws: default"),
    ("mandatory", "dpdp-enc-01-storage-under-a-customer-key-stack", "aws:s3:Bucket: uploads"),
    ("mandatory", "dpdp-enc-03-tls-only-stack", "aws:s3:Bucket: uploads"),
    ("mandatory", "dpdp-acc-01-no-public-object-storage-stack", "aws:s3:Bucket: uploads"),
    ("mandatory", "dpdp-log-03-logs-kept-for-a-year", "aws:cloudwatch:LogGroup: orders"),
}


def test_a_shop_abroad_is_found_by_every_control_that_it_breaks(shop: Path, env: dict[str, str]) -> None:
    said = run(f"pulumi preview -s dev --policy-pack {PROJECT}/policies", shop, env, fails=True)
    assert findings(said) == ABROAD
    assert "[DPDP-RES-01] the place is not in India; at region = 'ap-southeast-1'" in said


def test_a_shop_in_india_passes_though_outputs_join_it(shop: Path, env: dict[str, str]) -> None:
    """Also in the update, which knows the texts and keys that its preview did not."""
    pack = f"-s prod --policy-pack {PROJECT}/policies"
    assert findings(run(f"pulumi preview {pack}", shop, env)) == set()
    assert findings(run(f"pulumi up --yes --skip-preview {pack}", shop, env)) == set()
    run("pulumi destroy --yes --skip-preview -s prod", shop, env)


def test_what_is_joined_to_nothing_is_found(shop: Path, env: dict[str, str]) -> None:
    """The passes above come from the outputs that Go told the engine of, not from a pack that saw little."""
    run("pulumi config set guarded false -s prod", shop, env)
    try:
        said = run(f"pulumi preview -s prod --policy-pack {PROJECT}/policies", shop, env, fails=True)
    finally:
        run("pulumi config set guarded true -s prod", shop, env)
    assert findings(said) == {found for found in ABROAD if found[1].endswith("-stack")}


PREVIEW = "pulumi preview --policy-pack ../india-ai-infra/policies"
WITH_CONFIG = f"{PREVIEW} --policy-pack-config dpdp.json"
KEPT = f'INDIA_DPDP_FINDINGS="$PWD/findings.json" {WITH_CONFIG}'
OURS = "PYTHONPATH=../india-ai-infra ../india-ai-infra/.venv/bin/python -m"
# Each command of the page: whether it fails, and what it says.
PAGE = [
    ('git clone --quiet --depth 1 "$PACK" ../india-ai-infra', False, ""),
    ("python3 -m venv ../india-ai-infra/.venv", False, ""),
    (
        "../india-ai-infra/.venv/bin/pip install --quiet -r ../india-ai-infra/policies/requirements.txt",
        False,
        "",
    ),
    (PREVIEW, True, "[mandatory] [severity: critical]  dpdp-res-01"),
    ("cp ../india-ai-infra/policies/profiles/dpdp-only.json dpdp.json", False, ""),
    (WITH_CONFIG, True, "[advisory] [severity: critical]  dpdp-res-01"),
    (KEPT, True, "dpdp-acc-01"),
    (f"{OURS} policies.cli baseline findings.json", False, "dpdp-baseline.json: 6 findings of dev"),
    (WITH_CONFIG, False, "in the baseline"),
    (KEPT, False, ""),
    (f"{OURS} policies.cli report findings.json", False, "0 findings; reports are in dpdp-reports"),
]


def blocks() -> list[str]:
    """Every indented line of the page."""
    page = (PROJECT / "docs" / "adopt.md").read_text()
    return [line.strip() for line in page.splitlines() if line.startswith("    ")]


def test_every_command_of_the_page_does_what_it_says(shop: Path, env: dict[str, str]) -> None:
    files = [line for line in blocks() if line.startswith("{")]
    assert [line for line in blocks() if line not in files] == [command for command, *_ in PAGE]
    run("pulumi stack select dev", shop, env)
    for command, fails, says in PAGE:
        assert says in run(command, shop, {**env, "PACK": f"file://{PROJECT}"}, fails)
    (editor,) = (json.loads(line)["json.schemas"] for line in files)
    assert (shop / editor[0]["url"]).is_file()
    assert (shop / "dpdp-reports" / "findings.sarif").is_file()
