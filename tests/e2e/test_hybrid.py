"""A site on premises through the real engine: its nodes join, a job runs on them, and its lake is on its own server.

The site's store is a second moto, in a process of the test; nothing goes through the VPN.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer

from commands import doctor
from localcloud import cloud
from localcloud.directories import PROJECT
from localcloud.engine import Stack
from localcloud.kubernetes import clusters
from tests.infra.settings.site_on_premises import KEYS, on_premises

pytestmark = pytest.mark.e2e

# A store on premises knows no identity of a cloud: its keys end only when somebody ends them, and ACC-04 says so.
STATIC_KEYS = {
    "control": "DPDP-ACC-04",
    "urn": "urn:pulumi:dev::*-on-premises-store",
    "reason": "the store on premises takes no identity of a pod",
    "owner": "ml-platform",
    "approver": "privacy-office",
    "ticket": "TEST-1",
    "expires": (date.today() + timedelta(days=30)).isoformat(),
}


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """The site's object store: an S3 server that is not the local cloud's."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def stack(environment: dict[str, str], store: str, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    values = yaml.safe_load((PROJECT / "Pulumi.dev.yaml").read_text())
    config = values["config"]
    config["india-ai-infra:budget"] = {"monthlyInr": 500000}
    config["india-ai-infra:aws"]["cluster"]["pools"] = []
    config["india-ai-infra:onPremises"] = on_premises(store={"endpoint": store, "key": "lake"})
    config["india-ai-infra:workloads"] = {
        "training": {"pool": "hall", "image": "{registry}/own/training:1", "nodes": 2, "gpusPerNode": 8}
    }
    file = tmp_path_factory.mktemp("config") / "Pulumi.dev.yaml"
    file.write_text(yaml.safe_dump({"config": {**config, **KEYS}}))
    exempt = file.with_name("dpdp-exemptions.yaml")
    exempt.write_text(yaml.safe_dump([STATIC_KEYS]))
    env = cloud.environment(environment["INDIA_AI_INFRA_AWS_ENDPOINT"])
    return Stack("dev", {**env, "INDIA_DPDP_EXEMPTIONS": str(exempt)}, config_file=file)


@pytest.fixture(scope="module", autouse=True)
def stand(stack: Stack) -> Iterator[None]:
    outcome = stack.up()
    try:
        assert not outcome.failed, "\n".join(outcome.errors)
        assert [p.message for p in outcome.policies if p.enforcement_level == "mandatory"] == []
        yield
    finally:
        stack.destroy()


def s3(endpoint: str) -> Any:
    session = boto3.Session(*KEYS.values(), region_name="ap-south-1")
    return session.client("s3", endpoint_url=endpoint)


def test_a_job_runs_on_the_sites_nodes() -> None:
    (name,) = clusters.recorded()
    found = clusters.named(name)
    assert found
    nodes = {node["metadata"]["name"]: node for node in found.api().list("v1", "Node")}
    hall = {
        name for name, node in nodes.items() if node["metadata"]["labels"]["india-ai-infra/pool"] == "hall"
    }
    for node in (nodes[name] for name in hall):
        assert node["metadata"]["labels"]["eks.amazonaws.com/compute-type"] == "hybrid"
        assert {taint["key"] for taint in node["spec"]["taints"]} == {"nvidia.com/gpu"}
    pods = found.api().list("v1", "Pod", "training")
    assert [pod["status"]["phase"] for pod in pods] == ["Running", "Running"]
    assert {pod["spec"]["nodeName"] for pod in pods} == hall


def test_what_is_written_on_premises_stays_there(
    stack: Stack, store: str, environment: dict[str, str]
) -> None:
    here = stack.outputs()["onPremisesBuckets"]
    s3(store).put_object(Bucket=here["checkpoints"], Key="jobs/train/step-1", Body=b"weights")
    read = s3(store).get_object(Bucket=here["checkpoints"], Key="jobs/train/step-1")
    assert read["Body"].read() == b"weights"
    at_aws = s3(environment["INDIA_AI_INFRA_AWS_ENDPOINT"]).list_buckets()["Buckets"]
    assert not {bucket["Name"] for bucket in at_aws} & set(here.values())
    lock = s3(store).get_object_lock_configuration(Bucket=here["audit"])["ObjectLockConfiguration"]
    retention = lock["Rule"]["DefaultRetention"]
    assert (retention["Mode"], retention["Days"]) == ("GOVERNANCE", 365)


def test_the_join_config_names_the_cluster_that_stands(stack: Stack) -> None:
    config = yaml.safe_load(stack.outputs()["nodeConfigs"]["hall"])
    assert config["spec"]["cluster"] == {"name": clusters.recorded()[0], "region": "ap-south-1"}


def test_a_preview_without_a_change_finds_none(stack: Stack) -> None:
    outcome = stack.preview()
    assert outcome.unchanged, (outcome.changes, outcome.errors)
    refreshed = stack.refresh()
    assert not refreshed.failed, refreshed.errors
    assert set(refreshed.changes) <= {"same"}, refreshed.changes


def test_a_node_more_is_a_change_of_the_site_alone(stack: Stack) -> None:
    values = yaml.safe_load(stack.config_file.read_text())
    values["config"]["india-ai-infra:onPremises"]["pools"][0]["nodes"] = 3
    stack.config_file.write_text(yaml.safe_dump(values))
    outcome = stack.up()
    assert not outcome.failed, outcome.errors
    found = clusters.named(clusters.recorded()[0])
    assert found
    nodes = found.api().list("v1", "Node", labelSelector="india-ai-infra/pool=hall")
    assert len(nodes) == 3


def test_destroy_leaves_nothing(stack: Stack, store: str) -> None:
    outcome = stack.destroy()
    assert not outcome.failed, "\n".join(outcome.errors)
    assert [r for r in stack.resources() if r.get("custom")] == []
    assert clusters.recorded() == []
    assert s3(store).list_buckets()["Buckets"] == []
    assert list(doctor.leftovers("dev")) == []
