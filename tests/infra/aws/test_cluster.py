"""The cluster: closed to the outside, encrypted, logged, and with nodes that can join."""

import json

import pulumi
import pytest

from infra.aws.addons import ADDONS
from infra.aws.cluster import ADMIN_POLICY, LOG_TYPES, Cluster, ClusterArgs, kubeconfig
from infra.aws.deployer import Deployer
from infra.aws.network import Network, NetworkArgs
from infra.settings import aws as settings
from infra.settings.pools import SystemPool
from tests.mock_engine import once

NAME = "india-ai-infra-unit"
KEY = "arn:aws:kms:ap-south-1:111122223333:key/cluster"
LOGS_KEY = "arn:aws:kms:ap-south-1:111122223333:key/logs"
DEPLOYER = "arn:aws:iam::111122223333:role/deployer"
DEPLOYERS = [Deployer("role/deployer", DEPLOYER)]
ZONES = ("aps1-az1", "aps1-az2", "aps1-az3")
EKS_OUTPUTS = {
    "aws:eks/cluster:Cluster": lambda given: {
        "endpoint": "https://eks.local",
        "certificateAuthority": {"data": "Q0E="},
        "vpcConfig": {**given["vpcConfig"], "clusterSecurityGroupId": "sg-cluster"},
    },
    "aws:ec2/launchTemplate:LaunchTemplate": {"latestVersion": 1},
}


@pytest.fixture(scope="module")
def made(deploy, account, personal):
    def run(**over):
        def program():
            network = Network("net", NetworkArgs(account, personal, NAME, "10.0.0.0/16", ZONES, LOGS_KEY))
            args = ClusterArgs(
                account=account,
                governance=personal,
                name=NAME,
                version="1.35",
                network=network,
                deployers=DEPLOYERS,
                cluster_key_arn=KEY,
                logs_key_arn=LOGS_KEY,
                system=SystemPool(machine_type="m6a.xlarge", min_nodes=2, max_nodes=4),
                **over,
            )
            cluster = Cluster("cluster", args)
            return {"kubeconfig": cluster.kubeconfig, "sg": cluster.security_group_id}

        return deploy(program, outputs=EKS_OUTPUTS)

    return once(run)


def test_only_the_vpc_reaches_the_api(made):
    cluster = made().one("eks/cluster:Cluster").inputs
    assert cluster["vpcConfig"]["endpointPrivateAccess"] is True
    assert cluster["vpcConfig"]["endpointPublicAccess"] is False
    assert len(cluster["vpcConfig"]["subnetIds"]) == 3


def test_secrets_are_under_the_cluster_key_and_its_role_may_use_it(made):
    recorded = made()
    encryption = recorded.one("eks/cluster:Cluster").inputs["encryptionConfig"]
    assert encryption == {"provider": {"keyArn": KEY}, "resources": ["secrets"]}
    statement = recorded.one("iam/rolePolicy:RolePolicy", "cluster-secrets").policy()["EncryptSecrets"]
    assert statement["Resource"] == KEY


def test_all_logs_go_to_a_group_that_is_there_first(made):
    recorded = made(log_days=400)
    cluster, logs = recorded.one("eks/cluster:Cluster"), recorded.one("logGroup:LogGroup", "cluster")
    assert set(cluster.inputs["enabledClusterLogTypes"]) == set(LOG_TYPES)
    assert len(LOG_TYPES) == 5
    assert logs.inputs["name"] == f"/aws/eks/{NAME}/cluster"
    assert logs.inputs["retentionInDays"] == 400
    assert logs.inputs["kmsKeyId"] == LOGS_KEY
    assert logs.urn in cluster.depends_on


@pytest.mark.parametrize(("asked", "kept"), [(365, 365), (730, 731), (3653, 3653), (5000, 0)])
def test_logs_are_kept_as_long_as_cloudwatch_can_and_never_shorter(made, asked, kept):
    logs = made(log_days=asked).one("logGroup:LogGroup", "cluster")
    assert logs.inputs["retentionInDays"] == kept


def test_access_is_by_entries_alone_and_the_deployer_has_one(made):
    recorded = made()
    cluster = recorded.one("eks/cluster:Cluster").inputs
    assert cluster["accessConfig"] == {
        "authenticationMode": "API",
        "bootstrapClusterCreatorAdminPermissions": False,
    }
    admin = recorded.one("accessPolicyAssociation:AccessPolicyAssociation")
    assert recorded.one("eks/accessEntry:AccessEntry").inputs["principalArn"] == DEPLOYER
    assert (admin.inputs["principalArn"], admin.inputs["policyArn"]) == (DEPLOYER, ADMIN_POLICY)
    provider = recorded.one("providers:kubernetes")
    assert admin.urn in provider.depends_on, "no object can be made before the deployer is let in"


@pytest.mark.parametrize("protected", [True, False])
def test_deletion_protection_is_as_the_stack_says(made, protected):
    cluster = made(deletion_protection=protected).one("eks/cluster:Cluster").inputs
    assert cluster["deletionProtection"] is protected
    assert cluster["upgradePolicy"] == {"supportType": "STANDARD"}
    assert cluster["zonalShiftConfig"] == {"enabled": True}
    assert cluster["bootstrapSelfManagedAddons"] is False


def test_system_nodes(made):
    recorded = made()
    group = recorded.one("eks/nodeGroup:NodeGroup").inputs
    assert group["instanceTypes"] == ["m6a.xlarge"]
    assert group["scalingConfig"] == {"desiredSize": 2, "minSize": 2, "maxSize": 2}
    assert group["labels"] == {"india-ai-infra/pool": "system"}
    assert group["capacityType"] == "ON_DEMAND"
    assert group["amiType"] == "AL2023_x86_64_STANDARD"
    assert group["releaseVersion"].startswith(group["version"] + ".")
    assert "taints" not in group
    assert len(group["subnetIds"]) == 3


