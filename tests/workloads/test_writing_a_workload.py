"""docs/writing-a-workload.md, followed to the letter on a copy of the repository, and what a stack then has."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from localcloud.directories import PROJECT

pytestmark = pytest.mark.slow

PAGE = PROJECT / "docs" / "writing-a-workload.md"
REGISTRY, SETTINGS = "workloads/registry.py", "infra/settings/workloads/__init__.py"
OWN_SETTINGS = "infra/settings/workloads/embed.py"
COPIED = ("infra", "workloads", "localcloud", "tests")
POOLS = {"aws": "serve", "gcp": "google-serve"}
# Runs in the copy: all that the stack `prod` registers if it asks for the page's workload, on each cloud.
PROGRAM = """
import json
from pathlib import Path
from tests.program.whole_stacks import config_of, run_anew

def test_embed(deploy):
    for cloud, asked in json.loads(Path("asked.json").read_text()).items():
        made = run_anew(deploy, config_of("prod") | {"india-ai-infra:workloads": asked}, stack="prod")
        found = [{"type": r.type, "name": r.name, "urn": r.urn, "inputs": r.inputs} for r in made.resources]
        Path(f"{cloud}.json").write_text(json.dumps(found))
"""


@dataclass(frozen=True)
class Block:
    """A block of code on the page, and the paragraph before it."""

    language: str
    before: str
    code: str


def blocks() -> list[Block]:
    found = re.finditer(r"((?:[^\n]+\n)+)\n```(\w+)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [Block(match[2], match[1], match[3]) for match in found]


def _of(sentence: str) -> str:
    (block,) = [block for block in blocks() if sentence in block.before]
    return block.code


def _insert(file: Path, before: str, code: str) -> None:
    text = file.read_text()
    assert text.count(before) == 1, f"{file}: {before}"
    file.write_text(text.replace(before, code + before))


def _follow(copy: Path) -> set[str]:
    """Do what the page says; the files that it touches."""
    settings, registry, folder = copy / SETTINGS, copy / REGISTRY, copy / "workloads" / "embed"
    (copy / OWN_SETTINGS).write_text(_of("or whose nodes have too few GPUs"))
    _insert(settings, "from infra.settings.workloads.evaluation", _of("the class is imported"))
    _insert(
        settings, "\n    @property\n    def chosen(self)", _of("And it has a field in the class `Workloads`")
    )
    folder.mkdir()
    for file, sentence in {
        "needs.py": "each field is explained where it is declared",
        "build.py": "on a pool, security, room to write, programs as files",
        "embed.py": "sentence-transformers, prometheus-client",
    }.items():
        (folder / file).write_text(_of(sentence))
    _insert(registry, "from workloads.evaluation.build", _of("an import"))
    _insert(registry, ")\n\n\ndef needs_of", _of("and a row of `WORKLOADS`"))
    return {SETTINGS, OWN_SETTINGS, REGISTRY, *(f"workloads/embed/{file.name}" for file in folder.iterdir())}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("repository")
    for folder in COPIED:
        shutil.copytree(
            PROJECT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", "test_*")
        )
    for file in ("program.py", "pyproject.toml", "Pulumi.prod.yaml"):
        shutil.copy(PROJECT / file, copy)
    return copy


@pytest.fixture(scope="module")
def touched(copy: Path) -> set[str]:
    return _follow(copy)


@pytest.fixture(scope="module")
def made(copy: Path, touched: set[str]) -> dict[str, list[dict[str, Any]]]:
    """What the copy's stack registers with the workload on a pool of each cloud."""
    asked = yaml.safe_load(_of("In the stack's file"))["config"]["india-ai-infra:workloads"]
    on_each = {cloud: {"embed": asked["embed"] | {"pool": pool}} for cloud, pool in POOLS.items()}
    (copy / "asked.json").write_text(json.dumps(on_each))
    (copy / "tests" / "workloads" / "test_embed.py").write_text(PROGRAM)
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "tests/workloads/test_embed.py",
        ],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": f"{copy}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return {cloud: json.loads((copy / f"{cloud}.json").read_text()) for cloud in POOLS}


def _one(made: list[dict[str, Any]], type_: str, name: str, cluster: str = "") -> dict[str, Any]:
    (found,) = [
        each["inputs"]
        for each in made
        if each["type"].endswith(type_) and each["name"] == name and cluster in each["urn"]
    ]
    return found


def test_a_new_workload_touches_its_folder_the_registry_and_the_settings(touched: set[str]) -> None:
    ours = {file for file in touched if not file.startswith("workloads/embed/")}
    assert ours == {SETTINGS, OWN_SETTINGS, REGISTRY}
    assert len(blocks()) == 9, "each block of the page is followed"


