"""Day two: each setting is changed on a stack that is up, through the real engine.

One story in order: what is refused, what changes in place after a refusal, a new shape, in which the settings of
before are changed back, and the end. Settings that do not meet are changed at once: an update of a hundred settings
takes no longer than that of one. After each update the preview and the refresh find nothing, and nothing is left
behind. What a property of a single type does when it changes is in tests/localcloud/providers/aws/test_changes.py.
"""

from __future__ import annotations

import copy
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from pydantic import BaseModel

from commands import doctor
from infra.contracts.labels import POOL_LABEL
from infra.settings.pools import SYSTEM_POOL
from infra.settings.stack import Settings
from localcloud import deployer
from localcloud.directories import PROJECT
from localcloud.engine import Outcome, Stack
from localcloud.kubernetes import clusters
from localcloud.kubernetes.api import Api, Object
from tests.e2e.shared import Shared
from tests.e2e.waiting import wait

pytestmark = pytest.mark.e2e

PREFIX = "india-ai-infra:"
CLUSTER = "india-ai-infra-local"
ROLE = "arn:aws:iam::123456789012:role"
SECRET = "arn:aws:secretsmanager:ap-south-1:123456789012:secret:ecr-pullthroughcache"

# Changed where they stand: no resource is replaced or removed but those of REPLACED_AT_ONCE.
IN_PLACE: dict[str, Any] = {
    "owner": "another-team",
    "purpose": "another purpose",
    "dataClass": "internal",
    "retentionDays": 400,
    "budget.monthlyInr": 2500000,
    "currency.usdInr": 89,
    "currency.asOf": "2026-11-25",
    "currency.gstPercent": 12,
    "usage.lakeGib": 2100,
    "usage.lakeRequestsMillions": 11,
    "usage.logGib": 51,
    "usage.natGib": 210,
    "usage.endpointGib": 210,
    "usage.internetGib": 51,
    "usage.auditEventsMillions": 21,
    "usage.managementEventsMillions": 3,
    "usage.guarddutyFlowGib": 26,
    "usage.malwareScanGib": 1,
    "usage.kmsRequestsMillions": 0.7,
    "usage.lakeWrittenGib": 210,
    "usage.checkpointGibPerDay": 21,
    "usage.prometheusSamplesMillions": 910,
    "aws.network.flowLogDays": 400,
    "aws.registries.githubSecret": f"{SECRET}/github-AbCdEf",
    "aws.registries.dockerHubSecret": f"{SECRET}/docker-AbCdEf",
    "aws.access.dataEngineers": [f"{ROLE}/data"],
    "aws.access.mlEngineers": [f"{ROLE}/ml"],
    "aws.access.auditors": [f"{ROLE}/audit"],
    "aws.protectData": True,
    "aws.cluster.deletionProtection": True,
    "aws.cluster.system.minNodes": 3,
    "aws.cluster.system.maxNodes": 4,
    "aws.cluster.addonVersions": {"coredns": "v1.13.2-eksbuild.1"},
    "workloads.serving.replicas": 3,
}

# A new shape: resources come, go and are replaced, all of them as the preview says.
RESHAPED: dict[str, Any] = {
    "budget.monthlyInr": 90000000,
    "aws.network.natPerZone": True,
    "aws.registries.mirror": False,
    "aws.audit.guardduty": False,
    "aws.audit.alertEmails": ["others@example.org"],
    "aws.cluster.system.machineType": "m6a.2xlarge",
    "aws.cluster.pools": [
        {
            "name": "answers",
            "gpu": "L4",
            "purchase": ["spot", "on-demand"],
            "maxNodes": 5,
            "expectedNodes": 2,
            "minSpotSaving": 0.05,
            "hoursLostPerReclaim": 2,
        },
        {"name": "train", "minGpuMemoryGib": 24, "gpusPerNode": 4, "purchase": "on-demand", "maxGpus": 16},
        {
            "name": "fabric",
            "gpu": "H100",
            "gpusPerNode": 8,
            "purchase": "on-demand",
            "fabric": "efa",
            "minNodes": 2,
            "maxNodes": 3,
        },
        {"name": "close", "gpu": "L4", "placementGroup": True, "zone": "aps1-az1", "maxNodes": 1},
        {
            "name": "held",
            "gpu": "L4",
            "purchase": "reserved",
            "capacityReservation": "cr-0123456789abcdef0",
            "maxNodes": 1,
        },
        {
            "name": "burst",
            "gpu": "H100",
            "gpusPerNode": 8,
            "fabric": "efa",
            "elastic": True,
            "maxNodes": 2,
        },
    ],
    "workloads.training": {
        "name": "tune",
        "pool": "train",
        "image": "training:next",
        "nodes": 3,
        "gpusPerNode": 2,
        "batch": 48,
    },
    "workloads.serving": {
        "name": "answer",
        "pool": "answers",
        "model": "Qwen/Qwen3-1.7B",
        "replicas": 1,
        "gpus": 1,
    },
    "workloads.proof": {
        "image": "proof:local",
        "dcgmImage": "dcgm:local",
        "nodes": 2,
        "floorGbs": {"fabric": 100},
    },
}

