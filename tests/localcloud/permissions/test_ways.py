"""Every call that was recorded in a pod has a way to who answers it, by the NetworkPolicies that the stack renders; and
no way out is open that nothing uses."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.contracts.labels import INTERNET_EGRESS
from localcloud.permissions.network import Connection, End, Network, rules
from tests.localcloud.permissions import recorded, rendered
from tests.localcloud.permissions.programs import ACCOUNTS, PROGRAMS, Program
from tests.localcloud.permissions.rendered import Container
from tests.localcloud.permissions.ways import ABROAD, addresses, pod, ways, ways_to_names

pytestmark = pytest.mark.slow

CLOUDS = ("aws", "gcp")
NAMESPACES = sorted(account.namespace for account in ACCOUNTS.values())
# Where torchrun's ranks meet, and a port that NCCL picks for its sockets.
RENDEZVOUS, PICKED = 29400, 45678
MONITORING = {"aws": "monitoring", "gcp": "gmp-system"}


@pytest.fixture(scope="module", params=CLOUDS)
def cloud(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def network(prod: Any, cloud: str) -> Network:
    return rendered.network(prod, cloud)


def container(made: Any, cloud: str, name: str) -> Container:
    return rendered.google_container(made, name) if cloud == "gcp" else rendered.container(made, "aws", name)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_each_recorded_call_has_a_way(prod: Any, cloud: str, network: Network, program: Program) -> None:
    """A call that is refused is answered too: it must come to who refuses it."""
    calls = recorded.read(f"{cloud}-{program.name}")
    assert calls
    for call in calls:
        for way in ways(prod, cloud, container(prod, cloud, program.container)):
            verdict = network.judge(way)
            assert verdict.allowed, f"{program.name}, {call.operation} of {call.bucket}: {verdict.why}"


def between_pods(made: Any, cloud: str) -> Iterator[Connection]:
    """Ranks meet and measure, and so do the pods of Ray; clients and Prometheus come to the model servers; the gateway
    asks its cache, and the model servers where the stack has both; trainers report to the tracking server."""
    for name in ("trainer", "nccl", "ray-worker"):
        rank = pod(container(made, cloud, name))
        yield from (Connection(rank, rank, port) for port in (RENDEZVOUS, PICKED))
    server = replace(pod(container(made, cloud, "vllm")), ports={"http": 8000})
    for namespace in ("chat", MONITORING[cloud]):
        yield Connection(End(namespace=namespace), server, 8000)
    gateway = pod(container(made, cloud, "smg"))
    yield from ways_to_names(made, cloud, gateway)
    yield Connection(gateway, gateway, PICKED)
    if cloud == rendered.ASKED["gateway"]["cloud"]:
        yield Connection(gateway, server, 8000)
    if cloud == rendered.ASKED["tracking"]["cloud"]:
        tracking = replace(pod(container(made, cloud, "mlflow")), ports={"http": 5000})
        yield Connection(pod(container(made, cloud, "trainer")), tracking, 5000)


def test_pods_meet_each_other(prod: Any, cloud: str, network: Network) -> None:
    clients = {"chat": {"india-ai-infra/serving-client": "true"}}
    known = replace(network, namespaces={**network.namespaces, **clients})
    for way in between_pods(prod, cloud):
        assert (verdict := known.judge(way)).allowed, verdict.why
    server = pod(container(prod, cloud, "vllm"))
    assert not network.judge(Connection(End(namespace="chat"), server, 8000)).allowed, "without the label"


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_nothing_else_is_reached(network: Network, cloud: str, namespace: str) -> None:
    own = End(namespace=namespace)
    # EC2's metadata would give a pod the node's role; of Google's it is the pod's own that answers.
    elsewhere = [(ABROAD, 443), *([(End("169.254.169.254"), 80)] if cloud == "aws" else [])]
    other = next(name for name in NAMESPACES if name != namespace)
    for target, port in [*elsewhere, (End(namespace=other), 443), (End(namespace="monitoring"), 9090)]:
        assert not network.judge(Connection(own, target, port)).allowed, f"{own} to {target}"


def test_a_model_from_a_hub_is_fetched_by_who_says_so(network: Network) -> None:
    fetches = Connection(End(namespace="serving", labels=INTERNET_EGRESS), ABROAD, 443)
    assert network.judge(fetches).allowed
    agent = replace(fetches, target=End("169.254.1.1"))
    assert not network.judge(agent).allowed, "the internet is not the node"
    assert not network.judge(
        replace(fetches, source=End(namespace="training", labels=INTERNET_EGRESS))
    ).allowed


@pytest.mark.parametrize("service", ["kms", "sts", "secretsmanager"])
def test_services_with_an_endpoint_in_the_vpc_are_reached(prod: Any, service: str) -> None:
    """No program of ours calls them, but a team's may."""
    found = addresses(prod, "aws", f"{service}.ap-south-1.amazonaws.com")
    for address in found:
        assert address != ABROAD
        assert (
            rendered.network(prod, "aws").judge(Connection(End(namespace="training"), address, 443)).allowed
        )
    assert addresses(prod, "aws", f"{service}.us-east-1.amazonaws.com") == [ABROAD]


