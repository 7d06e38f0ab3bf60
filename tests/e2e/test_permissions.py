"""Pods' clients on the local cloud run as their own role: the policies are those that the engine left in the account.

Roles, buckets and keys are made by the real engine and read back from moto; STS gives the credentials. Objects are kept
by a second moto, for moto's own reading of a bucket's policy passes over conditions and refuses everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from localcloud import cloud
from localcloud.directories import PROJECT
from localcloud.engine import Stack
from localcloud.permissions import moto_account, pod_identity
from localcloud.permissions.pod_identity import NoAssociationError, NotTrustedError, PodIdentity
from localcloud.permissions.s3_gate import S3Gate
from tests.localcloud.permissions import clients

pytestmark = pytest.mark.e2e
pytest.importorskip("torch")

SCENARIOS = PROJECT / "tests" / "localcloud" / "permissions" / "scenarios"
REGION, CLUSTER = "ap-south-1", "pods"
PROGRAM = """
import sys
sys.path.insert(0, {project!r})
import pulumi
import pulumi_aws as aws
from infra.aws.access import Access, AccessArgs
from infra.aws.iam import Account
from infra.aws.keys import Keys, KeysArgs
from infra.aws.lake import Lake, LakeArgs, audit_bucket
from infra.contracts.governance import DataGovernance
from workloads.registry import WORKLOADS

NEEDS = [each.needs for each in WORKLOADS]
provider = aws.Provider("aws", region="{region}")
opts = pulumi.ResourceOptions(provider=provider)
account = Account.current("{region}", pulumi.InvokeOptions(provider=provider))
governance = DataGovernance("internal", "ml", "tests", 90)
keys = Keys("keys", KeysArgs(account, governance, "pods", "pods", False, audit_bucket("lake"), ["lake", "logs"]), opts)
lake = Lake("lake", LakeArgs(account, governance, keys.lake, keys.logs, "pods", protect=False), opts)
access = Access("access", AccessArgs(account, lake.lake, lake.access_logs, "{cluster}", workloads=NEEDS), opts)
pulumi.export("buckets", {{role: bucket.name for role, bucket in lake.lake.buckets.items()}})
pulumi.export("roles", access.workload_roles)
"""


@dataclass(frozen=True)
class Pods:
    """The pods of a cluster that stands for one: their identities, their store and the lake's buckets."""

    identity: PodIdentity
    gate: S3Gate
    buckets: dict[str, str]


@pytest.fixture(scope="module")
def outputs(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("program")
    (folder / "Pulumi.yaml").write_text("name: pods\nruntime: python\n")
    text = PROGRAM.format(project=str(PROJECT), region=REGION, cluster=CLUSTER)
    (folder / "__main__.py").write_text(text)
    (folder / "Pulumi.pods.yaml").write_text("config: {}\n")
    made = Stack("pods", cloud.environment(environment["INDIA_AI_INFRA_AWS_ENDPOINT"]), folder)
    outcome = made.up(policies=False)
    assert not outcome.failed, "\n".join(outcome.errors)
    yield made.outputs()
    destroyed = made.destroy()
    assert not destroyed.failed, "\n".join(destroyed.errors)


@pytest.fixture(scope="module")
def pods(outputs: dict[str, Any], environment: dict[str, str]) -> Iterator[Pods]:
    aws = environment["INDIA_AI_INFRA_AWS_ENDPOINT"]
    session = boto3.Session("local", "local", region_name=REGION)
    account_id = session.client("sts", endpoint_url=aws).get_caller_identity()["Account"]
    account = moto_account.read(lambda service: session.client(service, endpoint_url=aws), account_id, REGION)
    roles = {
        f"{workload}/{workload}": account.roles[arn.rpartition("/")[2]]
        for workload, arn in outputs["roles"].items()
    }
    cluster = f"arn:aws:eks:{REGION}:{account_id}:cluster/{CLUSTER}"
    identity = PodIdentity(account, cluster, roles, aws, REGION)
    objects = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    objects.start()
    host, port = objects.get_host_and_port()
    try:
        s3 = session.client("s3", endpoint_url=f"http://{host}:{port}")
        for name in account.buckets:
            s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield Pods(identity, S3Gate(account, identity.role_of, f"{host}:{port}"), outputs["buckets"])
    finally:
        objects.stop()


def run(pods: Pods, program: str, service_account: str, uri: str, folder: Path) -> None:
    with pods.gate.serve() as store, pods.identity.agent() as agent:
        environment = {
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": store.url,
            "HOME": str(folder),
            **pod_identity.environment(agent, service_account, folder),
        }
        clients.run(SCENARIOS / program, [uri], environment, "training")


def test_training_saves_and_resumes_as_its_own_role(pods: Pods, tmp_path: Path) -> None:
    run(
        pods,
        "save_and_resume.py",
        "training/training",
        f"s3://{pods.buckets['checkpoints']}/jobs/t",
        tmp_path,
    )
    assert {seen.status for seen in pods.gate.seen} <= {200, 206, 204, 404}
    assert not pods.gate.unknown


@pytest.mark.parametrize(
    ("service_account", "bucket", "prefix"),
    [("training/training", "raw", "jobs/t"), ("proof/proof", "checkpoints", "jobs/t")],
)
def test_another_part_of_the_lake_is_refused(
    pods: Pods, service_account: str, bucket: str, prefix: str, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match=r"Access ?Denied|Forbidden"):
        run(pods, "save_and_resume.py", service_account, f"s3://{pods.buckets[bucket]}/{prefix}", tmp_path)


def test_a_service_account_without_a_role_gets_no_credentials(pods: Pods) -> None:
    with pytest.raises(NoAssociationError, match="default/default"):
        pods.identity.credentials("default/default")


def test_a_role_is_not_given_to_another_service_account(
    pods: Pods, outputs: dict[str, Any], environment: dict[str, str]
) -> None:
    """An association that somebody made in the account: the role's trust says which pods it is for."""
    account = pods.gate.account
    role = account.roles[outputs["roles"]["training"].rpartition("/")[2]]
    cluster = f"arn:aws:eks:{REGION}:{account.id}:cluster/{CLUSTER}"
    aws = environment["INDIA_AI_INFRA_AWS_ENDPOINT"]
    somebody = PodIdentity(account, cluster, {"default/default": role}, aws, REGION)
    with pytest.raises(NotTrustedError, match="no statement of the trust policy allows it"):
        somebody.credentials("default/default")