# Would take the cluster from where it is: refused before anything begins, with the value that leaves it there.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "aws.region": (
        {"aws.region": "ap-south-2", "aws.cluster.pools": [], "workloads": {}},
        "aws.region: ap-south-2\n      allowed: ap-south-1, where the cluster is",
    ),
    "aws.network.cidr": (
        {"aws.network": {"cidr": "10.77.0.0/16"}},
        "aws.network.cidr: 10.77.0.0/16\n      allowed: 10.0.0.0/16: another range is another VPC",
    ),
    "aws.network.existing": (
        {"aws.network": {"existing": {"vpcId": "vpc-00000001", "privateSubnetIds": ["subnet-00000001"]}}},
        "aws.network.existing.vpcId: vpc-00000001\n      allowed: vpc-",
    ),
}
# Refused by EKS, while the update runs.
TOO_LATE = {
    "aws.cluster.version": ("1.34", "Unsupported Kubernetes minor version update from 1.35 to 1.34"),
}

# Changed on stacks of their own, or judged without one; with the place.
ELSEWHERE = {
    "environment": "another environment is another stack: tests/infra/settings/test_settings.py",
    "budget.awsPercent": "of a stack on both clouds alone: tests/infra/aws/test_budget.py",
    "budget.credits": "changes no resource but the Budget's own record: tests/commands/cost/test_command.py",
    "aws.replica": "tests/e2e/test_replica.py",
    "aws.database": "of workloads that need one: tests/program/test_databases.py",
    "aws.registries.copied": "names images alone: tests/infra/aws/test_registry.py",
    "aws.cluster.pools.sharing": "labels of nodes, and another NodeOverlay: tests/infra/aws/test_pools.py",
    "aws.cluster.access": "who reaches the cluster: the tests of the way in",
    "onPremises": "tests/e2e/test_hybrid.py",
    "gcp": "tests/e2e/test_clusters.py, tests/localcloud/providers/gcp/test_provider.py",
    "workloads.training": "another recipe is another Job, its pods' own ConfigMap: tests/workloads/training",
    "workloads.compression": "another job is another Job, its pod's own ConfigMap: tests/workloads/compression",
    "workloads.evaluation": "another candidate, set or rule is another Job: tests/workloads/evaluation",
    "workloads.gateway": "replicas, flags and keys of its own pods: tests/workloads/gateway",
    "workloads.bento": "a Deployment of its own: tests/workloads/bento",
    "workloads.features": "a Deployment, a Redis and a CronJob of its own: tests/workloads/features",
    "workloads.rayserve": "a RayService of its own: tests/workloads/rayserve",
    "workloads.tracking": "a Deployment of its own: tests/workloads/tracking",
    "workloads.lakefs": "values of its chart: tests/workloads/lakefs",
    "workloads.drift": "a CronJob and a Deployment of its own: tests/workloads/drift",
    "workloads.serving.maxModelLen": "arguments of the server: tests/workloads/serving",
    "workloads.serving.quantization": "arguments of the server: tests/workloads/serving",
    "workloads.serving.engineArgs": "arguments of the server: tests/workloads/serving",
    "workloads.serving.scale": "replicas are KEDA's: tests/workloads/serving/test_scaling.py",
    "workloads.serving.onDemandFloor": "a Deployment of its own: tests/workloads/serving/test_floor.py",
    "workloads.serving.engine": "another engine is another program of the pod: tests/workloads/serving",
    "workloads.serving.weights": "arguments of the server: tests/workloads/serving, tests/e2e/test_serving.py",
    "workloads.serving.revision": "arguments of the server: tests/workloads/serving, tests/e2e/whole_loop.py",
    "workloads.serving.adapters": "arguments of the server: tests/workloads/serving, tests/e2e/test_serving.py",
    "workloads.serving.kvOffloadGib": "arguments of the server: tests/workloads/serving",
    "workloads.serving.image": "an image of the server: tests/workloads/serving",
}


# Settings whose keys are names that people give.
MAPPINGS = ("floorGbs", "addonVersions")


