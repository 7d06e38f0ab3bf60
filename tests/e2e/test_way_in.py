"""A first `up` as docs/real-account.md has it, through the real engine: all but the cluster's objects, the tunnel, the
rest; and what stops where nobody is let in.

One story in order: each test takes the stack as the one before left it.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
import yaml

from infra.aws.jump_host import PROXY_URL, TUNNEL_PORT
from localcloud.directories import PROJECT
from localcloud.engine import Stack
from tests.e2e import socks
from tests.e2e.shared import Shared

pytestmark = pytest.mark.e2e

DOCS = PROJECT / "docs" / "real-account.md"


@pytest.fixture(scope="module")
def config(dev: Shared) -> Path:
    values = yaml.safe_load((PROJECT / "Pulumi.dev.yaml").read_text())
    values["config"]["india-ai-infra:aws"]["cluster"]["pools"] = []
    values["config"]["india-ai-infra:workloads"] = {}
    dev.config.write_text(yaml.safe_dump(values))
    return dev.config


@pytest.fixture(scope="module")
def stack(dev: Shared, config: Path) -> Stack:
    return dev.stack()


@pytest.fixture(scope="module")
def ec2(environment: dict[str, str]) -> Any:
    session = boto3.Session("local", "local", region_name="ap-south-1")
    return session.client("ec2", endpoint_url=environment["INDIA_AI_INFRA_AWS_ENDPOINT"])


def commands() -> list[str]:
    """The commands of the first `up`, as the page has them."""
    page = DOCS.read_text()
    section = page[page.index("## The first `up`") :]
    block = re.search(r"\n\n((?:    .+\n)+)", section)
    assert block, "the section has no commands"
    return [line.strip() for line in block[1].splitlines()]


def run(command: str, stack: Stack, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A command of the page, without the questions that a terminal is asked."""
    words = shlex.split(command)
    assert words[0] == "pulumi"
    asked = ["--yes", "--non-interactive"] if words[1] == "up" else []
    return subprocess.run(
        [*words, *asked], cwd=stack.folder, env=environment, capture_output=True, text=True, check=False
    )


def types(stack: Stack) -> list[str]:
    return [resource["type"] for resource in stack.resources()]


def test_the_page_has_three_commands() -> None:
    first, tunnel, rest = commands()
    assert first.startswith("pulumi up -s dev --exclude")
    assert tunnel == 'eval "$(pulumi stack output tunnel -s dev)"'
    assert rest == "pulumi up -s dev --policy-pack policies"


def test_the_first_makes_the_way_and_the_cluster_but_nothing_in_it(
    stack: Stack, environment: dict[str, str]
) -> None:
    done = run(commands()[0].replace(" --policy-pack policies", ""), stack, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    made = types(stack)
    for type_ in ("aws:ec2/instance:Instance", "aws:eks/cluster:Cluster", "aws:eks/nodeGroup:NodeGroup"):
        assert type_ in made
    assert [type_ for type_ in made if type_.startswith("kubernetes:")] == []


def test_the_tunnel_is_an_output_and_leads_to_the_jump_host(
    stack: Stack, environment: dict[str, str], ec2: Any
) -> None:
    asked = re.search(r"\$\((.+)\)", commands()[1])
    assert asked
    told = run(asked[1], stack, environment)
    assert told.returncode == 0, told.stderr
    (instance,) = {
        word.rpartition("@")[2] for word in shlex.split(told.stdout) if word.startswith("ec2-user@")
    }
    (reservation,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"]
    assert reservation["Instances"][0].get("PublicIpAddress") is None


def test_without_the_rule_the_update_stops_at_the_first_object(stack: Stack, ec2: Any) -> None:
    rules = [
        resource["id"]
        for resource in stack.resources()
        if resource["type"].endswith("SecurityGroupIngressRule")
        and resource["urn"].endswith("::cluster-api-jump-host")
    ]
    (before,) = ec2.describe_security_group_rules(SecurityGroupRuleIds=rules)["SecurityGroupRules"]
    ec2.revoke_security_group_ingress(GroupId=before["GroupId"], SecurityGroupRuleIds=rules)
    outcome = stack.up(policies=False)
    assert outcome.failed
    told = "\n".join(outcome.errors)
    assert "configured Kubernetes cluster is unreachable" in told
    assert "i/o timeout" in told
    objects = [resource for resource in stack.resources() if resource["type"].startswith("kubernetes:")]
    assert objects == []
    refreshed = stack.refresh()
    assert not refreshed.failed, refreshed.errors


def test_the_rest_comes_up(stack: Stack) -> None:
    outcome = stack.up()
    assert not outcome.failed, "\n".join(outcome.errors)
    assert any(type_.startswith("kubernetes:") for type_ in types(stack))
    assert stack.preview(policies=False).unchanged


TOKEN = """#!/bin/sh
echo '{"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential", "status": {"token": "nobody"}}'
"""


def test_client_go_goes_through_the_tunnel_that_the_kubeconfig_names(
    stack: Stack, environment: dict[str, str], tmp_path: Path
) -> None:
    """By kubectl, whose client Pulumi's provider has too; who it is, the API server may then refuse."""
    (provider,) = [r for r in stack.resources() if r["type"] == "pulumi:providers:kubernetes"]
    kubeconfig = json.loads(provider["inputs"]["kubeconfig"])
    (cluster,) = [each["cluster"] for each in kubeconfig["clusters"]]
    assert cluster["proxy-url"] == PROXY_URL
    aws = tmp_path / "aws"
    aws.write_text(TOKEN)
    aws.chmod(0o755)
    variables = {**environment, "PATH": f"{tmp_path}:{environment['PATH']}"}
    file = tmp_path / "kubeconfig.json"
    command = ["kubectl", f"--kubeconfig={file}", "get", "--raw", "/version", "--request-timeout=20s"]

    def ask(port: int) -> str:
        cluster["proxy-url"] = PROXY_URL.replace(str(TUNNEL_PORT), str(port))
        file.write_text(json.dumps(kubeconfig))
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=False).stderr

    with socks.proxy() as tunnel:
        told = ask(tunnel.port)
    server = urlsplit(cluster["server"])
    assert set(tunnel.asked) == {(server.hostname, server.port)}
    assert "Unauthorized" in told
    assert "was refused" in ask(tunnel.port), "nobody listens there any more, and there is no other way"


def test_who_is_not_listed_is_refused_in_the_preview(stack: Stack, config: Path) -> None:
    before = config.read_text()
    config.write_text(before.replace("role/india-ai-infra-deployer", "role/somebody-else"))
    try:
        outcome = stack.preview(policies=False)
    finally:
        config.write_text(before)
    assert outcome.failed
    told = "\n".join(outcome.errors)
    assert "arn:aws:iam::123456789012:role/india-ai-infra-deployer" in told
    assert "[role/somebody-else, role/india-ai-infra-deployer]" in told


def test_a_second_deployer_changes_nobodys_entry(stack: Stack, config: Path) -> None:
    before = config.read_text()
    config.write_text(
        before.replace(
            "- role/india-ai-infra-deployer", "- user/asha\n        - role/india-ai-infra-deployer"
        )
    )
    assert config.read_text() != before
    outcome = stack.preview(policies=False)
    config.write_text(before)
    assert not outcome.failed, outcome.errors
    assert outcome.changes.pop("same", 0)
    assert outcome.changes == {"create": 2}
