"""Day two on Google: each setting is changed on a stack that is up, through the real engine, and changed back.

As tests/e2e/test_day_two.py does on AWS, with its helpers. What a property of a single type does when it changes is
in tests/localcloud/providers/gcp/test_day_two.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands import doctor
from infra.settings.gcp import Gcp
from localcloud import cloud, google_deployer
from localcloud.directories import PROJECT
from localcloud.engine import Outcome, Stack
from localcloud.providers.gcp.habits import NO_SPOT
from tests.e2e.test_day_two import PREFIX, Running, Steps, leaves, told, written

pytestmark = pytest.mark.e2e

CLUSTER = ("gcp:container/cluster:Cluster", "cluster")
ME = f"user:{google_deployer.EMAIL}"
BASE: dict[str, Any] = {
    "project": "india-ai-infra-day-two",
    "region": "asia-south1",
    "audit": {"alertEmails": ["alerts@example.org"]},
    "cluster": {
        "version": "1.34",
        "access": {"jumpHost": True, "deployers": [ME]},
        "pools": [{"name": "serve", "gpu": "L4", "purchase": "spot", "maxNodes": 2}],
    },
}

# Changed where they stand: no resource of Google's is replaced or removed.
IN_PLACE: dict[str, Any] = {
    "owner": "another-team",
    "purpose": "another purpose",
    "dataClass": "internal",
    "retentionDays": 400,
    "gcp.network.flowLogDays": 400,
    "gcp.access.dataEngineers": ["group:data@example.in"],
    "gcp.access.mlEngineers": ["group:ml@example.in"],
    "gcp.access.auditors": ["group:audit@example.in"],
    "gcp.cluster.access.deployers": [ME, "group:platform@example.in"],
    "gcp.cluster.deletionProtection": True,
    "gcp.cluster.system.minNodes": 3,
    "gcp.cluster.system.maxNodes": 5,
    "gcp.org.folder": "folders/1234567890",
    # Google raises it and never lowers it: the way back finds the newer one, and leaves it.
    "gcp.cluster.version": "1.35",
}

# A new shape: resources come, go and are replaced, all of them as the preview says.
RESHAPED: dict[str, Any] = {
    "gcp.cluster.version": "1.35",
    "gcp.registries.mirror": False,
    "gcp.audit.alertEmails": ["others@example.org"],
    "gcp.audit.defaultSink": False,
    "gcp.cluster.system.machineType": "e2-standard-8",
    "gcp.cluster.pools": [
        {
            "name": "serve",
            "gpu": "L4",
            "purchase": ["spot", "on-demand"],
            "maxNodes": 3,
            "expectedNodes": 2,
            "minSpotSaving": 0.05,
            "hoursLostPerReclaim": 2,
        },
        {"name": "train", "minGpuMemoryGib": 24, "gpusPerNode": 4, "purchase": "on-demand", "maxGpus": 8},
        # The first with a fabric, in a cluster that stands.
        {
            "name": "fabric",
            "gpu": "H100",
            "gpusPerNode": 8,
            "purchase": "spot",
            "fabric": "tcpx",
            "minNodes": 1,
            "maxNodes": 2,
        },
        {
            "name": "burst",
            "gpu": "H200",
            "gpusPerNode": 8,
            "purchase": "flex-start",
            "maxRunHours": 24,
            "fabric": "rdma",
            "elastic": True,
            "maxNodes": 2,
        },
        {
            "name": "close",
            "gpu": "L4",
            "placementGroup": True,
            "zone": "asia-south1-a",
            "minNodes": 0,
            "maxNodes": 1,
        },
        {
            "name": "held",
            "gpu": "L4",
            "purchase": "reserved",
            "capacityReservation": "held-l4",
            "maxNodes": 1,
        },
    ],
}


# Refused before anything begins, with the way: what is changed at once, and the words of each refusal.
REFUSED: list[tuple[dict[str, Any], list[str]]] = [
    ({"gcp.cluster.version": "1.36"}, ["allowed: 1.34, 1.35"]),
    (
        # Another place is other buckets, and one region more is too.
        {"gcp.region": "asia-south2", "gcp.cluster.pools": [], "gcp.lake.dualRegion": True},
        ["resources that are protected would be replaced, and what they hold lost", "make a second stack"],
    ),
    (
        {"gcp.project": "india-ai-infra-elsewhere"},
        ["resources that are protected would be replaced, and what they hold lost", "make a second stack"],
    ),
    (
        {"gcp.network.cidr": "10.90.0.0/20"},
        ["a cluster of this stack, or the network that it is in", "make a second stack"],
    ),
    (
        {"gcp.network.podsCidr": "10.100.0.0/14", "gcp.network.servicesCidr": "10.91.0.0/20"},
        [
            "range pods (10.68.0.0/14) is in use by cluster",
            "range services (10.65.0.0/20) is in use by cluster",
        ],
    ),
]

ELSEWHERE = {
    "gcp.billingAccount": "makes a budget, and changes nothing else: tests/infra/gcp/test_budget.py",
    "gcp.protectData": "without it DPDP-LOG-04 refuses the update: tests/policies/controls/logs/test_logs.py",
    "gcp.cluster.access.cidrs": "who reaches it: tests/e2e/test_way_in.py, tests/localcloud/test_reach.py",
    "gcp.cluster.access.jumpHost": "who reaches it: tests/e2e/test_way_in.py, tests/localcloud/test_reach.py",
    "gcp.cluster.access.dnsEndpoint": "who reaches it: tests/e2e/test_way_in.py, tests/localcloud/test_reach.py",
    "gcp.database": "of workloads that need one: tests/program/test_databases.py",
    "gcp.network.existing": "another network is another cluster: tests/e2e/test_existing_network_google.py",
    "gcp.cluster.pools.name": "another name is another pool, as those of RESHAPED",
    "gcp.cluster.pools.sharing": "GPUs of other nodes, and so another node pool: tests/infra/gcp/test_pools.py",
}


def test_each_setting_of_google_is_changed_here_refused_or_has_its_place() -> None:
    changed = {*written(IN_PLACE), *written(RESHAPED)}
    changed |= {path for changes, _ in REFUSED for path in changes}
    unknown = [
        path
        for path in leaves(Gcp, "gcp")
        if path not in changed and not any(f"{path}.".startswith(f"{other}.") for other in ELSEWHERE)
    ]
    assert unknown == [], "a new setting says here what its change does to a stack that is up"


class OnGoogle(Running):
    """A stack that is up, whose engine may be run with other variables."""

    def __init__(self, stack: Stack, config: Path, env: dict[str, str]) -> None:
        super().__init__(stack, config)
        self.env, self.config = env, config

    def run(self, operation: str, **options: bool) -> tuple[Outcome, Steps]:
        """As on AWS, without the policies, which were asked of the first update."""
        steps = Steps([])

        def note(kind: str, type_: str, name: str) -> None:
            if kind.startswith("done ") and kind not in ("done same", "done read"):
                steps.seen.append((kind.removeprefix("done "), type_, name))

        asked = options if operation == "refresh" else {"policies": False, **options}
        return getattr(self.stack, operation)(on_step=note, **asked), steps

    def with_variables(self, **variables: str) -> Running:
        return Running(
            Stack(self.stack.name, {**self.env, **variables}, config_file=self.config), self.config
        )


@pytest.fixture(scope="module")
def running(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnGoogle]:
    values = yaml.safe_load((PROJECT / "Pulumi.prod.yaml").read_text())
    config = values["config"]
    config[f"{PREFIX}environment"] = "dev"
    config[f"{PREFIX}budget"] = {"monthlyInr": 90_000_000}
    config[f"{PREFIX}gcp"] = BASE
    config[f"{PREFIX}workloads"] = {}
    del config[f"{PREFIX}aws"]
    file = tmp_path_factory.mktemp("config") / "Pulumi.google.yaml"
    file.write_text(yaml.safe_dump(values))
    env = cloud.environment(environment["INDIA_AI_INFRA_AWS_ENDPOINT"])
    made = OnGoogle(Stack("google", env, config_file=file), file, env)
    outcome = made.stack.up()
    assert not outcome.failed, told(outcome)
    yield made
    made.stack.unprotect()
    outcome = made.stack.destroy()
    assert not outcome.failed, told(outcome)
    assert doctor.leftovers("google") == []


def test_settings_of_people_time_and_size_change_in_place(running: OnGoogle) -> None:
    running.write(IN_PLACE)
    steps = running.update()
    assert not [step for step in steps.replaced | steps.of("delete") if step[0].startswith("gcp:")]
    assert {CLUSTER, ("gcp:container/nodePool:NodePool", "cluster-system")} <= steps.of("update")


@pytest.mark.parametrize(("changes", "words"), REFUSED)
def test_what_can_not_be_is_refused_before_anything_begins(
    running: OnGoogle, changes: dict[str, Any], words: list[str]
) -> None:
    running.write({"gcp.cluster.version": "1.35", "gcp.cluster.deletionProtection": True, **changes})
    outcome, _ = running.run("preview")
    assert outcome.failed
    for each in words:
        assert each in told(outcome), told(outcome)


def test_a_new_shape_is_what_the_preview_said_also_on_a_day_without_spot(running: OnGoogle) -> None:
    running.write(RESHAPED)
    outcome, planned = running.run("preview")
    assert not outcome.failed, told(outcome)
    outcome, first = running.with_variables(**{NO_SPOT: "a3-highgpu-8g"}).run("up")
    assert outcome.failed
    assert "GCE_STOCKOUT" in told(outcome)
    assert "Run it again later" in told(outcome)
    done = running.update()
    assert done.replaced | first.replaced <= planned.replaced
    assert done.of("delete") | first.of("delete") <= planned.of("delete") | planned.replaced
    assert CLUSTER not in planned.replaced | planned.of("delete")
    assert ("gcp:container/nodePool:NodePool", "pools-fabric") in first.of("create") | done.of(
        "create", "update"
    )


def test_the_way_back_ends(running: OnGoogle) -> None:
    running.write({})
    done = running.update()
    assert CLUSTER not in done.replaced | done.of("delete")