def test_disks_are_encrypted_and_metadata_is_guarded(made):
    template = made().one("launchTemplate:LaunchTemplate").inputs
    (disk,) = template["blockDeviceMappings"]
    assert disk["ebs"]["encrypted"] == "true"
    assert disk["ebs"]["kmsKeyId"] == KEY
    assert disk["ebs"]["volumeType"] == "gp3"
    assert template["metadataOptions"]["httpTokens"] == "required"
    assert template["metadataOptions"]["httpPutResponseHopLimit"] == 1
    tagged = {spec["resourceType"]: spec["tags"] for spec in template["tagSpecifications"]}
    assert tagged["volume"]["dpdp:data-class"] == "personal"
    assert set(tagged) == {"instance", "volume"}


def test_addons_come_before_the_nodes_they_make_ready_and_after_those_they_run_on(made):
    recorded = made()
    addons = {found.inputs["addonName"]: found for found in recorded.of("eks/addon:Addon").values()}
    nodes = recorded.one("eks/nodeGroup:NodeGroup")
    assert set(addons) == {addon.name for addon in ADDONS}
    before = {name for name, found in addons.items() if found.urn in nodes.depends_on}
    after = {name for name, found in addons.items() if nodes.urn in found.depends_on}
    assert before == {"vpc-cni", "kube-proxy", "eks-pod-identity-agent"}
    assert after == set(addons) - before


def test_each_addon_has_its_pinned_version_or_the_default_of_the_kubernetes_version(made):
    recorded = made(addon_versions={"coredns": "v9.9.9-eksbuild.1"})
    found = {
        one.inputs["addonName"]: one.inputs["addonVersion"] for one in recorded.of("eks/addon:Addon").values()
    }
    assert set(found) == set(settings.ADDONS)
    assert found.pop("coredns") == "v9.9.9-eksbuild.1"
    assert set(found.values()) == {"v1.0.0-eksbuild.35"}
    asked = [one.args for one in recorded.invokes if one.token.endswith(":getAddonVersion")]
    assert {one["addonName"] for one in asked} == set(found)
    assert not any(one["mostRecent"] for one in asked)


def test_network_policies_are_enforced(made):
    addon = made().one("eks/addon:Addon", "cluster-vpc-cni").inputs
    assert json.loads(addon["configurationValues"])["enableNetworkPolicy"] == "true"


def test_addons_that_call_aws_have_a_role_of_their_own(made):
    recorded = made()
    addon = recorded.one("eks/addon:Addon", "cluster-aws-ebs-csi-driver").inputs
    (identity,) = addon["podIdentityAssociations"]
    assert identity["serviceAccount"] == "ebs-csi-controller-sa"
    trust = recorded.one("iam/role:Role", "cluster-aws-ebs-csi-driver").policy("assumeRolePolicy")["Assume"]
    assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert trust["Condition"]["ArnEquals"]["aws:SourceArn"].endswith(f"cluster/{NAME}")


def test_nodes_wait_for_the_network_and_their_rights(made):
    recorded = made()
    group = recorded.one("eks/nodeGroup:NodeGroup")
    needed = [
        *recorded.of("ec2/route:Route").values(),
        *recorded.of("natGateway:NatGateway").values(),
        *(
            at
            for name, at in recorded.of("RolePolicyAttachment").items()
            if name.startswith("cluster-nodes-")
        ),
    ]
    assert len(needed) > 6
    assert {found.urn for found in needed} <= group.depends_on


def test_node_groups_are_not_left_to_the_clusters_end(made):
    # EKS refuses to delete a cluster that has node groups.
    assert made().one("eks/nodeGroup:NodeGroup").deleted_with == ""


def test_what_the_component_gives(made):
    recorded = made()
    assert recorded.result["sg"] == "sg-cluster"
    assert json.loads(recorded.result["kubeconfig"]) == json.loads(
        kubeconfig(NAME, "ap-south-1", "https://eks.local", "Q0E=")
    )
    assert recorded.one("providers:kubernetes").inputs["kubeconfig"] == recorded.result["kubeconfig"]


def test_the_kubeconfig_holds_no_secret():
    config = json.loads(kubeconfig("c", "ap-south-2", "https://eks", "Q0E="))
    (user,) = config["users"]
    assert list(user["user"]) == ["exec"]
    assert user["user"]["exec"]["args"][:4] == ["eks", "get-token", "--cluster-name", "c"]
    assert "ap-south-2" in user["user"]["exec"]["args"]
    assert config["current-context"] == config["contexts"][0]["name"]


def test_children_are_the_clusters(made):
    recorded = made()
    component = recorded.one("aws:Cluster")
    for found in recorded.resources:
        if found.name.startswith("cluster") and found.urn != component.urn:
            assert found.parent == component.urn, found.urn


def test_it_previews(deploy, account, personal):
    def program():
        network = Network("net", NetworkArgs(account, personal, NAME, "10.0.0.0/16", ZONES, LOGS_KEY))
        Cluster(
            "cluster",
            ClusterArgs(account, personal, NAME, "1.34", network, DEPLOYERS, KEY, LOGS_KEY, SystemPool()),
        )
        return pulumi.Output.from_input(None)

    assert deploy(program, outputs=EKS_OUTPUTS, preview=True).one("eks/cluster:Cluster")
