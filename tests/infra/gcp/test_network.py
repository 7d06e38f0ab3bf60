"""The network: private addresses only, one way out, and everything else dropped and written down."""

from __future__ import annotations

import pytest

from infra.gcp.network import PRIVATE_APIS, Network, NetworkArgs

ARGS = ("unit", "10.64.0.0/20", "10.68.0.0/14", "10.65.0.0/20")


@pytest.fixture(scope="module")
def made(deploy, project):
    def program():
        network = Network("net", NetworkArgs(project, *ARGS))
        return {"network": network.network, "https": network.https_cidrs}

    return deploy(program)


def test_one_subnet_for_nodes_pods_and_services(made):
    assert made.one("compute/network:Network").inputs["autoCreateSubnetworks"] is False
    subnet = made.one("compute/subnetwork:Subnetwork").inputs
    assert subnet["ipCidrRange"] == "10.64.0.0/20"
    assert {r["rangeName"]: r["ipCidrRange"] for r in subnet["secondaryIpRanges"]} == {
        "pods": "10.68.0.0/14",
        "services": "10.65.0.0/20",
    }
    assert subnet["privateIpGoogleAccess"] is True
    assert subnet["region"] == "asia-south1"


def test_every_flow_is_logged(made):
    log = made.one("compute/subnetwork:Subnetwork").inputs["logConfig"]
    assert log["flowSampling"] == 1.0
    assert made.one("compute/routerNat:RouterNat").inputs["logConfig"] == {
        "enable": True,
        "filter": "ERRORS_ONLY",
    }


def test_what_no_rule_names_is_dropped_and_written_down(made):
    rules = made.of("compute/firewall:Firewall")
    for direction, name in (("INGRESS", "net-deny-in"), ("EGRESS", "net-deny-out")):
        last = rules[name].inputs
        assert last["direction"] == direction
        assert last["denies"] == [{"protocol": "all"}]
        assert "logConfig" in last
        assert all(
            last["priority"] > rule.inputs["priority"] for rule in rules.values() if "allows" in rule.inputs
        )


def test_nothing_comes_in_from_outside(made):
    inside = {"10.64.0.0/20", "10.68.0.0/14"}
    for rule in made.of("compute/firewall:Firewall").values():
        if rule.inputs["direction"] == "INGRESS" and "allows" in rule.inputs:
            assert set(rule.inputs["sourceRanges"]) <= inside
        if rule.inputs["direction"] == "EGRESS" and "0.0.0.0/0" in rule.inputs["destinationRanges"]:
            assert rule.inputs.get("allows", [{"protocol": "tcp", "ports": ["443"]}]) == [
                {"protocol": "tcp", "ports": ["443"]}
            ]


def test_googles_apis_are_found_at_their_private_addresses(made):
    assert made.result["https"] == ["10.64.0.0/20", PRIVATE_APIS]
    zones = made.of("dns/managedZone:ManagedZone")
    assert {zone.inputs["dnsName"] for zone in zones.values()} == {"googleapis.com.", "gcr.io.", "pkg.dev."}
    assert {zone.inputs["visibility"] for zone in zones.values()} == {"private"}
    record = made.one("dns/recordSet:RecordSet", "net-googleapis-com-a").inputs
    assert record["rrdatas"] == [f"199.36.153.{last}" for last in range(8, 12)]
    assert made.one("dns/recordSet:RecordSet", "net-pkg-dev-cname").inputs["rrdatas"] == ["pkg.dev."]
