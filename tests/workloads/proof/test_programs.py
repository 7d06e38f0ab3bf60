"""The proof programs as their pods run them: torchrun with two gloo ranks on the CPU, and a lake that is moto's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tests.workloads.moto_server import moto

pytestmark = pytest.mark.slow

PROGRAMS = Path(__file__).parents[3] / "workloads" / "proof"
SECONDS = 120
PASSED, BELOW_FLOOR = 0, 1


def nccl(floor: float, *arguments: str) -> tuple[int, list[dict], str]:
    pytest.importorskip("torch")
    sizes = ["--smallest-mib=1", "--largest-mib=4", "--warmup=1", "--repeat=2"]
    command = [
        "torchrun",
        "--standalone",
        "--nproc-per-node=2",
        "nccl.py",
        f"--floor-gbs={floor}",
        *sizes,
        *arguments,
    ]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONWARNINGS": "ignore",
    }
    return run([str(Path(sys.executable).with_name("torchrun")), *command[1:]], environment)


def run(command: list[str], environment: dict[str, str]) -> tuple[int, list[dict], str]:
    done = subprocess.run(
        command, cwd=PROGRAMS, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_a_fabric_above_its_floor_passes_and_its_result_is_kept(tmp_path: Path):
    code, (result, kept), errors = nccl(0.001, f"--evidence-uri={tmp_path}", "--label=unit")
    assert code == PASSED, errors
    assert result["passed"] and result["sums_right"]
    assert (result["ranks"], result["nodes"], result["device"]) == (2, 1, "cpu")
    assert [row["bytes"] >> 20 for row in result["sizes"]] == [1, 4]
    for row in result["sizes"]:  # with two ranks, 2(n−1)/n is 1
        assert row["busbw_gbs"] == pytest.approx(row["algbw_gbs"], abs=0.002)
        assert row["algbw_gbs"] == pytest.approx(row["bytes"] / row["seconds"] / 1e9, abs=0.002)
    assert json.loads(Path(kept["at"]).read_text()) == result


def test_a_fabric_under_its_floor_fails(tmp_path: Path):
    code, (result,), errors = nccl(10_000)
    assert code == BELOW_FLOOR, errors
    assert not result["passed"] and result["sums_right"]
    assert result["floor_gbs"] == 10_000


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto() as address:
        yield address


@pytest.fixture
def environment(endpoint: str) -> dict[str, str]:
    own = {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "ap-south-1", "AWS_DEFAULT_REGION": "ap-south-1"}
    return {**os.environ, **own, "AWS_ACCESS_KEY_ID": "unit", "AWS_SECRET_ACCESS_KEY": "unit"}


@pytest.fixture
def lake(endpoint: str, request: pytest.FixtureRequest) -> tuple[str, str]:
    """A bucket under a key, whose policy denies jobs/; and one for evidence."""
    keys = {"region_name": "ap-south-1", "aws_access_key_id": "unit", "aws_secret_access_key": "unit"}
    s3, kms = (boto3.client(service, endpoint_url=endpoint, **keys) for service in ("s3", "kms"))
    key = kms.create_key()["KeyMetadata"]["Arn"]
    name = f"lake-{request.node.name}".replace("_", "-")[:60].strip("-")
    for bucket in (name, f"{name[:50]}-audit"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "ap-south-1"})
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    denied = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": f"arn:aws:s3:::{name}/jobs/*",
    }
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [denied]}))
    return name, key


def prove(environment: dict[str, str], bucket: str, key: str, *more: str) -> tuple[int, list[dict], str]:
    command = [sys.executable, "lake.py", f"--uri=s3://{bucket}/proof", f"--key={key}", *more]
    return run(command, environment)


def failed(result: dict) -> list[str]:
    return [check["name"] for check in result["checks"] if not check["passed"]]


def test_a_lake_that_allows_and_refuses_as_it_must(lake: tuple[str, str], environment: dict[str, str]):
    bucket, key = lake
    evidence = f"s3://{bucket[:50]}-audit/evidence"
    code, (result, kept), errors = prove(
        environment, bucket, key, f"--refused-uri=s3://{bucket}/jobs", f"--evidence-uri={evidence}"
    )
    assert code == PASSED, (errors, result)
    assert [check["name"] for check in result["checks"]] == [
        "put",
        "read back",
        "under the customer's key",
        "delete",
        "gone",
        f"put refused in {bucket}/jobs",
        f"get refused in {bucket}/jobs",
    ]
    assert kept["at"].startswith(f"{evidence}/lake-")


def test_another_key_fails(lake: tuple[str, str], environment: dict[str, str]):
    code, (result,), _ = prove(environment, lake[0], "arn:aws:kms:ap-south-1:1:key/other")
    assert code == 1
    assert failed(result) == ["under the customer's key"]


def test_a_place_that_should_refuse_and_does_not_fails_and_is_cleaned(
    lake: tuple[str, str], environment: dict[str, str], endpoint: str
):
    bucket, key = lake
    code, (result,), _ = prove(environment, bucket, key, f"--refused-uri=s3://{bucket}/open")
    assert code == 1
    assert failed(result) == [f"put refused in {bucket}/open", f"get refused in {bucket}/open"]
    keys = {"region_name": "ap-south-1", "aws_access_key_id": "unit", "aws_secret_access_key": "unit"}
    assert "Contents" not in boto3.client("s3", endpoint_url=endpoint, **keys).list_objects_v2(Bucket=bucket)


def test_a_place_that_should_allow_and_refuses_fails(lake: tuple[str, str], environment: dict[str, str]):
    bucket, key = lake
    command = [sys.executable, "lake.py", f"--uri=s3://{bucket}/jobs", f"--key={key}"]
    code, (result,), _ = run(command, environment)
    assert code == 1
    assert failed(result) == ["put"]