@pytest.mark.parametrize(
    ("cloud", "less", "why"),
    [
        ("aws", "169.254.170.23/32", "to 169.254.170.23 on 80/TCP"),
        ("aws", rendered.S3_RANGES["ap-south-1"], "to 3.5.208.1 on 443/TCP"),
        ("gcp", "169.254.169.254/32", "to 169.254.169.254 on 80/TCP"),
        ("gcp", "199.36.153.8/30", "to 199.36.153.8 on 443/TCP"),
    ],
    indirect=["cloud"],
)
def test_without_its_rule_a_call_is_refused_and_the_policies_named(
    prod: Any, cloud: str, network: Network, less: str, why: str
) -> None:
    trainer = container(prod, cloud, "trainer")
    without = replace(network, policies=[_without(policy, less) for policy in network.policies])
    refusals = [found.why for way in ways(prod, cloud, trainer) if not (found := without.judge(way)).allowed]
    assert refusals
    assert why in refusals[0]
    # Where the tracking server is, its way out is one policy more.
    assert re.search(
        "no egress rule of training/allow-egress, training/default-deny(, training/to-tracking)? allows it$",
        refusals[0],
    ), refusals


def _without(policy: Any, cidr: str) -> Any:
    """A policy less the peers of a block; a rule that has no peer left would let everybody through."""
    kept = [
        {**rule, "to": peers}
        for rule in policy["spec"].get("egress") or ()
        if (peers := [peer for peer in rule["to"] if peer.get("ipBlock", {}).get("cidr") != cidr])
    ]
    return {**policy, "spec": {**policy["spec"], "egress": kept}}


def unused_on_purpose(cloud: str) -> Iterator[str]:
    with Path(__file__).with_name("unused_ways.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            assert row["reason"], row
            if row["cloud"] == cloud:
                yield from (f"{space}/{row['policy']}: {row['rule']}" for space in row["namespaces"].split())


def test_no_way_out_is_open_that_nothing_uses(prod: Any, cloud: str, network: Network) -> None:
    used = [way for each in PROGRAMS for way in ways(prod, cloud, container(prod, cloud, each.container))]
    used += [way for way in between_pods(prod, cloud) if way.source.namespace in NAMESPACES]
    used.append(Connection(End(namespace="serving", labels=INTERNET_EGRESS), ABROAD, 443))
    rests_on = {str(rule) for way in used for rule in network.allowing(way, "Egress")}
    unused = {str(rule) for policy in network.policies for rule in rules(policy, "Egress")} - rests_on
    on_purpose = set(unused_on_purpose(cloud))
    assert not (too_much := sorted(unused - on_purpose)), f"open, and used by no call: {too_much}"
    assert not (stale := sorted(on_purpose - unused)), f"in unused_ways.csv, but used or closed: {stale}"
