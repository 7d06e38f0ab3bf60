"""What operators are told of pools whose GPUs are shared, and that nothing changes where none are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pulumi
import yaml

from infra.contracts.cluster import Pool
from infra.contracts.labels import time_slicing
from infra.platform.namespaces import create_limits, create_namespaces, of_workloads
from infra.platform.queues import create_queues
from infra.platform.values import WHOLE_GPUS, gpu_operator, karpenter
from tests.infra.platform.gpu_cluster import PROFILES, SERVE, TRAIN
from tests.workloads.registered import NEEDS

SHARED = replace(SERVE, name="shared", gpus_per_node=4, gpu_parts=4, limits={"nvidia.com/gpu": "4"})


def test_the_plugin_has_a_configuration_for_each_number_of_parts_and_one_for_whole_gpus() -> None:
    values = gpu_operator([SERVE, SHARED, replace(SHARED, gpu_parts=2), replace(SHARED, name="more")])
    plugin = values["devicePlugin"]
    config = plugin["config"]
    assert plugin["enabled"] is True and config["create"] is True and config["name"]
    assert config["default"] == WHOLE_GPUS
    read = {name: yaml.safe_load(text) for name, text in config["data"].items()}
    assert read.keys() == {WHOLE_GPUS, time_slicing(2), time_slicing(4)}
    assert "sharing" not in read[WHOLE_GPUS]
    sliced = read[time_slicing(4)]["sharing"]["timeSlicing"]
    assert sliced["resources"] == [{"name": "nvidia.com/gpu", "replicas": 4}]
    assert sliced["failRequestsGreaterThanOne"] is True


def test_nothing_is_said_where_gpus_are_whole() -> None:
    assert gpu_operator([SERVE, TRAIN])["devicePlugin"] == {"enabled": True}
    assert "featureGates" not in karpenter("c", "q", 2, overlays=False)["settings"]
    assert karpenter("c", "q", 2, overlays=True)["settings"]["featureGates"] == {"nodeOverlay": True}


def test_quotas_count_parts(deploy: Any) -> None:
    pools: dict[str, Pool] = {"shared": SHARED}

    def program() -> None:
        opts = pulumi.ResourceOptions()
        create_queues(pools, ["serving"], opts)
        specs = of_workloads(NEEDS)
        create_limits(specs, create_namespaces(PROFILES["aws"], specs, "personal", opts), pools, opts)

    made = deploy(program)
    (group,) = made.one("ClusterQueue").inputs["spec"]["resourceGroups"]
    assert group["flavors"][0]["resources"] == [{"name": "nvidia.com/gpu", "nominalQuota": 16}]
    quota = made.one("ResourceQuota", "serving-quota").inputs["spec"]["hard"]
    assert quota["requests.nvidia.com/gpu"] == "16"
