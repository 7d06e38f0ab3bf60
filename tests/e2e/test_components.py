"""The examples, command by command as their pages have them, on a clone of the last commit: the wheel, the component
provider and the pack in programs that are not ours.

`pulumi-language-nodejs`, which nobody publishes as a Go module, is a launcher of the tests' own; the engine, the SDKs,
`pulumi-language-yaml` and the programs are real.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from infra.contracts.governance import AUDIT, DATA
from localcloud import directories as paths
from localcloud.deployer import ROLE
from localcloud.directories import PROJECT
from localcloud.toolchain import install

pytestmark = pytest.mark.e2e

LAUNCHER = '#!/bin/sh\nexec "{python}" "{host}" "$@"\n'
ZONES = ("aps1-az1", "aps1-az2", "aps1-az3")


@pytest.fixture(scope="module")
def env(environment: dict[str, str]) -> dict[str, str]:
    """A shell whose engine also runs YAML and TypeScript."""
    made = install.folder_of("yaml", lambda done, total, what: None) / "pulumi-language-yaml"
    (paths.bin_dir() / made.name).symlink_to(made)
    node = paths.bin_dir() / "pulumi-language-nodejs"
    host = Path(__file__).parent / "projects" / "language_host_node.py"
    node.write_text(LAUNCHER.format(python=sys.executable, host=host))
    node.chmod(0o755)
    # npm's newest SDK for AWS is older than PyPI's, and its programs ask for a plugin of its own version.
    sdk = json.loads((PROJECT / "examples" / "policies-typescript" / "package.json").read_text())
    number = sdk["dependencies"]["@pulumi/aws"]
    plugins = paths.run_dir() / "home" / "plugins"
    shutil.copytree(plugins / f"resource-aws-v{version('pulumi-aws')}", plugins / f"resource-aws-v{number}")
    bare = {name: value for name, value in environment.items() if not name.startswith("INDIA_DPDP_")}
    roles = {"DEPLOYER": f"role/{ROLE}", "DEPLOYERS": json.dumps([f"role/{ROLE}"])}
    return {**bare, **roles, "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true"}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stranger") / "india-ai-infra"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", f"file://{PROJECT}", folder], check=True)
    # Of each environment that the pages make: what the wheel depends on is there, as far as it is here.
    for home in ("examples/lake/venv", "examples/gpu-cluster/venv", "components/venv"):
        venv.create(folder / home, with_pip=True)
        packages = next((folder / home).glob("lib/python*/site-packages"))
        (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    # What a stranger's project is likely to have. It must not stand in for ours, nor ours for it.
    for example in ("lake", "gpu-cluster"):
        (folder / "examples" / example / "infra").mkdir()
        (folder / "examples" / example / "infra" / "__init__.py").write_text(
            "raise SystemExit('not yours')\n"
        )
    return folder


@pytest.fixture(scope="module")
def vpc(environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """A VPC as another team would keep it: a private subnet in each zone, behind NAT."""
    session = boto3.Session("local", "local", region_name="ap-south-1")
    ec2: Any = session.resource("ec2", endpoint_url=environment["INDIA_AI_INFRA_AWS_ENDPOINT"])
    made = ec2.create_vpc(CidrBlock="10.40.0.0/16")
    made.modify_attribute(EnableDnsHostnames={"Value": True})
    outside = ec2.create_internet_gateway()
    made.attach_internet_gateway(InternetGatewayId=outside.id)
    subnets = [
        made.create_subnet(CidrBlock=f"10.40.{64 * number}.0/18", AvailabilityZoneId=zone)
        for number, zone in enumerate(ZONES)
    ]
    public = made.create_subnet(CidrBlock="10.40.192.0/24", AvailabilityZoneId=ZONES[0])
    address = ec2.meta.client.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.meta.client.create_nat_gateway(SubnetId=public.id, AllocationId=address)["NatGateway"]
    table = made.create_route_table()
    table.create_route(DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat["NatGatewayId"])
    for subnet in subnets:
        table.associate_with_subnet(SubnetId=subnet.id)
        subnet.create_tags(Tags=[{"Key": "karpenter.sh/discovery", "Value": "train-dev"}])
    yield {"VPC": made.id, "SUBNETS": json.dumps([subnet.id for subnet in subnets])}


def run(command: str, folder: Path, env: Mapping[str, str], fails: bool = False) -> str:
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=dict(env), capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert (done.returncode != 0) == fails, f"{command}\n{said}"
    return said


def commands(folder: Path) -> list[str]:
    """Every indented line of the example's page."""
    page = (folder / "README.md").read_text()
    return [line.strip() for line in page.splitlines() if line.startswith("    ")]


