"""A job in an object store, with a grant for its own prefix alone."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import requests
from gcp_storage_emulator.server import create_server

from localcloud.processes import free_port
from tests.workloads.moto_server import moto
from tests.workloads.training.trainer.conftest import Ended, Ranks

pytestmark = pytest.mark.slow

OBJECTS = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]


@pytest.fixture
def lake() -> Iterator[dict[str, str]]:
    """The environment of an identity that may touch s3://lake/jobs/own alone, and list its bucket: moto enforces it."""
    with moto() as endpoint:
        yield _lake(endpoint)
        requests.post(f"{endpoint}/moto-api/reset-auth", data="inf", timeout=10)


def _lake(endpoint: str) -> dict[str, str]:
    clients: dict[str, Any] = {
        name: boto3.client(
            name,
            endpoint_url=endpoint,
            region_name="ap-south-1",
            aws_access_key_id="root",
            aws_secret_access_key="root",
        )
        for name in ("s3", "iam")
    }
    clients["s3"].create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": "ap-south-1"})
    for key in ("tokens/index.json", "models/m/config.json"):
        clients["s3"].put_object(Bucket="lake", Key=key, Body=b"{}")
    clients["iam"].create_user(UserName="job")
    statements = [
        {"Effect": "Allow", "Action": OBJECTS, "Resource": "arn:aws:s3:::lake/jobs/own/*"},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::lake"},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    clients["iam"].put_user_policy(UserName="job", PolicyName="own", PolicyDocument=document)
    key = clients["iam"].create_access_key(UserName="job")["AccessKey"]
    requests.post(f"{endpoint}/moto-api/reset-auth", data="0", timeout=10)
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "ap-south-1",
        "AWS_DEFAULT_REGION": "ap-south-1",
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }


@pytest.fixture
def google_lake() -> Iterator[dict[str, str]]:
    """The environment of a job whose Cloud Storage is an emulator on loopback, with the bucket gs://lake."""
    port = free_port()
    server = create_server("127.0.0.1", port, in_memory=True, default_bucket="lake")
    server.start()
    yield {
        "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}",
        "FSSPEC_GCS_TOKEN": "anon",
        # As in a pod: gcsfs would ask over gRPC of what kind the bucket is.
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
    }
    server.stop()


def test_a_job_in_cloud_storage_goes_on_from_its_checkpoint(
    ranks: Ranks, whole: Ended, google_lake: dict[str, str]
) -> None:
    running = ranks.start("gs://lake/jobs/own", 1, env=google_lake)
    running.wait_for("\nstep=2/")
    running.kill(0, signal.SIGTERM)
    first = running.end()
    assert first.codes == [75], first.output
    last = ranks.train("gs://lake/jobs/own", 1, env=google_lake)
    assert last.events("resumed") == first.events("stopped")
    assert first.losses | last.losses == pytest.approx(whole.losses, abs=2e-5)


def test_a_job_needs_no_more_than_its_prefix_and_is_refused_elsewhere(
    ranks: Ranks, whole: Ended, lake: dict[str, str]
) -> None:
    first = ranks.train("s3://lake/jobs/own", 2, env=lake, steps=12)
    assert first.losses == pytest.approx(whole.losses, abs=2e-5)
    again = ranks.train("s3://lake/jobs/own", 1, env=lake)
    assert again.events("resumed") == [12]
    own, data, model = "s3://lake/jobs/own", "s3://lake/tokens", "s3://lake/models/m"
    for checkpoints, changes, elsewhere in [
        ("s3://lake/jobs/other", {}, "s3://lake/jobs/other"),
        (own, {"data": {"uri": data}}, data),
        (own, {"model": {"name": model}}, model),
    ]:
        denied = ranks.run(checkpoints, 2, env=lake, **changes)
        assert denied.codes == [64, 64], denied.output
        assert f"error: {elsewhere} denies access" in denied.output
