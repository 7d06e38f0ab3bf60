"""The stack `local` through the real engine: up, no change, a change, drift, a refused pod.

One story in order: each test takes the stack as the one before left it, and test_day_two.py goes on with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from typer.testing import CliRunner

from commands.up import summary
from infra.aws.jump_host import PROXY_URL
from infra.geography import region
from localcloud import cloud
from localcloud.directories import PROJECT
from localcloud.engine import Stack
from localcloud.kubernetes import clusters, waiting
from policies import cli
from policies.framework.record import read
from tests.e2e.shared import Shared

pytestmark = pytest.mark.e2e

PROGRAM = PROJECT / "Pulumi.local.yaml"


@pytest.fixture(scope="module")
def stack(local: Shared) -> Stack:
    return local.stack()


@pytest.fixture(scope="module")
def config(local: Shared) -> Path:
    return local.config


@pytest.fixture(scope="module")
def aws(environment: dict[str, str]) -> Any:
    session = boto3.Session("local", "local", region_name="ap-south-1")
    return lambda service: session.client(service, endpoint_url=environment["INDIA_AI_INFRA_AWS_ENDPOINT"])


@pytest.fixture(scope="module", autouse=True)
def stand(local: Shared) -> None:
    local.brought_to(PROGRAM.read_text())


def cluster_name() -> str:
    (name,) = clusters.recorded()
    return name


def settled() -> None:
    """Both workloads are on spot alone, for whose nodes no update waits."""
    assert waiting.settle([cluster_name()], seconds=180) == []


def test_gpu_pods_run_on_spot_nodes_that_karpenter_chose() -> None:
    settled()
    nodes, pods = summary.look(cluster_name())
    spot = [node for node in nodes if node.spot and node.gpus]
    zones = {node.zone for node in nodes}
    assert {node.pool for node in spot} >= {"serve", "train"}
    assert pods.gpu_phases["Running"] >= 2
    assert pods.gpu_phases["Pending"] == 0
    assert all(zone.startswith(region("ap-south-1").name) for zone in zones)


def test_efa_nodes_offer_their_interfaces() -> None:
    nodes, _ = summary.look(cluster_name())
    efa = {node.machine_type: (node.gpus, node.cards) for node in nodes if node.cards}
    assert efa == {"p5.48xlarge": (8, 32)}


def test_a_preview_without_a_change_finds_none(stack: Stack) -> None:
    outcome = stack.preview()
    assert outcome.unchanged, (outcome.changes, outcome.errors)


def test_a_change_touches_what_it_means(stack: Stack, config: Path) -> None:
    values = yaml.safe_load(config.read_text())
    values["config"]["india-ai-infra:workloads"]["serving"]["replicas"] += 1
    config.write_text(yaml.safe_dump(values))
    outcome = stack.up()
    assert not outcome.failed, outcome.errors
    assert outcome.changes["update"] >= 1
    assert not outcome.changes["create"]
    assert not outcome.changes["delete"]
    settled()
    _, pods = summary.look(cluster_name())
    assert pods.gpu_phases["Pending"] == 0


def test_refresh_finds_what_was_deleted_behind_its_back(stack: Stack, aws: Any) -> None:
    ids = {r["type"]: r["id"] for r in stack.resources() if r.get("custom")}
    aws("sqs").delete_queue(QueueUrl=ids["aws:sqs/queue:Queue"])
    api = clusters.running()[0].api()
    (deployment,) = [d for d in api.list("apps/v1", "Deployment") if d["metadata"]["namespace"] == "serving"]
    api.delete({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": deployment["metadata"]})
    assert stack.refresh().changes["delete"] == 3  # the queue's policy went with it
    healed = stack.up()
    assert not healed.failed, healed.errors
    assert healed.changes["create"] == 3
    assert stack.preview().unchanged


def test_plain_pulumi_works_in_a_shell_set_up_by_env(environment: dict[str, str], config: Path) -> None:
    done = subprocess.run(
        ["pulumi", "preview", "--stack", "local", "--config-file", str(config), "--expect-no-changes"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_audit_of_the_state_finds_nothing_either(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "stack.json"
    file.write_text(json.dumps({"version": 3, "deployment": {"resources": stack.resources()}}))
    result = CliRunner().invoke(
        cli.app, ["audit", str(file), "--out", str(tmp_path / "out"), "--project", str(stack.folder)]
    )
    assert result.exit_code == 0, result.output
    record = read(tmp_path / "out" / "findings.json")
    assert (record.stack, record.resources) == ("local", len(stack.resources()))
    assert sum(control.resources > 0 for control in record.controls) > 30


def test_a_stack_over_its_budget_is_refused(stack: Stack, config: Path) -> None:
    before = config.read_text()
    values = yaml.safe_load(before)
    values["config"]["india-ai-infra:budget"]["monthlyInr"] = 100_000
    config.write_text(yaml.safe_dump(values))
    outcome = stack.preview()
    config.write_text(before)
    (refusal,) = [p.message for p in outcome.policies if "[COST-01]" in p.message]
    assert outcome.failed
    assert "over its budget of ₹1,00,000" in refusal
    assert refusal.index("p5.48xlarge spot") < refusal.index("g6.12xlarge spot")


POD = """
import pulumi, pulumi_kubernetes as k8s
provider = k8s.Provider("cluster", kubeconfig=pulumi.Config().require("kubeconfig"))
k8s.apps.v1.Deployment("greedy", opts=pulumi.ResourceOptions(provider=provider), spec={
    "selector": {"matchLabels": {"app": "greedy"}},
    "template": {
        "metadata": {"labels": {"app": "greedy"}},
        "spec": {"containers": [{"name": "greedy", "image": "greedy",
            "resources": {"limits": {"nvidia.com/gpu": "64"}}}]},
    },
})
"""


def test_a_pod_that_fits_no_pool_fails_with_the_schedulers_words(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: greedy\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(POD)
    kubeconfig = yaml.safe_load((clusters.folder(cluster_name()) / "kubeconfig.yaml").read_text())
    kubeconfig["clusters"][0]["cluster"]["proxy-url"] = PROXY_URL  # the stack's only way in
    config = {"config": {"greedy:kubeconfig": yaml.safe_dump(kubeconfig)}}
    (tmp_path / "Pulumi.greedy.yaml").write_text(yaml.safe_dump(config))
    env = cloud.environment(environment["INDIA_AI_INFRA_AWS_ENDPOINT"])
    greedy = Stack("greedy", env, tmp_path)
    outcome = greedy.up(policies=False)
    greedy.destroy()
    assert outcome.failed
    said = "\n".join(outcome.errors)
    assert "nvidia.com/gpu" in said
    assert "greedy" in said


def test_a_wrong_setting_creates_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    wrong = tmp_path / "Pulumi.wrong.yaml"
    values = yaml.safe_load(PROGRAM.read_text())
    pools = values["config"]["india-ai-infra:aws"]["cluster"]["pools"]
    pools[0]["gpu"], pools[1]["purchase"] = "H1000", "spott"
    wrong.write_text(yaml.safe_dump(values))
    env = cloud.environment(environment["INDIA_AI_INFRA_AWS_ENDPOINT"])
    stack = Stack("wrong", env, config_file=wrong)
    outcome = stack.up()
    said = "\n".join(outcome.errors)
    assert outcome.failed
    assert "aws.cluster.pools[0].gpu" in said
    assert "aws.cluster.pools[1].purchase" in said
    assert "H100" in said
    assert "Traceback" not in said
    assert [r for r in stack.resources() if r.get("custom")] == []


def test_python_of_the_plugins_is_this_one(run_dir: Path) -> None:
    script = next((run_dir / "home" / "plugins").glob("resource-aws-*/pulumi-resource-aws"))
    assert sys.executable in script.read_text()