def outputs(folder: Path, env: Mapping[str, str]) -> dict[str, Any]:
    return json.loads(run("pulumi stack output --json", folder, env))


def test_a_lake_alone(clone: Path, env: dict[str, str]) -> None:
    folder = clone / "examples" / "lake"
    for command in commands(folder):
        run(command, folder, env)
    uris = outputs(folder, env)["uris"]
    assert set(uris) == {*DATA, AUDIT}
    s3 = boto3.Session("local", "local", region_name="ap-south-1").client(
        "s3", endpoint_url=env["INDIA_AI_INFRA_AWS_ENDPOINT"]
    )
    rule = s3.get_bucket_encryption(Bucket=uris["raw"].removeprefix("s3://"))
    (given,) = rule["ServerSideEncryptionConfiguration"]["Rules"]
    assert given["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert "unchanged" in run("pulumi preview --expect-no-changes", folder, env)
    # As the page says: a destroy stops at what is protected.
    assert "protected" in run("pulumi destroy --yes", folder, env, fails=True)
    program = folder / "__main__.py"
    before = program.read_text()
    program.write_text(before.replace("retention_days=90", "retention_days=90, protect_data=False"))
    assert program.read_text() != before
    run("pulumi up --yes --skip-preview && pulumi destroy --yes --skip-preview", folder, env)
    program.write_text(before)


def test_a_wrong_argument_is_one_message(clone: Path, env: dict[str, str]) -> None:
    folder = clone / "examples" / "lake"
    program = folder / "__main__.py"
    before = program.read_text()
    program.write_text(before.replace('"ap-south-1"', '"us-east-1"'))
    said = run("pulumi preview", folder, env, fails=True)
    program.write_text(before)
    assert "Lake crawl: 1 argument is wrong:\n      region: us-east-1" in said
    assert "Traceback" not in said


def test_a_gpu_cluster_in_a_network_that_exists(
    clone: Path, env: dict[str, str], vpc: dict[str, str]
) -> None:
    folder = clone / "examples" / "gpu-cluster"
    *until, destroy = commands(folder)
    for command in until:
        run(command, folder, env | vpc)
    assert outputs(folder, env)["cluster"] == "train-dev"
    made = json.loads(run("pulumi stack export", folder, env))["deployment"]["resources"]
    types = [each["type"] for each in made]
    assert "aws:ec2/vpc:Vpc" not in types and "aws:ec2/subnet:Subnet" not in types
    (pool,) = (
        each
        for each in made
        if each["type"] == "kubernetes:karpenter.sh/v1:NodePool" and each["urn"].endswith("train-pools-train")
    )
    assert pool["outputs"]["metadata"]["name"] == "train"
    assert destroy == "pulumi destroy --yes"
    run(destroy, folder, env)


def test_a_program_in_yaml(clone: Path, env: dict[str, str]) -> None:
    folder = clone / "examples" / "yaml"
    *until, schema, destroy = commands(folder)
    for command in until:
        run(command, folder, env)
    told = json.loads(run(f"{schema} 2>/dev/null", folder, env))
    assert set(told["resources"]) == {"india-ai-infra:index:Lake", "india-ai-infra:index:GpuCluster"}
    assert yaml.safe_load((folder / "Pulumi.yaml").read_text())["packages"]
    found = outputs(folder, env)
    assert found["raw"].startswith("s3://crawl-raw-") and found["cluster"] == "train-dev"
    assert found["tunnel"]
    run(destroy, folder, env)


def test_a_wrong_argument_in_yaml_is_one_message(clone: Path, env: dict[str, str]) -> None:
    folder = clone / "examples" / "yaml"
    program = folder / "Pulumi.yaml"
    before = program.read_text()
    program.write_text(before.replace("gpu: L4,", "gpu: L5,"))
    said = run("pulumi preview", folder, env, fails=True)
    program.write_text(before)
    assert "pools[0].gpu: L5" in said and "nearest: L4" in said
    assert "Traceback" not in said and "checked.py" not in said


def test_policies_on_a_typescript_project(clone: Path, env: dict[str, str]) -> None:
    folder = clone / "examples" / "policies-typescript"
    *before, preview = commands(folder)
    for command in before:
        run(command, folder, env)
    said = run(preview, folder, env, fails=True)
    for control in ("dpdp-res-02", "dpdp-log-03", "dpdp-enc-01"):
        assert control in said, said
    run("pulumi stack rm --yes dev", folder, env)
    shutil.rmtree(folder / "node_modules")
