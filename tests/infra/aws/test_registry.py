"""ECR as a mirror: what it fetches, under which key and rights, and what it is not asked for."""

import json
import re
from typing import Any

import pytest
from botocore.session import get_session

from infra.aws.registry import ADDON_REGISTRIES, EKS_ADDONS, UPSTREAMS, Registry, RegistryArgs, prefix
from infra.geography import regions_of
from infra.settings.aws import Registries
from infra.settings.errors import SettingsError

KEY = "arn:aws:kms:ap-south-1:111122223333:key/cluster"
ROLES = {"nodes": "managed", "karpenter-nodes": "karpenter"}
HOME = "111122223333.dkr.ecr.ap-south-1.amazonaws.com"
REPOSITORIES = "arn:aws:ecr:ap-south-1:111122223333:repository/mirror-prod/*"


def secret(name, account="111122223333"):
    return f"arn:aws:secretsmanager:ap-south-1:{account}:secret:ecr-pullthroughcache/{name}-AbCdEf"


@pytest.fixture
def build(deploy, account):
    def run(**asked):
        def program():
            args = RegistryArgs(account, "ml-platform", "prod", Registries(**asked), KEY, ROLES)
            return dict(Registry("registry", args).mirrors)

        return deploy(program)

    return run


def rules(made):
    found = made.of("ecr/pullThroughCacheRule:PullThroughCacheRule").values()
    return {rule.inputs["ecrRepositoryPrefix"]: rule.inputs for rule in found}


def test_open_upstreams_are_mirrored_and_the_others_wait_for_what_they_need(build):
    made = build()
    assert made.result == {
        EKS_ADDONS: ADDON_REGISTRIES["ap-south-1"],
        "registry.k8s.io": f"{HOME}/mirror-prod/k8s",
        "quay.io": f"{HOME}/mirror-prod/quay",
        "public.ecr.aws": f"{HOME}/mirror-prod/public",
    }
    urls = {name: rule["upstreamRegistryUrl"] for name, rule in rules(made).items()}
    assert urls == {
        "mirror-prod/k8s": "registry.k8s.io",
        "mirror-prod/quay": "quay.io",
        "mirror-prod/public": "public.ecr.aws",
    }


def test_a_secret_lets_ecr_fetch_and_images_copied_by_hand_need_no_rule(build):
    made = build(githubSecret=secret("github"), dockerHubSecret=secret("docker"), copied=["nvcr.io"])
    assert set(made.result) == {EKS_ADDONS, *UPSTREAMS}
    found = rules(made)
    assert found["mirror-prod/github"]["credentialArn"] == secret("github")
    assert found["mirror-prod/docker"]["credentialArn"] == secret("docker")
    assert found["mirror-prod/docker"]["upstreamRegistryUrl"] == "registry-1.docker.io"
    assert len(found) == len(UPSTREAMS) - 1
    by_hand = build(copied=["ghcr.io"])
    assert by_hand.result["ghcr.io"] == f"{HOME}/mirror-prod/github"
    assert "mirror-prod/github" not in rules(by_hand)


def test_a_secret_of_another_account_is_refused(build):
    with pytest.raises(
        SettingsError, match=r"aws.registries.githubSecret: .*\n.* a secret of account 111122223333"
    ):
        build(githubSecret=secret("github", "999988887777"))


def test_repositories_are_encrypted_and_their_tags_never_move(build):
    template = build().one("ecr/repositoryCreationTemplate:RepositoryCreationTemplate").inputs
    assert template["prefix"] == "mirror-prod"
    assert set(template["appliedFors"]) == {"PULL_THROUGH_CACHE", "CREATE_ON_PUSH"}
    assert template["encryptionConfigurations"] == [{"encryptionType": "KMS", "kmsKey": KEY}]
    assert template["imageTagMutability"] == "IMMUTABLE"
    (rule,) = json.loads(template["lifecyclePolicy"])["rules"]
    assert rule["selection"]["countType"] == "imageCountMoreThan", "an image in use is never too old"


def test_nodes_and_ecr_may_make_the_stacks_repositories_and_no_others(build):
    made = build()
    for which, role in ROLES.items():
        grant = made.one("iam/rolePolicy:RolePolicy", f"registry-{which}")
        assert grant.inputs["role"] == role
        assert grant.policy()["FirstPull"]["Resource"] == REPOSITORIES
        assert grant.policy()["FirstPull"]["Action"] == [
            "ecr:BatchImportUpstreamImage",
            "ecr:CreateRepository",
        ]
    creator = made.one("iam/rolePolicy:RolePolicy", "registry-creator").policy()
    assert creator["MakeRepositories"]["Resource"] == REPOSITORIES
    assert creator["UnderTheKey"]["Resource"] == KEY
    trust = made.one("iam/role:Role", "registry-creator").policy("assumeRolePolicy")["Assume"]
    assert trust["Principal"] == {"Service": "ecr.amazonaws.com"}


def test_without_a_mirror_only_the_eks_add_ons_have_one(build):
    made = build(mirror=False)
    assert made.result == {EKS_ADDONS: ADDON_REGISTRIES["ap-south-1"]}
    assert [found.type for found in made.resources] == ["india-ai-infra:aws:Registry"]


def test_every_region_has_its_own_registry_of_eks_add_ons():
    assert set(ADDON_REGISTRIES) == set(regions_of("aws"))
    for region, registry in ADDON_REGISTRIES.items():
        assert registry.endswith(f".dkr.ecr.{region}.amazonaws.com")


@pytest.mark.parametrize("stack", ["prod", "Team.A_x", "a-very-long-name-of-a-stack", "x" * 14 + "-y"])
def test_ecr_takes_the_prefix_of_any_stack(stack):
    model = get_session().get_service_model("ecr").operation_model("CreatePullThroughCacheRule")
    rule: Any = model.input_shape
    shape = rule.members["ecrRepositoryPrefix"]
    for upstream in UPSTREAMS.values():
        name = f"{prefix(stack)}/{upstream.prefix}"
        assert re.fullmatch(r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*", name)
        assert len(name) <= shape.metadata["max"]
