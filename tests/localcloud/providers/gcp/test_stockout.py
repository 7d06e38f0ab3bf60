"""A day on which Google has no spot machine of a type: a pool that must stand comes without its nodes, once with an
error, and is filled by the next update for which there are some."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.faults import Fault, describe
from localcloud.providers.aws import habits as aws_habits
from localcloud.providers.gcp import habits as gcp_habits
from localcloud.providers.gcp.provider import Gcp
from localcloud.providers.gcp.side_effects import SIDE_EFFECTS, SideEffect
from localcloud.providers.protocol import NotReadyError, Resource, Values

POOL = gcp_habits.NODE_POOL
URN = f"urn:pulumi:local::india-ai-infra::{POOL}::train"
SPOT = {"machineType": "a3-highgpu-8g", "spot": True}
OUT = "a3-ultragpu-8g, a3-highgpu-8g"


class Laid:
    """Plays a node pool: what its nodes were laid out by, last."""

    def __init__(self) -> None:
        self.counts: list[Any] = []

    def note(self, inputs: Values, scope: Any) -> Values:
        changed = inputs != {**inputs, **scope["old"]} or not scope["old"]
        if changed:
            scaling = inputs.get("autoscaling") or {}
            self.counts.append(inputs.get("nodeCount") or scaling.get("totalMinNodeCount") or 0)
        return {"version": "", "zones": []}


@pytest.fixture
def laid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Laid]:
    monkeypatch.setenv("INDIA_AI_INFRA_RUN", str(tmp_path))
    found = Laid()
    play = SideEffect(found.note, found.note, lambda inputs, scope: None)
    monkeypatch.setattr("localcloud.providers.gcp.provider.SIDE_EFFECTS", SIDE_EFFECTS | {"pool": play})
    yield found


@pytest.fixture
def provider(laid: Laid) -> Gcp:
    made = Gcp()
    made.configure({"project": "ai-team", "region": "asia-south1"})
    return made


def pool(**inputs: Any) -> Values:
    zones = {"nodeLocations": ["asia-south1-c"]}
    return {
        "name": "train",
        "cluster": "gke",
        "location": "asia-south1",
        "nodeConfig": SPOT,
        **zones,
        **inputs,
    }


def create(provider: Gcp, inputs: Values) -> str:
    return provider.create(Resource(URN), provider.check(Resource(URN), {}, inputs))[0]


def test_the_variable_is_that_of_the_local_aws() -> None:
    assert gcp_habits.NO_SPOT == aws_habits.NO_SPOT


@pytest.mark.parametrize(
    "counts",
    [
        {"nodeCount": 2},
        {"initialNodeCount": 2},
        {"autoscaling": {"totalMinNodeCount": 2, "totalMaxNodeCount": 4}},
    ],
)
def test_a_pool_that_must_stand_is_kept_without_its_nodes_and_filled_later(
    provider: Gcp, laid: Laid, monkeypatch: pytest.MonkeyPatch, counts: Values
) -> None:
    monkeypatch.setenv(gcp_habits.NO_SPOT, OUT)
    with pytest.raises(
        NotReadyError, match=r'"RUNNING_WITH_ERROR" \(\[GCE_STOCKOUT\].*a3-highgpu-8g; simulated'
    ) as error:
        create(provider, pool(**counts))
    assert laid.counts == [0]
    pool_id, inputs = error.value.resource_id, pool(**counts)
    made = Resource(URN, pool_id)
    assert provider.read(made, inputs, {}), "GKE keeps the pool, and the engine its state"
    provider.update(made, inputs, {}, inputs)
    assert laid.counts == [0, 0], "still none: GKE waits, and says nothing more"
    monkeypatch.delenv(gcp_habits.NO_SPOT)
    provider.update(made, inputs, {}, inputs)
    filled = list(laid.counts)
    assert len(filled) == 3
    provider.update(made, inputs, {}, inputs)
    assert laid.counts == filled, "it has its nodes: nothing more is laid out"


@pytest.mark.parametrize(
    "inputs",
    [
        {"autoscaling": {"totalMinNodeCount": 0, "totalMaxNodeCount": 4}, "initialNodeCount": 0},
        {"nodeCount": 0},
        {"nodeCount": 1, "nodeConfig": {**SPOT, "machineType": "g2-standard-4"}},
        {"nodeCount": 1, "nodeConfig": {"machineType": "g2-standard-4"}},
    ],
)
def test_from_zero_and_of_other_machines_and_on_demand_it_comes(
    provider: Gcp, monkeypatch: pytest.MonkeyPatch, inputs: Values
) -> None:
    monkeypatch.setenv(gcp_habits.NO_SPOT, "a3-highgpu-8g")
    assert create(provider, pool(**inputs)).endswith("/nodePools/train")


def test_on_demand_machines_of_that_type_are_there(provider: Gcp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(gcp_habits.NO_SPOT, "g2-standard-4")
    made = create(provider, pool(nodeCount=1, nodeConfig={"machineType": "g2-standard-4"}))
    assert made.endswith("/nodePools/train")


@pytest.mark.parametrize(
    "words",
    [
        'NodePool train was created in the error state "RUNNING_WITH_ERROR"',
        "AsgInstanceLaunchFailures: Could not launch Spot Instances. UnfulfillableCapacity",
    ],
)
def test_the_update_says_what_to_do(words: str) -> None:
    (message,) = describe([Fault(URN, words)], {})
    assert words in message
    assert "Run it again later" in message
    assert "elastic: true" in message


def test_another_fault_of_a_pool_has_no_such_advice() -> None:
    (message,) = describe([Fault(URN, "Error 403: insufficient quota")], {})
    assert "later" not in message
