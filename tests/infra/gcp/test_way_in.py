"""The way in to the cluster on Google Cloud: authorised networks, the DNS endpoint, the jump host."""

from __future__ import annotations

import json
import shlex
from ipaddress import IPv4Network

import pytest

from infra.gcp.cluster import Cluster, ClusterArgs, Reach
from infra.gcp.jump_host import IAP, PROXY_URL, TUNNEL_PORT, JumpHost, JumpHostArgs
from infra.gcp.network import Network, NetworkArgs
from infra.settings.google_pools import GoogleSystemPool

CIDRS = ("10.64.0.0/20", "10.68.0.0/14", "10.65.0.0/20")
MEMBERS = ["group:platform@example.in", "serviceAccount:ci@p-1.iam.gserviceaccount.com"]
DNS = "gke-0123.asia-south1.gke.goog"
OUTPUTS = {
    "gcp:container/cluster:Cluster": {"controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"endpoint": DNS}}}
}


@pytest.fixture(scope="module")
def build(deploy, project, personal, key):
    def run(reach):
        def program():
            network = Network("net", NetworkArgs(project, "unit", *CIDRS))
            host = JumpHost(
                "jump-host", JumpHostArgs(project, personal, "unit", network, key("cluster"), MEMBERS)
            )
            args = ClusterArgs(
                project, personal, "unit", "1.35", network, key("cluster"), GoogleSystemPool(), reach=reach
            )
            return {"kubeconfig": Cluster("cluster", args).kubeconfig, "tunnel": host.tunnel}

        return deploy(program, outputs=OUTPUTS)

    return run


@pytest.fixture(scope="module")
def made(build):
    return build(Reach(("10.1.0.0/16",), proxy_url=PROXY_URL, deployers=MEMBERS))


def test_the_authorised_networks_are_the_clusters_and_the_deployers(made):
    allowed = made.one("container/cluster:Cluster").inputs["masterAuthorizedNetworksConfig"]
    assert {block["cidrBlock"] for block in allowed["cidrBlocks"]} == {*CIDRS[:2], "10.1.0.0/16"}


def test_the_dns_endpoint_is_closed_unless_it_is_asked_for(made, build):
    def of(recorded):
        given = recorded.one("container/cluster:Cluster").inputs["controlPlaneEndpointsConfig"]
        return given["dnsEndpointConfig"]["allowExternalTraffic"]

    assert of(made) is False
    opened = build(Reach(dns_endpoint=True))
    assert of(opened) is True
    (cluster,) = json.loads(opened.result["kubeconfig"])["clusters"]
    assert cluster["cluster"] == {"server": f"https://{DNS}"}, "a public authority signs its certificate"


def test_by_the_address_the_clusters_own_authority_counts(made):
    (cluster,) = json.loads(made.result["kubeconfig"])["clusters"]
    assert cluster["cluster"] == {
        "server": "https://10.64.0.2",
        "certificate-authority-data": "Q0E=",
        "proxy-url": f"socks5://127.0.0.1:{TUNNEL_PORT}",
    }


def test_the_jump_host_has_no_address_and_stands_where_the_api_server_answers(made):
    vm = made.one("compute/instance:Instance").inputs
    (card,) = vm["networkInterfaces"]
    assert "accessConfigs" not in card
    assert card["subnetwork"] == made.one("container/cluster:Cluster").inputs["subnetwork"]
    blocks = made.one("container/cluster:Cluster").inputs["masterAuthorizedNetworksConfig"]["cidrBlocks"]
    subnet = IPv4Network(made.one("compute/subnetwork:Subnetwork").inputs["ipCidrRange"])
    assert any(subnet.subnet_of(IPv4Network(block["cidrBlock"])) for block in blocks)


def test_the_jump_host_is_shielded_and_its_account_may_do_nothing(made):
    vm = made.one("compute/instance:Instance").inputs
    assert vm["shieldedInstanceConfig"] == {
        "enableSecureBoot": True,
        "enableVtpm": True,
        "enableIntegrityMonitoring": True,
    }
    assert vm["metadata"] == {"enable-oslogin": "TRUE", "block-project-ssh-keys": "TRUE"}
    assert vm["bootDisk"]["kmsKeySelfLink"].endswith("/cryptoKeys/cluster")
    own = vm["serviceAccount"]["email"]
    granted = [found for found in made.resources if found.inputs.get("member") == f"serviceAccount:{own}"]
    assert granted == []


def test_iap_alone_reaches_it_and_nothing_else_in_the_vpc(made):
    rule = made.one("compute/firewall:Firewall", "jump-host-iap").inputs
    vm = made.one("compute/instance:Instance").inputs
    assert rule["sourceRanges"] == [IAP]
    assert rule["targetServiceAccounts"] == [vm["serviceAccount"]["email"]]
    assert rule["allows"] == [{"protocol": "tcp", "ports": ["22"]}]


def test_every_deployer_may_open_the_tunnel_and_administer_the_cluster(made):
    roles: dict[str, set[str]] = {}
    for found in made.resources:
        if found.inputs.get("member") in MEMBERS:
            roles.setdefault(found.inputs["member"], set()).add(found.inputs["role"])
    wanted = {
        "roles/container.admin",
        "roles/iap.tunnelResourceAccessor",
        "roles/compute.osLogin",
        "roles/compute.viewer",
        "roles/iam.serviceAccountUser",
    }
    assert roles == dict.fromkeys(MEMBERS, wanted)
    admin = {found.urn for found in made.resources if found.inputs.get("role") == "roles/container.admin"}
    assert admin <= made.one("providers:kubernetes").depends_on


def test_the_tunnel_is_one_command(made):
    words = shlex.split(made.result["tunnel"])
    vm = made.one("compute/instance:Instance").inputs
    assert words[:4] == ["gcloud", "compute", "ssh", vm["name"]]
    assert words[words.index("--zone") + 1] == vm["zone"]
    assert "--tunnel-through-iap" in words
    assert words[words.index("-D") + 1] == str(TUNNEL_PORT)
