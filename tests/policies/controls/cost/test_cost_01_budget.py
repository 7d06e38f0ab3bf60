"""COST-01 through the real servicer: a stack over its budget is told which three things cost most."""

from __future__ import annotations

from typing import Any

import pytest

from infra.catalog.machines import machine
from tests.policies.harness import UNKNOWN, Shown, failures, run

MUMBAI = Shown("pulumi:providers:aws", {"region": "ap-south-1"}, "aws")
CLUSTER = Shown("aws:eks/cluster:Cluster", {}, "cluster")
NAT = Shown("aws:ec2/natGateway:NatGateway", {}, "nat")


def budget(inr: Any, usd_inr: Any = 100) -> Shown:
    usage = {"natGib": 0, "lakeGib": 0, "endpointGib": 0, "internetGib": 0, "logGib": 0}
    told = {"monthlyInr": inr, "currency": {"usdInr": usd_inr, "asOf": "2026-11-24"}, "usage": usage}
    return Shown("india-ai-infra:index:Budget", told, "budget")


def nodes(count: Any, machine: str = "p5.48xlarge") -> Shown:
    sizes = dict.fromkeys(("minSize", "desiredSize", "maxSize"), count)
    inputs = {"instanceTypes": [machine], "capacityType": "SPOT", "scalingConfig": sizes}
    return Shown("aws:eks/nodeGroup:NodeGroup", inputs, "fabric")


def test_within_it_passes() -> None:
    # The cluster is 73 dollars a month, the gateway 40.88.
    assert failures(run(MUMBAI, budget(11_389), CLUSTER, NAT), "COST-01") == []


def test_over_it_names_the_three_dearest() -> None:
    shown = [MUMBAI, budget(11_387), CLUSTER, NAT, nodes(2), Shown("aws:kms/key:Key", {}, "key")]
    (message,) = failures(run(*shown), "COST-01")
    assert "over its budget of ₹11,387" in message
    named = message[message.index("dearest smaller") :]
    assert named.index("p5.48xlarge spot") < named.index("EKS control plane") < named.index("NAT gateway")
    assert "KMS key" not in message


def test_credits_are_not_taken_off() -> None:
    """They end on a day; the stack would be over its budget on the next."""
    tight = budget(11_387)
    credit = {"inr": 10**6, "until": "2027-03-31", "source": "AWS Activate"}
    with_credit = Shown(tight.type, {**tight.props, "credits": [credit]}, "budget")
    assert failures(run(MUMBAI, with_credit, CLUSTER, NAT), "COST-01")


def test_the_budget_is_the_urn_of_the_finding() -> None:
    (found,) = [one for one in run(MUMBAI, budget(1), CLUSTER) if "COST-01" in one.message]
    assert found.urn == budget(1).urn
    assert found.policyName == "cost-01-stack-within-its-budget"


def test_a_stack_without_a_budget_is_not_judged_unless_told_one() -> None:
    assert failures(run(MUMBAI, CLUSTER), "COST-01") == []
    told = {"cost-01-stack-within-its-budget": {"monthlyInr": 7_000, "usdInr": 100}}
    assert failures(run(MUMBAI, CLUSTER, config=told), "COST-01")
    assert failures(run(MUMBAI, config=told), "COST-01") == []


@pytest.mark.parametrize("wrong", [-1, "much", True, UNKNOWN])
def test_a_budget_that_cannot_be_compared_does_not_pass(wrong: Any) -> None:
    assert failures(run(MUMBAI, budget(wrong), CLUSTER), "COST-01")


@pytest.mark.parametrize("figure", ["low", "expected", "high"])
def test_the_figure_is_a_setting(figure: str) -> None:
    group = nodes(0)
    group.props["scalingConfig"] = {"minSize": 1, "desiredSize": 2, "maxSize": 3}
    counts = {"low": 1, "expected": 2, "high": 3}
    # Where the group has no zone: the cheapest at least, the median as expected, the dearest at most.
    quote = machine("ap-south-1", "p5.48xlarge").quote("spot")
    assert quote
    usd = {"low": quote.low, "expected": quote.usd, "high": quote.high}[figure] * 730
    config = {"cost-01-stack-within-its-budget": {"figure": figure}}
    for nodes_paid, over in ((counts[figure] - 0.5, True), (counts[figure] + 0.5, False)):
        shown = run(MUMBAI, budget(nodes_paid * usd * 100), group, config=config)
        assert bool(failures(shown, "COST-01")) == over