def leaves(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """Each setting of a model, by its path in a stack file; those of a list's elements below the list."""
    for name, field in model.model_fields.items():
        at = f"{path}.{field.alias or name}".lstrip(".")
        inner = list(models_in(field.annotation))
        for found in inner:
            yield from leaves(found, at)
        if not inner:
            yield at


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for part in typing.get_args(annotation):
        yield from models_in(part)


def written(changes: dict[str, Any]) -> Iterator[str]:
    """The paths that changes write, down to their ends."""
    for path, value in changes.items():
        parts = value if isinstance(value, list) else [value]
        if not any(isinstance(part, dict) for part in parts) or path.endswith(MAPPINGS):
            yield path
            continue
        for part in parts:
            yield from written({f"{path}.{key}": inner for key, inner in part.items()})


def test_each_setting_is_changed_here_refused_or_has_its_place() -> None:
    changed = {*written(IN_PLACE), *written(RESHAPED), *REFUSED, *TOO_LATE}
    unknown = [
        path
        for path in leaves(Settings)
        if path not in changed
        and not any(f"{path}.".startswith(f"{other}.") for other in (*ELSEWHERE, *REFUSED))
    ]
    assert unknown == [], "a new setting says here what its change does to a stack that is up"


@dataclass
class Steps:
    """What an operation did, or would do: the resources by what happens to them."""

    seen: list[tuple[str, str, str]]

    def of(self, *operations: str) -> set[tuple[str, str]]:
        return {(type_, name) for operation, type_, name in self.seen if operation in operations}

    @property
    def replaced(self) -> set[tuple[str, str]]:
        return self.of("replace", "create-replacement", "delete-replaced")


def told(outcome: Outcome) -> str:
    """Why an operation failed: what the policies refuse is no error of its own."""
    refused = [event.message for event in outcome.policies if event.enforcement_level == "mandatory"]
    return "\n".join([*outcome.errors, *refused])


class Running:
    """A stack that is up, whose file the tests change."""

    def __init__(self, stack: Stack, config: Path) -> None:
        self.stack = stack
        self._config = config
        self._before = yaml.safe_load(config.read_text())

    def write(self, changes: dict[str, Any]) -> None:
        """The file as it was at first, with these settings changed."""
        values = copy.deepcopy(self._before)
        for path, value in changes.items():
            first, *rest = path.split(".")
            if not rest:
                values["config"][f"{PREFIX}{first}"] = value
                continue
            at = values["config"].setdefault(f"{PREFIX}{first}", {})
            for part in rest[:-1]:
                at = at.setdefault(part, {})
            at[rest[-1]] = value
        self._config.write_text(yaml.safe_dump(values))

    def run(self, operation: str, **options: bool) -> tuple[Outcome, Steps]:
        steps = Steps([])

        def note(kind: str, type_: str, name: str) -> None:
            if kind.startswith("done ") and kind not in ("done same", "done read"):
                steps.seen.append((kind.removeprefix("done "), type_, name))

        return getattr(self.stack, operation)(on_step=note, **options), steps

    def made(self) -> list[dict[str, Any]]:
        """What is in the state, but for the providers: without a preview the engine notes a new region of one before
        the program asks through it, and the old region again with the next update."""
        return [
            found for found in self.stack.resources() if not found["type"].startswith("pulumi:providers:")
        ]

    def update(self) -> Steps:
        outcome, steps = self.run("up")
        assert not outcome.failed, told(outcome)
        self.is_at_rest()
        return steps

    def is_at_rest(self) -> None:
        """What was written is what is there; nothing more would be done, and nothing lies about.

        The policies were asked of the update.
        """
        refreshed, steps = self.run("refresh")
        assert refreshed.unchanged, (steps.seen, refreshed.errors)
        previewed, steps = self.run("preview", policies=False)
        assert previewed.unchanged, (steps.seen, previewed.errors)
        assert doctor.leftovers(self.stack.name) == []


@pytest.fixture(scope="module")
def running(local: Shared) -> Running:
    return Running(local.brought_to((PROJECT / "Pulumi.local.yaml").read_text()), local.config)


def test_system_pods_beyond_the_managed_group_get_nodes_up_to_the_limit(running: Running) -> None:
    """The stack has two to three system nodes, and a machine takes one of the five pods at most; they come at once."""
    running.write({})
    found = clusters.named(CLUSTER)
    assert found
    api = found.api()
    before = nodes_of(api, SYSTEM_POOL)
    assert len(before) == 2
    name = {"app": "grows"}
    container = {"name": "main", "image": "played", "resources": {"requests": {"cpu": "3500m"}}}
    pods = {
        "metadata": {"labels": name},
        "spec": {"nodeSelector": {POOL_LABEL: SYSTEM_POOL}, "containers": [container]},
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "grows", "namespace": "default"},
        "spec": {"replicas": 5, "selector": {"matchLabels": name}, "template": pods},
    }
    api.apply(deployment)
    wait(lambda: any("exceed limits for nodepool" in said for said in told_of_pods(api)), 120)
    wait(lambda: nodes_of(api, SYSTEM_POOL).keys() > before.keys(), 120)
    assert (
        len(api.list("karpenter.sh/v1", "NodeClaim", labelSelector=f"karpenter.sh/nodepool={SYSTEM_POOL}"))
        == 1
    )
    after = nodes_of(api, SYSTEM_POOL)
    (more,) = after.keys() - before.keys()
    wait(lambda: any(pod["spec"].get("nodeName") == more for pod in grown(api)), 120)
    node = nodes_of(api, SYSTEM_POOL)[more]
    labels = node["metadata"]["labels"]
    assert labels["node.kubernetes.io/instance-type"] == "m6a.xlarge"
    assert labels["karpenter.sh/capacity-type"] == "on-demand"
    assert not node["spec"].get("taints")
    assert [pod["status"]["phase"] for pod in grown(api)].count("Pending") >= 2
    api.delete(deployment, "Background")


