"""Two regions through the real engine: both lakes stand, and a failover moves workloads to the other one.

Objects are not moved: moto replicates none, and the buckets' own policies refuse plain HTTP, which moto speaks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from localcloud.directories import PROJECT
from localcloud.engine import Stack
from tests.e2e.shared import Shared

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def stack(dev: Shared) -> Iterator[Stack]:
    values = yaml.safe_load((PROJECT / "Pulumi.dev.yaml").read_text())
    values["config"]["india-ai-infra:aws"] |= {"replica": {"region": "ap-south-2"}}
    values["config"]["india-ai-infra:aws"]["cluster"]["pools"] = []
    values["config"]["india-ai-infra:workloads"] = {}
    yield dev.brought_to(yaml.safe_dump(values))
    dev.end()


@pytest.fixture(scope="module")
def config(dev: Shared) -> Path:
    return dev.config


def s3(environment: dict[str, str], region: str) -> Any:
    session = boto3.Session("local", "local", region_name=region)
    return session.client("s3", endpoint_url=environment["INDIA_AI_INFRA_AWS_ENDPOINT"])


def region_of(bucket: str, environment: dict[str, str]) -> str:
    return s3(environment, "ap-south-1").get_bucket_location(Bucket=bucket)["LocationConstraint"]


def test_a_failover_gives_workloads_the_other_regions_data(
    stack: Stack, config: Path, environment: dict[str, str]
) -> None:
    assert stack.preview(policies=False).unchanged
    home = stack.outputs()["buckets"]
    assert {region_of(home[role], environment) for role in ("raw", "models")} == {"ap-south-1"}

    values = yaml.safe_load(config.read_text())
    values["config"]["india-ai-infra:aws"]["replica"]["failover"] = True
    config.write_text(yaml.safe_dump(values))
    assert not stack.up().failed
    away = stack.outputs()["buckets"]
    assert {region_of(away[role], environment) for role in ("raw", "models")} == {"ap-south-2"}
    assert away["audit"] == home["audit"]

    rules = s3(environment, "ap-south-1").get_bucket_replication(Bucket=home["models"])
    (rule,) = rules["ReplicationConfiguration"]["Rules"]
    assert rule["Destination"]["Bucket"] == f"arn:aws:s3:::{away['models']}"
    back = s3(environment, "ap-south-2").get_bucket_replication(Bucket=away["models"])
    assert (
        back["ReplicationConfiguration"]["Rules"][0]["Destination"]["Bucket"]
        == f"arn:aws:s3:::{home['models']}"
    )
