"""Artifact Registry as a mirror: one repository for each upstream, in the region and under the key."""

import pytest

from infra.gcp.registry import UPSTREAMS, Registry, RegistryArgs, repository
from infra.settings.gcp import GoogleRegistries

HOME = "asia-south1-docker.pkg.dev/unit-project"


@pytest.fixture
def build(deploy, project, key):
    def run(mirror=True):
        def program():
            args = RegistryArgs(project, "ml-prod-gcp", GoogleRegistries(mirror=mirror), key("cluster"))
            return dict(Registry("registry", args).mirrors)

        return deploy(program)

    return run


def test_every_upstream_has_a_repository_and_an_address(build):
    made = build()
    found = {r.inputs["repositoryId"]: r.inputs for r in made.of("repository:Repository").values()}
    assert set(made.result) == set(UPSTREAMS)
    for upstream, address in made.result.items():
        base, _, id_ = address.rpartition("/")
        assert base == HOME
        repository = found.pop(id_)
        assert repository["mode"] == "REMOTE_REPOSITORY"
        assert repository["format"] == "DOCKER"
        source = repository["remoteRepositoryConfig"]["dockerRepository"]
        if upstream == "docker.io":
            assert source == {"publicRepository": "DOCKER_HUB"}
        else:
            assert source == {"customRepository": {"uri": f"https://{upstream}"}}
    assert not found


def test_images_stay_in_the_region_under_the_key_and_the_newest_are_kept(build):
    for made in build().of("repository:Repository").values():
        assert made.inputs["location"] == "asia-south1"
        assert made.inputs["kmsKeyName"].endswith("/cluster")
        assert {policy["action"] for policy in made.inputs["cleanupPolicies"]} == {"DELETE", "KEEP"}


def test_without_a_mirror_there_is_none(build):
    made = build(mirror=False)
    assert made.result == {}
    assert not made.of("repository:Repository")


def test_a_long_name_still_makes_an_id_that_google_takes():
    ids = {repository("a" * 80, upstream) for upstream in UPSTREAMS}
    assert len(ids) == len(UPSTREAMS)
    assert max(map(len, ids)) <= 63