def nodes_of(api: Api, pool: str) -> dict[str, Object]:
    return {
        node["metadata"]["name"]: node
        for node in api.list("v1", "Node", labelSelector=f"{POOL_LABEL}={pool}")
    }


def grown(api: Api) -> list[Object]:
    return api.list("v1", "Pod", labelSelector="app=grows")


def told_of_pods(api: Api) -> list[str]:
    events = api.list("v1", "Event", namespace="default")
    return [event["message"] for event in events if event["involvedObject"]["name"].startswith("grows-")]


@pytest.mark.parametrize("path", REFUSED)
def test_what_would_take_the_cluster_away_is_refused_before_anything_begins(
    running: Running, path: str
) -> None:
    changes, words = REFUSED[path]
    before = running.made()
    running.write(changes)
    outcome, steps = running.run("up")
    assert outcome.failed
    assert words in told(outcome)
    assert "`pulumi destroy` this one first" in told(outcome)
    assert {type_ for _, type_, _ in steps.seen} <= {"pulumi:providers:aws"}, "it is asked through a provider"
    assert running.made() == before


@pytest.mark.parametrize("path", TOO_LATE)
def test_what_the_cloud_refuses_ends_the_update(running: Running, path: str) -> None:
    value, words = TOO_LATE[path]
    running.write({path: value})
    outcome, _ = running.run("up")
    assert outcome.failed
    assert any(words in error for error in outcome.errors), outcome.errors


def test_settings_of_people_time_and_size_change_in_place_after_a_refusal_too(running: Running) -> None:
    running.write(IN_PLACE)
    steps = running.update()
    assert not [step for step in steps.replaced if step[0].startswith("aws:")]
    assert not [step for step in steps.of("delete") if step[0].startswith("aws:")]
    assert ("aws:eks/nodeGroup:NodeGroup", "cluster-system") in steps.of("update")


def test_a_new_shape_is_what_the_preview_said(running: Running) -> None:
    running.write(RESHAPED)
    outcome, said = running.run("preview")
    assert not outcome.failed, told(outcome)
    done = running.update()
    assert done.replaced <= said.replaced
    assert done.of("delete") <= said.of("delete") | said.replaced
    assert ("aws:eks/nodeGroup:NodeGroup", "pools-fabric") in done.replaced
    assert ("aws:eks/cluster:Cluster", "cluster") not in done.replaced | done.of("delete")


@pytest.fixture
def aws(environment: dict[str, str]) -> Any:
    session = boto3.Session("local", "local", region_name="ap-south-1")
    return lambda service: session.client(service, endpoint_url=environment["INDIA_AI_INFRA_AWS_ENDPOINT"])


def test_destroy_leaves_nothing(local: Shared, aws: Any) -> None:
    stack = local.stack()
    stack.unprotect()
    outcome = stack.destroy()
    assert not outcome.failed, outcome.errors
    assert [r for r in stack.resources() if r.get("custom")] == []
    assert clusters.recorded() == []
    ec2 = aws("ec2")
    assert [vpc for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]] == []
    assert aws("s3").list_buckets()["Buckets"] == []
    assert aws("eks").list_clusters()["clusters"] == []
    assert aws("sqs").list_queues().get("QueueUrls", []) == []
    assert aws("logs").describe_log_groups()["logGroups"] == []
    roles = aws("iam").list_roles()["Roles"]
    left = [role["RoleName"] for role in roles if not role["Path"].startswith("/aws-service-role/")]
    assert left == [deployer.ROLE]  # whoever deploys is there before the stack, and after it
    assert list(doctor.leftovers("local")) == []
