"""What every pod of a workload has alike: which region, and so which hosts, the clouds' own SDKs speak to."""

from __future__ import annotations

import os
from unittest.mock import patch

import botocore.session
import pytest

from infra.aws.pod_environment import lake_environment, store_environment
from tests.infra.platform.gpu_cluster import SERVE, TRAIN, gpu_cluster
from workloads.proof.component import FabricProof, FabricProofArgs, LakeProof, LakeProofArgs
from workloads.serving.component import ModelServer
from workloads.serving.pod import ModelServerArgs
from workloads.training.component import TrainingJob
from workloads.training.pod import TrainingJobArgs

STORE = "https://store.example.in:7070"


def everything(cloud: str, region: str) -> None:
    """One of each workload."""
    cluster = gpu_cluster(SERVE, TRAIN, cloud=cloud, region=region)
    LakeProof("lake", LakeProofArgs(cluster, "proof:1", "s3://lake/proof", "key"))
    FabricProof("nccl", FabricProofArgs(cluster, "train", "proof:1", "dcgm:1"))
    ModelServer("chat", ModelServerArgs(cluster, "serve", "Qwen/Qwen3-8B", weights="s3://lake/released/m"))
    TrainingJob("train", TrainingJobArgs(cluster, "train", 1, 8, "training:1", "{}", "s3://lake/jobs/train"))


def environments(made) -> dict[str, dict[str, str]]:
    """The environment of each workload's container, by the container's name; DCGM speaks to no cloud."""
    found = {}
    for resource in made.resources:
        template = resource.inputs.get("spec", {}).get("template") or {}
        for container in (template.get("spec") or {}).get("containers", []):
            found[container["name"]] = {v["name"]: v.get("value", "") for v in container.get("env", [])}
    del found["dcgm"]
    return found


def s3_endpoint(environment: dict[str, str]) -> str:
    """Where botocore, and all that is built on it, sends S3's calls under exactly this environment."""
    with patch.dict(os.environ, {**environment, "AWS_CONFIG_FILE": "/dev/null"}, clear=True):
        return botocore.session.Session().create_client("s3").meta.endpoint_url


@pytest.mark.parametrize("region", ["ap-south-1", "ap-south-2"])
def test_clients_of_s3_speak_to_the_stacks_region(deploy, region):
    found = environments(deploy(lambda: everything("aws", region)))
    assert set(found) == {"lake", "nccl", "vllm", "trainer"}
    for container, environment in found.items():
        assert s3_endpoint(environment) == f"https://s3.{region}.amazonaws.com", container


def test_on_google_no_sdk_is_sent_to_a_region_of_aws(deploy):
    found = environments(deploy(lambda: everything("gcp", "asia-south1")))
    for container, environment in found.items():
        assert not [name for name in environment if name.startswith("AWS_")], container
        assert environment["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] == "false", container


def test_a_store_on_premises_is_in_its_own_region():
    given = {**lake_environment("ap-south-1"), **store_environment(STORE, "in-chennai-1")}
    assert s3_endpoint(given) == STORE
    assert given["AWS_DEFAULT_REGION"] == "in-chennai-1"