def test_the_code_of_the_page_is_as_our_own(copy: Path, touched: set[str]) -> None:
    ruff = [Path(sys.executable).with_name("ruff"), "--config", copy / "pyproject.toml"]
    for command in (["check"], ["format", "--check"]):
        run = subprocess.run(
            [*ruff[:1], *command, *ruff[1:], *sorted(touched)],
            cwd=copy,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr


GOOGLE, AWS = "gcp:Cluster", "platform:Platform"


@pytest.mark.parametrize("cloud", POOLS)
def test_each_cluster_has_its_namespace_queue_and_guards(made: dict[str, Any], cloud: str) -> None:
    clusters = [
        [
            each
            for each in made[cloud]
            if each["type"].startswith("kubernetes:") and (GOOGLE in each["urn"]) is google
        ]
        for google in (False, True)
    ]
    for cluster in clusters:
        namespace = _one(cluster, "v1:Namespace", "embed-namespace")["metadata"]["labels"]
        assert namespace["pod-security.kubernetes.io/audit"] == "restricted"
        assert namespace["india-ai-infra/queued"] == "true"
        assert _one(cluster, "LocalQueue", "embed-localqueue-gpus")["spec"] == {"clusterQueue": "gpus"}
        deny = _one(cluster, "NetworkPolicy", "embed-default-deny")["spec"]
        assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
        assert "0.0.0.0/0" not in str(_one(cluster, "NetworkPolicy", "embed-allow-egress"))
        assert _one(cluster, "PriorityClass", "embed-priority")["value"] == 500
        assert _one(cluster, "v1:ServiceAccount", "embed-service-account")
        assert _one(cluster, "RoleBinding", "embed-view-data-engineers")
        assert (
            _one(cluster, "PodMonitor", "podmonitor-embed")["spec"]["podMetricsEndpoints"][0]["port"]
            == "metrics"
        )
        groups = _one(cluster, "PrometheusRule", "prometheusrule-gpu-platform")["spec"]["groups"]
        assert [rule["alert"] for group in groups if group["name"] == "embed" for rule in group["rules"]] == [
            "EmbedStopped"
        ]


def test_both_clouds_grant_it_what_it_needs_and_no_more(made: dict[str, Any]) -> None:
    policy = json.loads(_one(made["aws"], "iam/rolePolicy:RolePolicy", "access-embed")["policy"])
    allowed = {
        action for said in policy["Statement"] for action in said["Action"] if action.startswith("s3:")
    }
    assert {"s3:GetObject", "s3:PutObject", "s3:DeleteObject"} <= allowed
    buckets = {str(said["Resource"]) for said in policy["Statement"] if "s3:PutObject" in said["Action"]}
    assert len(buckets) == 1
    assert "/embed/*" in buckets.pop()
    pod = _one(made["aws"], "PodIdentityAssociation", "cluster-access-embed")
    assert (pod["namespace"], pod["serviceAccount"]) == ("embed", "embed")
    bindings = {
        (each["inputs"]["role"], "embed/" in str(each["inputs"].get("condition")))
        for each in made["gcp"]
        if each["type"].endswith("BucketIAMMember") and each["name"].startswith("access-embed-")
    }
    assert bindings == {
        ("roles/storage.bucketViewer", False),
        ("roles/storage.objectViewer", False),
        ("roles/storage.objectUser", True),
    }


def test_google_collects_its_metric_and_tells_people(made: dict[str, Any]) -> None:
    collected = _one(made["gcp"], "PodMonitoring", "podmonitoring-embed")
    assert collected["metadata"]["namespace"] == "embed"
    assert "embed_documents_total" in str(collected["spec"]["endpoints"])
    assert _one(made["gcp"], "alertPolicy:AlertPolicy", "metric-alerts-EmbedStopped")


@pytest.mark.parametrize(("cloud", "scheme"), [("aws", "s3://"), ("gcp", "gs://")])
def test_the_job_runs_where_its_pool_is(made: dict[str, Any], cloud: str, scheme: str) -> None:
    job = _one(made[cloud], "v1:Job", "embed")["spec"]["template"]["spec"]
    (container,) = job["containers"]
    source, target = container["args"]
    assert source.startswith(scheme) and target.startswith(scheme) and target.endswith("/embed")
    assert job["priorityClassName"] == "india-ai-infra-embed"
    program = _one(made[cloud], "v1:ConfigMap", "embed-program")
    assert program["data"] == {"embed.py": _of("sentence-transformers, prometheus-client")}


@pytest.mark.parametrize("cloud", POOLS)
def test_nothing_else_of_the_stack_changes(made: dict[str, Any], cloud: str) -> None:
    record = (Path(__file__).with_name("resources") / "prod.txt").read_text().splitlines()
    # What the workloads of the stack themselves make, which now asks for another.
    before = {urn for urn in record if "india-ai-infra:workloads:" not in urn}
    after = {each["urn"].split("::", 2)[2] for each in made[cloud]}
    assert before <= after
    assert {urn.rpartition("::")[2] for urn in after - before if "embed" not in urn.lower()} == set()
