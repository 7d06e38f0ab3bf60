"""The whole program on mocks: every stack of ours, and the order in which a destroy takes it apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pulumi
import pytest
import yaml

from infra import program
from localcloud.paths import PROJECT

STACKS = ("local", "dev", "prod")

# What AWS answers and the program looks at.
ANSWERED = {
    "aws:eks/cluster:Cluster": {
        "endpoint": "https://127.0.0.1:1",
        "certificateAuthority": {"data": "Y2E="},
        "vpcConfig": {"clusterSecurityGroupId": "sg-1"},
    },
    "aws:ec2/launchTemplate:LaunchTemplate": {"latestVersion": 1},
    "aws:ec2/vpcEndpoint:VpcEndpoint": {"cidrBlocks": []},
}

# Objects that must be gone before their nodes are: left to the cluster's end they would hold up Karpenter's drain.
FIRST_TO_GO = {"Job", "Deployment", "PodDisruptionBudget", "NodePool", "EC2NodeClass"}


@pytest.fixture(scope="module", params=STACKS)
def registered(request: pytest.FixtureRequest, deploy: Callable[..., Any]) -> Any:
    return _deployed(deploy, request.param)


@pytest.fixture(scope="module")
def local(deploy: Callable[..., Any]) -> Any:
    return _deployed(deploy, "local")


def _deployed(deploy: Callable[..., Any], stack: str) -> Any:
    config = yaml.safe_load((PROJECT / f"Pulumi.{stack}.yaml").read_text())["config"]
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    before = dict(pulumi.runtime.config.CONFIG.get())
    pulumi.runtime.set_all_config(texts)
    try:
        return deploy(program.run, outputs=ANSWERED)
    finally:
        pulumi.runtime.set_all_config(before)


class Order:
    """What a destroy removes before what: a resource goes before everything that it needs."""

    def __init__(self, recorded: Any) -> None:
        self.by_urn = {resource.urn: resource for resource in recorded.resources}
        children: dict[str, list[str]] = {}
        for resource in recorded.resources:
            children.setdefault(resource.parent, []).append(resource.urn)
        self.children = children

    def needs(self, resource: Any) -> set[str]:
        """URNs of everything that stands until `resource` has gone."""
        found: set[str] = set()
        left = [resource.urn]
        while left:
            current = self.by_urn.get(left.pop())
            if current is None:
                continue
            direct = {*current.depends_on, current.provider.rsplit("::", 1)[0]} - {""}
            # To depend on a component is to depend on its children.
            direct |= {child for urn in direct for child in self.children.get(urn, ())}
            left += direct - found
            found |= direct
        return found - {resource.urn}


def kind(resource: Any) -> str:
    return resource.type.rsplit(":", 1)[-1]


def test_every_stack_of_ours_is_one_that_the_program_accepts(registered: Any) -> None:
    assert registered.of("eks/cluster:Cluster")
    assert registered.of("Release")


def test_kubernetes_objects_go_with_their_cluster_but_for_those_that_hold_nodes(registered: Any) -> None:
    cluster = registered.one("eks/cluster:Cluster").urn
    objects = [r for r in registered.resources if r.type.startswith("kubernetes:")]
    assert len(objects) > 40
    outlive = {kind(r) for r in objects if r.deleted_with != cluster}
    assert outlive <= FIRST_TO_GO


def test_node_pools_go_before_the_controller_that_ends_their_machines(local: Any) -> None:
    order = Order(local)
    release = local.one("Release", "karpenter").urn
    pools = [r for r in local.resources if kind(r) in ("NodePool", "EC2NodeClass")]
    assert len(pools) == 3
    for pool in pools:
        assert release in order.needs(pool), pool.name


def test_workloads_go_before_the_nodes_they_run_on(local: Any) -> None:
    order = Order(local)
    pools = {r.urn for r in local.resources if kind(r) == "NodePool"}
    for workload in (local.one("Job", "train"), local.one("Deployment", "serve")):
        assert pools <= order.needs(workload)


def test_controllers_go_before_the_cluster_and_their_rights(local: Any) -> None:
    order = Order(local)
    needs = order.needs(local.one("Release", "karpenter"))
    assert local.one("eks/cluster:Cluster").urn in needs
    assert {r.urn for r in local.of("eks/podIdentityAssociation:PodIdentityAssociation").values()} & needs
    assert {r.urn for r in local.of("sqs/queue:Queue").values()} <= needs


def test_the_network_goes_last(local: Any) -> None:
    order = Order(local)
    vpc = local.one("ec2/vpc:Vpc").urn
    routes = {r.urn for r in local.of("ec2/routeTableAssociation:RouteTableAssociation").values()}
    for group in local.of("eks/nodeGroup:NodeGroup").values():
        assert {vpc, *routes} <= order.needs(group), f"{group.name} would lose its way out before it has gone"
    in_vpc = (
        "subnet:Subnet",
        "vpcEndpoint:VpcEndpoint",
        "securityGroup:SecurityGroup",
        "natGateway:NatGateway",
    )
    for ending in in_vpc:
        for resource in local.of(ending).values():
            assert vpc in order.needs(resource), resource.name


def test_the_endpoint_of_guardduty_is_owned(local: Any) -> None:
    """GuardDuty would make its own otherwise, and leave it in the VPC."""
    services = {r.inputs["serviceName"] for r in local.of("ec2/vpcEndpoint:VpcEndpoint").values()}
    assert "com.amazonaws.ap-south-1.guardduty-data" in services
    monitoring = local.one("guardduty/detectorFeature:DetectorFeature", "audit-runtime-monitoring")
    agents = {a["name"]: a["status"] for a in monitoring.inputs["additionalConfigurations"]}
    assert agents["EKS_ADDON_MANAGEMENT"] == "DISABLED"
    addons = {r.inputs["addonName"] for r in local.of("eks/addon:Addon").values()}
    assert "aws-guardduty-agent" in addons


def test_data_is_protected_where_the_stack_says_so(registered: Any) -> None:
    buckets = list(registered.of("s3/bucket:Bucket").values())
    assert len(buckets) == 7
    assert len({bucket.protect for bucket in buckets}) == 1
    assert all(bucket.inputs.get("forceDestroy", False) != bucket.protect for bucket in buckets)


def test_nothing_uses_a_default_provider(registered: Any) -> None:
    custom = [r for r in registered.resources if r.type.startswith(("aws:", "kubernetes:"))]
    assert [r.name for r in custom if not r.provider] == []
