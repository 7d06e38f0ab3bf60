"""Keys: in India, rotating, and used by the service agents that need them and by nobody else."""

from __future__ import annotations

import pytest

from infra.gcp.keys import USE, Keys, KeysArgs
from policies.readers.locations import gcp_path_place

NUMBER = "123456789012"
USERS = {
    "lake": {f"service-{NUMBER}@gs-project-accounts.iam.gserviceaccount.com"},
    "cluster": {
        f"service-{NUMBER}@gcp-sa-artifactregistry.iam.gserviceaccount.com",
        f"service-{NUMBER}@container-engine-robot.iam.gserviceaccount.com",
        f"service-{NUMBER}@compute-system.iam.gserviceaccount.com",
    },
    "logs": {
        f"service-{NUMBER}@gs-project-accounts.iam.gserviceaccount.com",
        f"cmek-p{NUMBER}@gcp-sa-logging.iam.gserviceaccount.com",
    },
}


@pytest.fixture(scope="module")
def build(deploy, project, personal):
    def run(**more):
        def program():
            keys = Keys("keys", KeysArgs(project, personal, "unit", **more))
            return {use: getattr(keys, use) for use in USERS}

        return deploy(program)

    return run


@pytest.fixture(scope="module")
def made(build):
    return build()


def test_keys_are_in_the_region_and_rotate(made):
    assert made.one("kms/keyRing:KeyRing").inputs["location"] == "asia-south1"
    assert set(made.of("kms/cryptoKey:CryptoKey")) == {f"keys-{use}" for use in USERS}
    for key in made.of("kms/cryptoKey:CryptoKey").values():
        assert int(key.inputs["rotationPeriod"].rstrip("s")) <= 90 * 86_400
        assert key.inputs["labels"]["dpdp-data-class"] == "personal"


@pytest.mark.parametrize("use", list(USERS))
def test_a_key_is_for_its_users_alone(made, use):
    path = made.result[use]
    assert gcp_path_place(path) == "asia-south1"
    grants = [g.inputs for g in made.of("CryptoKeyIAMMember").values() if g.inputs["cryptoKeyId"] == path]
    assert {grant["member"] for grant in grants} == {f"serviceAccount:{user}" for user in USERS[use]}
    assert {grant["role"] for grant in grants} == {USE}


def test_an_agent_that_is_made_on_demand_is_made_first(made):
    agents = made.of("projects/serviceIdentity:ServiceIdentity")
    assert agents["keys-container"].inputs["service"] == "container.googleapis.com"
    grant = made.one("CryptoKeyIAMMember", "keys-cluster-container")
    assert agents["keys-container"].urn in grant.depends_on


@pytest.mark.parametrize("protect", [True, False])
def test_keys_are_kept_or_go_with_the_stack(build, protect):
    assert {key.protect for key in build(protect=protect).of("CryptoKey").values()} == {protect}


def test_the_key_of_a_lake_in_two_regions_is_in_both(build):
    made = build(lake_location="in")
    assert gcp_path_place(made.result["lake"]) == "in"
    assert gcp_path_place(made.result["logs"]) == "asia-south1"
    assert {ring.inputs["location"] for ring in made.of("KeyRing").values()} == {"in", "asia-south1"}
