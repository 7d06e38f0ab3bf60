"""The Google half of every stack on mocks: what must exist first, where logs go, and what it needs of a project."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import yaml

from commands.preflight import google as preflight
from commands.preflight import google_needs
from infra.geography import regions_of
from infra.platform import values
from infra.platform.charts import charts
from infra.pricing.resources import Resource, ResourceGraph
from infra.settings.stack import Usage
from localcloud.directories import PROJECT
from localcloud.providers.gcp.table import agents_with_an_api, service_agent
from tests.program.test_program import Order
from tests.program.whole_stacks import run as _run_google

pytestmark = pytest.mark.slow

OWN = json.loads(
    '{"owner": "ml", "environment": "local", "purpose": "tests", "budget": {"monthlyInr": 90000000}, '
    '"currency": {"usdInr": 88.5, "asOf": "2026-11-24"}, "workloads": {}}'
)
ALONE = {
    "project": "unit-project",
    "region": "asia-south1",
    "access": {"mlEngineers": ["group:ml@example.in"], "auditors": ["group:audit@example.in"]},
    "audit": {"alertEmails": ["soc@example.in"]},
    "cluster": {
        "access": {"dnsEndpoint": True},
        "pools": [
            {"name": "serve", "gpu": "L4", "purchase": ["spot", "on-demand"], "maxGpus": 4},
            {"name": "fast", "gpu": "H100", "gpusPerNode": 8, "fabric": "tcpx", "elastic": True, "maxNodes": 2},
            {"name": "big", "gpu": "H200", "gpusPerNode": 8, "fabric": "rdma", "elastic": True, "maxNodes": 2},
        ]
    },
}  # fmt: skip


def _shipped() -> Iterator[tuple[str, dict[str, Any]]]:
    """The stacks of this project that have a Google half."""
    for stack in sorted(PROJECT.glob("Pulumi.*.yaml")):
        config = yaml.safe_load(stack.read_text())["config"]
        if "india-ai-infra:gcp" in config:
            yield stack.name, config


STACKS = {
    "alone": {f"india-ai-infra:{key}": value for key, value in {**OWN, "gcp": ALONE}.items()},
    **dict(_shipped()),
}


@pytest.fixture(scope="module", params=STACKS)
def made(request: pytest.FixtureRequest, deploy: Callable[..., Any]) -> Any:
    return _run_google(deploy, STACKS[request.param])


def _google(made: Any) -> list[Any]:
    return [found for found in made.resources if found.type.startswith("gcp:")]


# ── What must exist first ────────────────────────────────────────────────────────────────────────────────────────────
def test_every_agent_that_is_granted_something_was_made_before(made):
    order = Order(made)
    asked = {answer for call in made.invokes for answer in _emails(call)}
    identities = {
        service_agent(found.inputs["service"]): found.urn
        for found in made.of("projects/serviceIdentity:ServiceIdentity").values()
    }
    for grant in _google(made):
        agent = re.fullmatch(
            r"serviceAccount:(.+@([a-z0-9-]+)\.iam\.gserviceaccount\.com)", str(grant.inputs.get("member"))
        )
        if agent is None or not agent[1].startswith(("service-", "cmek-p")):
            continue
        if agent[1] in asked or agent[2] in agents_with_an_api():
            continue
        assert agent[2] in identities, f"{grant.name}: nothing makes {agent[1]}"
        assert identities[agent[2]] in order.needs(grant), grant.name


_ASKED = {
    "getProjectServiceAccount": "service-123456789012@gs-project-accounts.iam.gserviceaccount.com",
    "getProjectCmekSettings": "cmek-p123456789012@gcp-sa-logging.iam.gserviceaccount.com",
}


def _emails(call: Any) -> Iterator[str]:
    """The agents that a function makes, as these mocks answer."""
    yield from (email for function, email in _ASKED.items() if call.token.endswith(function))


def test_pods_are_granted_after_the_cluster_and_people_before(made):
    cluster = made.one("container/cluster:Cluster").urn if not made.of("eks/cluster:Cluster") else None
    order = Order(made)
    for grant in _google(made):
        member = str(grant.inputs.get("member", ""))
        if member.startswith("principal://"):
            needs = order.needs(grant)
            assert any("gcp:container/cluster:Cluster" in urn for urn in needs), grant.name
        if member.startswith(("group:", "user:")) and cluster:
            assert cluster not in order.needs(grant), grant.name


def test_nobody_of_another_organisation_is_granted_anything(made):
    members = [str(found.inputs.get("member", "")) for found in _google(made)]
    assert not [member for member in members if member.rpartition("@")[2] in ("google.com", "gmail.com")]


# ── Logs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_no_log_goes_to_global(made):
    sinks = [sink.inputs for sink in made.of("logging/projectSink:ProjectSink").values()]
    (default,) = [sink for sink in sinks if sink.get("name") == "_Default"]
    assert default["destination"].startswith("logging.googleapis.com/")
    for sink in sinks:
        place = re.search(r"/locations/([^/]+)/", sink["destination"])
        assert place is None or place[1] in regions_of("gcp")
    to_logging = [sink for sink in sinks if sink["destination"].startswith("logging.googleapis.com/")]
    assert len(to_logging) == 1, "an entry is kept, and paid for, once"


# ── Taints ───────────────────────────────────────────────────────────────────────────────────────────────────────────
_GKE_EFFECTS = {
    "NO_SCHEDULE": "NoSchedule",
    "NO_EXECUTE": "NoExecute",
    "PREFER_NO_SCHEDULE": "PreferNoSchedule",
}


def _taints(made: Any) -> dict[str, list[Mapping[str, str]]]:
    """The taints of every GPU pool, by cloud."""
    google = [
        pool.inputs["nodeConfig"].get("taints") or []
        for pool in made.of("container/nodePool:NodePool").values()
    ]
    karpenter = [
        pool.inputs["spec"]["template"]["spec"].get("taints") or []
        for pool in made.resources
        if pool.type.startswith("kubernetes:karpenter.sh/") and pool.type.endswith(":NodePool")
    ]
    return {
        "gcp": [{**taint, "effect": _GKE_EFFECTS[taint["effect"]]} for taints in google for taint in taints],
        "aws": [taint for taints in karpenter for taint in taints],
    }


def _tolerates(tolerations: list[Mapping[str, str]], taint: Mapping[str, str]) -> bool:
    return any(
        toleration.get("effect") in (None, taint["effect"])
        and toleration.get("key") in (None, taint["key"])
        and (toleration.get("operator") == "Exists" or toleration.get("value") == taint.get("value"))
        for toleration in tolerations
    )


DAEMON_SETS: Mapping[str, Callable[[], list[list[Mapping[str, str]]]]] = {
    "gcp": lambda: [values.dcgm_exporter()["tolerations"]],
    "aws": lambda: [
        values.gpu_operator()["daemonsets"]["tolerations"],
        values.gpu_operator()["node-feature-discovery"]["worker"]["tolerations"],
        values.efa_device_plugin([])["tolerations"],
    ],
}


def test_every_daemon_set_of_the_platform_tolerates_every_taint_of_every_pool(made):
    judged = 0
    for cloud, taints in _taints(made).items():
        for tolerations in DAEMON_SETS[cloud]():
            for taint in taints:
                assert _tolerates(tolerations, taint), f"{cloud}: {taint}"
                judged += 1
    assert judged


def test_the_fabrics_own_daemon_sets_tolerate_everything(made):
    for found in made.of(":DaemonSet").values():
        assert {"operator": "Exists"} in found.inputs["spec"]["template"]["spec"]["tolerations"], found.name


def test_those_daemon_sets_are_of_charts_that_the_platform_installs():
    assert {"dcgm-exporter", "gpu-operator", "aws-efa-k8s-device-plugin"} <= set(charts())


# ── Drivers ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_container_with_gpus_finds_the_driver_in_every_pool_of_google():
    from infra.catalog.resolved import resolve
    from infra.gcp.pools import describe
    from infra.settings.google_pools import GooglePool
    from workloads.kubernetes.placement import nccl_environment

    for given in ALONE["cluster"]["pools"]:
        (seen,) = describe("1.35", [resolve("asia-south1", GooglePool.model_validate(given))]).values()
        for gpus in (1, seen.gpus_per_node):
            assert nccl_environment(seen, gpus)["LD_LIBRARY_PATH"] == "/usr/local/nvidia/lib64", seen.name


# ── What it asks of a project ────────────────────────────────────────────────────────────────────────────────────────
def test_the_docs_name_the_apis_that_the_program_needs_and_no_other(made):
    apis, _, unlisted = preflight.needed(found.type for found in _google(made))
    assert not unlisted
    settings = (PROJECT / "docs" / "settings.md").read_text()
    named = re.search(r"needs its APIs on \(`gcloud services enable ([^`]+)`", settings)
    assert named
    told = {name.removesuffix(".googleapis.com") for name in named[1].split()}
    assert told == set(apis) - {"orgpolicy"}


def test_the_quotas_that_our_stack_on_google_needs_are_counted(deploy):
    """Seven networks for RDMA and TCPX: a small project may have five."""
    made = _run_google(deploy, STACKS["Pulumi.prod.yaml"])
    here = [one for one in made.resources if not one.type.startswith(("aws:", "pulumi:providers:aws"))]
    graph = ResourceGraph([Resource(one.type, one.urn, one.inputs) for one in here], Usage())
    found = google_needs.needs(graph)
    assert {need.names[0]: need.amount for need in found} == {
        "NETWORKS": 7,
        "SUBNETWORKS": 14,
        "FIREWALLS": 11,
        "ROUTERS": 1,
        "GPUS_ALL_REGIONS": 16,
        "CPUS_ALL_REGIONS": 48,
        "CPUS": 48,
        "SSD_TOTAL_GB": 6610,
        "HDB_TOTAL_GB": 600,
        "INSTANCES": 29,
        "PREEMPTIBLE_NVIDIA_L4_GPUS": 16,
        "NVIDIA_L4_GPUS": 16,
        "PREEMPTIBLE_NVIDIA_H100_GPUS": 32,
        "PREEMPTIBLE_NVIDIA_H200_GPUS": 16,
    }


def test_calls_count_against_the_project(made):
    (provider,) = made.of("pulumi:providers:gcp").values()
    assert provider.inputs["billingProject"] == provider.inputs["project"]
    assert provider.inputs["userProjectOverride"] in (True, "true")


def test_no_two_resources_make_the_same_grant(made):
    """One that is removed would end it for the other: Google knows member, role and condition, and no resource."""
    where = (
        "bucket",
        "project",
        "serviceAccountId",
        "topic",
        "subscription",
        "cryptoKeyId",
        "keyRingId",
        "folder",
    )
    grants: dict[str, list[str]] = {}
    for one in _google(made):
        if not one.type.lower().endswith("iammember"):
            continue
        place = [one.inputs.get(name) for name in (*where, "location", "repository")]
        condition = (one.inputs.get("condition") or {}).get("title")
        key = json.dumps([one.type, place, one.inputs["role"], one.inputs["member"], condition])
        grants.setdefault(key, []).append(one.name)
    assert grants
    assert [names for names in grants.values() if len(names) > 1] == []
