"""The monthly price: what is counted, and that an unknown price is not a zero in disguise."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.catalog import MONTH_HOURS, machine, monthly

L4 = machine("ap-south-1", "g6.xlarge")


def test_services_are_counted_by_what_is_paid_for() -> None:
    items = monthly.services(
        [
            ("aws:ec2/natGateway:NatGateway", {}),
            (
                "aws:ec2/vpcEndpoint:VpcEndpoint",
                {"vpcEndpointType": "Interface", "subnetIds": ["a", "b", "c"]},
            ),
            ("aws:ec2/vpcEndpoint:VpcEndpoint", {"vpcEndpointType": "Gateway", "routeTableIds": ["a"]}),
            ("aws:iam/role:Role", {}),
        ]
    )
    assert [(item.what.split()[0], item.count) for item in items] == [("NAT", 1), ("interface", 3)]
    assert items[0].usd == pytest.approx(0.056 * MONTH_HOURS)


def test_machines_are_priced_as_bought_and_all_on_demand() -> None:
    (spot,) = monthly.machines([(L4, True), (L4, True)])
    assert L4.spot_usd is not None
    assert L4.on_demand_usd is not None
    assert spot.usd == pytest.approx(2 * L4.spot_usd * MONTH_HOURS)
    assert spot.on_demand_usd == pytest.approx(2 * L4.on_demand_usd * MONTH_HOURS)


def test_a_price_that_nobody_knows_stays_unknown() -> None:
    (item,) = monthly.machines([(replace(L4, on_demand_usd=None), False)])
    assert item.usd is None


@given(st.lists(st.booleans(), max_size=20))
def test_every_node_is_in_the_bill_once(bought: list[bool]) -> None:
    items = monthly.machines([(L4, spot) for spot in bought])
    assert sum(item.count for item in items) == len(bought)
