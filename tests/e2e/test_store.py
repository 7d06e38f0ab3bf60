"""The lake on premises on an S3 server that is nobody's mock: versitygw, over a folder of this machine.

It has no lifecycle, no key service and no public access block (its 1.8.0 answers NotImplemented), which the site says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import yaml
from botocore.exceptions import ClientError

from localcloud import cloud, processes
from localcloud.directories import PROJECT
from localcloud.engine import Stack
from localcloud.toolchain import install
from tests.infra.settings.site_on_premises import KEYS

pytestmark = pytest.mark.e2e

PROGRAM = """
import sys
sys.path.insert(0, {project!r})
import pulumi
from infra.contracts.governance import DataGovernance
from infra.on_premises.lake import Lake, LakeArgs, StoreArgs, store
from infra.settings.credentials import store_credentials

keys = store_credentials()
at = StoreArgs({endpoint!r}, "ap-south-1", keys.access_key, keys.secret_key)
lacks = ["encryption", "lifecycle", "public-access-block"]
lake = Lake(
    "lake",
    LakeArgs(DataGovernance("personal", "ml", "tests", 365), "site", None, lacks, protect=False),
    pulumi.ResourceOptions(provider=store("store", at)),
).lake
pulumi.export("buckets", {{role: bucket.name for role, bucket in lake.buckets.items()}})
"""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = install.folder_of("versitygw", lambda done, total, what: None) / "versitygw"
    folders = [tmp_path_factory.mktemp(name) for name in ("objects", "versions", "sidecar")]
    port = processes.free_port()
    objects, versions, sidecar = map(str, folders)
    command = [
        *(str(program), "--port", f"127.0.0.1:{port}", "--region", "ap-south-1", "--quiet"),
        *("--access", KEYS["onPremises:accessKey"], "--secret", KEYS["onPremises:secretKey"]),
        *("posix", "--versioning-dir", versions, "--sidecar", sidecar, objects),
    ]
    log = folders[0].parent / "versitygw.log"
    server = processes.start(command, log)
    processes.wait_until_listening(port, server, log)
    yield f"http://127.0.0.1:{port}"
    processes.stop(server)


@pytest.fixture(scope="module")
def stack(
    endpoint: str, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("program")
    (folder / "Pulumi.yaml").write_text("name: lake\nruntime: python\n")
    (folder / "__main__.py").write_text(PROGRAM.format(project=str(PROJECT), endpoint=endpoint))
    (folder / "Pulumi.lake.yaml").write_text(yaml.safe_dump({"config": KEYS}))
    made = Stack("lake", cloud.environment(environment["INDIA_AI_INFRA_AWS_ENDPOINT"]), folder)
    outcome = made.up(policies=False)
    assert not outcome.failed, "\n".join(outcome.errors)
    yield made
    destroyed = made.destroy()
    assert not destroyed.failed, "\n".join(destroyed.errors)
    assert client(endpoint).list_buckets()["Buckets"] == []


def client(endpoint: str, secret: str = KEYS["onPremises:secretKey"]) -> Any:
    session = boto3.Session(KEYS["onPremises:accessKey"], secret, region_name="ap-south-1")
    return session.client("s3", endpoint_url=endpoint)


def test_objects_are_kept_in_versions(stack: Stack, endpoint: str) -> None:
    s3, bucket = client(endpoint), stack.outputs()["buckets"]["checkpoints"]
    for body in (b"one", b"two"):
        s3.put_object(Bucket=bucket, Key="jobs/train/step-1", Body=body)
    assert s3.get_object(Bucket=bucket, Key="jobs/train/step-1")["Body"].read() == b"two"
    versions = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert len(versions) == 2


def test_audit_logs_can_not_be_erased(stack: Stack, endpoint: str) -> None:
    s3, bucket = client(endpoint), stack.outputs()["buckets"]["audit"]
    version = s3.put_object(Bucket=bucket, Key="log", Body=b"who read what")["VersionId"]
    with pytest.raises(ClientError, match=r"AccessDenied|ObjectLocked|protected"):
        s3.delete_object(Bucket=bucket, Key="log", VersionId=version)


def test_the_servers_keys_are_asked_for(stack: Stack, endpoint: str) -> None:
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client(endpoint, "wrong").list_buckets()


def test_a_preview_and_a_refresh_find_no_change(stack: Stack) -> None:
    assert stack.preview(policies=False).unchanged
    refreshed = stack.refresh()
    assert not refreshed.failed, refreshed.errors
    assert set(refreshed.changes) <= {"same"}, refreshed.changes
