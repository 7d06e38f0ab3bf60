"""Org: what a folder forbids."""

from __future__ import annotations

import pytest

from infra.gcp.org import SWITCHED_ON, Org, OrgArgs


@pytest.fixture(scope="module")
def build(deploy):
    def run(**more):
        return deploy(lambda: Org("org", OrgArgs("folders/12", "unit-project", "asia-south1", **more)).urn)

    return run


@pytest.fixture(scope="module")
def rules(build):
    return _rules(build())


def _rules(made):
    return {
        policy.inputs["name"].rpartition("/")[2]: policy.inputs["spec"]["rules"]
        for policy in made.of("orgpolicy/policy:Policy").values()
    }


def test_places_are_the_regions_of_india(rules, build):
    allowed = rules["gcp.resourceLocations"][0]["values"]["allowedValues"]
    assert allowed == ["in:asia-south1-locations", "in:asia-south2-locations"]
    both = _rules(build(dual_region=True))["gcp.resourceLocations"][0]["values"]["allowedValues"]
    assert both == [*allowed, "in:in-locations"]


def test_global_endpoints_are_closed(rules):
    assert rules["gcp.restrictEndpointUsage"] == [{"values": {"deniedValues": ["aiplatform.googleapis.com"]}}]


def test_keys_are_of_this_project(rules):
    assert rules["gcp.restrictCmekCryptoKeyProjects"][0]["values"]["allowedValues"] == [
        "projects/unit-project"
    ]
    assert "storage.googleapis.com" in rules["gcp.restrictNonCmekServices"][0]["values"]["deniedValues"]


@pytest.mark.parametrize("constraint", SWITCHED_ON)
def test_what_is_on_is_on(rules, constraint):
    assert rules[constraint] == [{"enforce": "TRUE"}]


def test_policies_are_of_the_folder_and_new_logs_stay_in_the_region(build):
    made = build()
    for policy in made.of("orgpolicy/policy:Policy").values():
        assert policy.inputs["parent"] == "folders/12"
        assert policy.inputs["name"].startswith("folders/12/policies/")
    assert made.one("folderSettings:FolderSettings").inputs["storageLocation"] == "asia-south1"
    assert made.one("folderSettings:FolderSettings").inputs["folder"] == "12"
