"""GuardDuty's agent and its endpoint are there where a detector hears them, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from localcloud.directories import PROJECT
from tests.program import test_hybrid
from tests.program.test_program import _run

pytestmark = pytest.mark.slow


def parts(recorded: Any) -> tuple[bool, bool]:
    addons = {found.inputs["addonName"] for found in recorded.of("eks/addon:Addon").values()}
    services = {found.inputs["serviceName"] for found in recorded.of("ec2/vpcEndpoint:VpcEndpoint").values()}
    assert len(addons) > 5 and len(services) > 10
    return "aws-guardduty-agent" in addons, any(name.endswith("guardduty-data") for name in services)


@pytest.mark.parametrize("on", [True, False])
def test_the_agent_comes_with_the_detector(deploy: Callable[..., Any], on: bool) -> None:
    config = yaml.safe_load((PROJECT / "Pulumi.dev.yaml").read_text())["config"]
    config["india-ai-infra:aws"]["audit"]["guardduty"] = on
    recorded = _run(deploy, config)
    assert parts(recorded) == (on, on)
    assert bool(recorded.of("guardduty/detector:Detector")) is on


def test_no_agent_on_a_cluster_with_nodes_on_premises(deploy: Callable[..., Any]) -> None:
    assert parts(test_hybrid.run(deploy)) == (False, False)
