"""The cluster: private, under keys, with all its logs, and nodes that can do little."""

from __future__ import annotations

import json

import pytest

from infra.gcp.cluster import Cluster, ClusterArgs, kubeconfig
from infra.gcp.network import Network, NetworkArgs
from infra.settings.google_pools import GoogleSystemPool

CIDRS = ("10.64.0.0/20", "10.68.0.0/14", "10.65.0.0/20")


@pytest.fixture(scope="module")
def build(deploy, project, personal, key):
    def run(**more):
        def program():
            network = Network("net", NetworkArgs(project, "unit", *CIDRS))
            cluster = Cluster(
                "cluster",
                ClusterArgs(
                    project, personal, "unit", "1.35", network, key("cluster"), GoogleSystemPool(), **more
                ),
            )
            return {"kubeconfig": cluster.kubeconfig}

        return deploy(program)

    return run


@pytest.fixture(scope="module")
def made(build):
    return build()


@pytest.fixture(scope="module")
def control_plane(made):
    return made.one("container/cluster:Cluster").inputs


def test_only_the_vpc_reaches_the_control_plane(control_plane):
    assert control_plane["privateClusterConfig"]["enablePrivateEndpoint"] is True
    assert control_plane["privateClusterConfig"]["enablePrivateNodes"] is True
    allowed = control_plane["masterAuthorizedNetworksConfig"]
    assert allowed["gcpPublicCidrsAccessEnabled"] is False
    assert {block["cidrBlock"] for block in allowed["cidrBlocks"]} == set(CIDRS[:2])
    dns = control_plane["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]
    assert dns["allowExternalTraffic"] is False


def test_it_is_regional_and_moves_with_its_channel(control_plane):
    assert control_plane["location"] == "asia-south1"
    assert control_plane["releaseChannel"] == {"channel": "REGULAR"}
    assert control_plane["minMasterVersion"] == "1.35"
    (stays,) = control_plane["maintenancePolicy"]["maintenanceExclusions"]
    assert stays["exclusionOptions"]["scope"] == "NO_MINOR_OR_NODE_UPGRADES"


def test_secrets_and_pods_are_guarded(control_plane):
    encryption = control_plane["databaseEncryption"]
    assert encryption["state"] == "ENCRYPTED"
    assert encryption["keyName"].endswith("/cryptoKeys/cluster")
    assert control_plane["datapathProvider"] == "ADVANCED_DATAPATH"
    assert control_plane["workloadIdentityConfig"] == {"workloadPool": "unit-project.svc.id.goog"}
    assert control_plane["enableShieldedNodes"] is True
    assert control_plane["enableLegacyAbac"] is False
    assert control_plane["masterAuth"] == {"clientCertificateConfig": {"issueClientCertificate": False}}


def test_all_its_logs_are_on(control_plane):
    assert set(control_plane["loggingConfig"]["enableComponents"]) == {
        "SYSTEM_COMPONENTS",
        "WORKLOADS",
        "APISERVER",
        "SCHEDULER",
        "CONTROLLER_MANAGER",
    }
    assert control_plane["costManagementConfig"] == {"enabled": True}


@pytest.mark.parametrize("protected", [True, False])
def test_deletion_protection_is_said_either_way(build, protected):
    cluster = build(deletion_protection=protected).one("container/cluster:Cluster").inputs
    assert cluster["deletionProtection"] is protected


def test_the_pool_that_gke_insists_on_goes_and_is_as_safe(control_plane):
    assert control_plane["removeDefaultNodePool"] is True
    assert control_plane["nodeConfig"]["bootDiskKmsKey"].endswith("/cryptoKeys/cluster")
    assert control_plane["nodeConfig"]["serviceAccount"] == "unit-nodes@unit-project.iam.gserviceaccount.com"


def test_the_system_pool(made):
    pool = made.one("container/nodePool:NodePool", "cluster-system").inputs
    assert pool["autoscaling"] == {
        "totalMinNodeCount": 2,
        "totalMaxNodeCount": 4,
        "locationPolicy": "BALANCED",
    }
    assert pool["nodeLocations"] == ["asia-south1-a", "asia-south1-b", "asia-south1-c"]
    nodes = pool["nodeConfig"]
    assert nodes["machineType"] == "e2-standard-4"
    assert nodes["spot"] is False
    assert "taints" not in nodes and "guestAccelerators" not in nodes
    assert nodes["shieldedInstanceConfig"] == {"enableSecureBoot": True, "enableIntegrityMonitoring": True}
    assert nodes["workloadMetadataConfig"] == {"mode": "GKE_METADATA"}
    assert nodes["metadata"] == {"disable-legacy-endpoints": "true"}
    assert nodes["labels"] == {"india-ai-infra/pool": "system"}


def test_nodes_have_an_account_of_their_own_with_the_least(made):
    assert made.one("serviceaccount/account:Account").inputs["accountId"] == "unit-nodes"
    roles = {grant.inputs["role"] for grant in made.of("projects/iAMMember:IAMMember").values()}
    assert roles == {"roles/container.defaultNodeServiceAccount", "roles/artifactregistry.reader"}
    cluster = made.one("container/cluster:Cluster")
    assert {grant.urn for grant in made.of("projects/iAMMember:IAMMember").values()} <= cluster.depends_on


def test_multi_networking_only_where_a_fabric_needs_it(build):
    assert (
        build(multi_networking=True).one("container/cluster:Cluster").inputs["enableMultiNetworking"] is True
    )


def test_the_kubeconfig_holds_no_secret(made):
    config = json.loads(made.result["kubeconfig"])
    assert config["clusters"][0]["cluster"] == {
        "server": "https://10.64.0.2",
        "certificate-authority-data": "Q0E=",
    }
    assert config["users"][0]["user"]["exec"]["command"] == "gke-gcloud-auth-plugin"
    assert "https://127.0.0.1:1" in kubeconfig("local", "https://127.0.0.1:1", "Q0E="), (
        "as a local cloud says it"
    )
