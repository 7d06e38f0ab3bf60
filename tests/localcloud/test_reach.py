"""Whether a deployer reaches a cluster: what the clouds' own records say, and their words where they say no."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from moto.server import ThreadedMotoServer

from localcloud import deployer, reach
from localcloud.directories import run_dir
from localcloud.kubernetes import clusters
from localcloud.providers.aws.api import ENDPOINT, Api
from localcloud.providers.kubernetes.provider import KubernetesProvider, proxy_of
from localcloud.providers.protocol import Resource, ResourceError
from localcloud.store import Store

pytestmark = pytest.mark.slow

REGION = "ap-south-1"
NAME = "mumbai"
SERVER = "https://127.0.0.1:6443"
CLUSTER = clusters.ClusterAccess(NAME, REGION, SERVER, "Q0E=", Path("kubeconfig.yaml"))
ARN = deployer.arn()
ADMIN = reach.ADMINISTRATORS[0]
AT = f"{REGION}/{NAME}"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    # All motos of a process are one.
    urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    server.stop()


@pytest.fixture
def store(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv(ENDPOINT, endpoint)
    monkeypatch.setenv("INDIA_AI_INFRA_RUN", str(tmp_path))
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    return Store(run_dir() / "store.sqlite")


class Eks:
    """A cluster in moto as the provider of the local cloud makes one, with nobody let in."""

    def __init__(self, store: Store, **vpc_config: Any) -> None:
        self.store, self.api = store, Api()
        for cluster in self._call("eks", "ListClusters")["clusters"]:
            for group in self._call("eks", "ListNodegroups", clusterName=cluster)["nodegroups"]:
                self._call("eks", "DeleteNodegroup", clusterName=cluster, nodegroupName=group)
            self._call("eks", "DeleteCluster", name=cluster)
        self.vpc = self._call("ec2", "CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = self._call("ec2", "CreateSubnet", VpcId=self.vpc, CidrBlock="10.0.0.0/24")
        self.subnet = subnet["Subnet"]["SubnetId"]
        self.role = f"arn:aws:iam::{deployer.ACCOUNT}:role/eks"
        self.group = self.security_group("cluster")
        config = {"subnetIds": [self.subnet], "endpointPublicAccess": False, "endpointPrivateAccess": True}
        self._call(
            "eks", "CreateCluster", name=NAME, roleArn=self.role, resourcesVpcConfig=config | vpc_config
        )
        store.put(reach.EKS, AT, {"clusterSecurityGroupId": self.group, "creatorIsAdmin": False})

    def _call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        return self.api.call(service, REGION, operation, params)

    def security_group(self, name: str) -> str:
        return self._call("ec2", "CreateSecurityGroup", GroupName=name, Description=name, VpcId=self.vpc)[
            "GroupId"
        ]

    def admit(self, group: str, port: int = 443, **source: Any) -> None:
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source}
        self._call("ec2", "AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[rule])

    def machine(self, group: str) -> str:
        made = self._call(
            "ec2", "RunInstances", ImageId="ami-0123456789abcdef0", InstanceType="t4g.nano", MinCount=1, MaxCount=1,
            NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": self.subnet, "Groups": [group]}],
        )  # fmt: skip
        return made["Instances"][0]["InstanceId"]

    def stop(self, machine: str) -> None:
        self._call("ec2", "TerminateInstances", InstanceIds=[machine])

    def administrator(self, arn: str = ARN, policy: str = ADMIN, scope: str = "cluster") -> None:
        self.store.put(reach.ENTRY, f"{AT}:{arn}", {"principalArn": arn})
        self.store.put(reach.ASSOCIATION, f"{AT}#{arn}#{policy}", {"accessScope": {"type": scope}})

    def nodes(self) -> None:
        given = {
            "clusterName": NAME,
            "nodegroupName": "system",
            "subnets": [self.subnet],
            "nodeRole": self.role,
        }
        self._call("eks", "CreateNodegroup", **given)


CIDR: Any = {"IpRanges": [{"CidrIp": "10.1.0.0/16"}]}


def told(proxied: bool = False) -> str | None:
    return reach.refusal(CLUSTER, proxied=proxied)


def test_a_cluster_that_no_cloud_made_is_asked_nothing(store: Store) -> None:
    assert told() is None


def test_a_cluster_that_admits_only_itself_times_out(store: Store) -> None:
    eks = Eks(store)
    eks.administrator()
    eks.nodes()
    eks.admit(eks.group, UserIdGroupPairs=[{"GroupId": eks.group}])
    eks.machine(eks.group)
    for proxied in (False, True):
        said = told(proxied)
        assert said
        assert "configured Kubernetes cluster is unreachable" in said
        assert "i/o timeout" in said
        assert eks.group in said


@pytest.mark.parametrize(
    ("port", "source", "reached"), [(443, CIDR, True), (80, CIDR, False), (6443, CIDR, False)]
)
def test_a_network_reaches_it_on_its_port(
    store: Store, port: int, source: dict[str, Any], reached: bool
) -> None:
    eks = Eks(store)
    eks.administrator()
    eks.nodes()
    eks.admit(eks.group, port, **source)
    assert (told() is None) is reached


def test_a_rule_of_another_group_of_the_control_plane_counts(store: Store) -> None:
    eks = Eks(store)
    site = eks.security_group("site")
    eks = Eks(store, securityGroupIds=[site])
    eks.administrator()
    eks.nodes()
    eks.admit(site, **CIDR)
    assert told() is None


def test_a_group_counts_while_a_machine_has_it_and_through_a_tunnel(store: Store) -> None:
    eks = Eks(store)
    eks.administrator()
    eks.nodes()
    jump = eks.security_group("jump")
    eks.admit(eks.group, UserIdGroupPairs=[{"GroupId": jump}])
    said = told(proxied=True)
    assert said, "nobody stands there"
    assert f"no running machine has a security group that {eks.group} lets in on port 443: {jump}" in said
    host = eks.machine(jump)
    assert told(proxied=True) is None
    said = told(proxied=False)
    assert said, "the program itself is outside"
    assert f"{eks.group} lets in only machines with {jump} on port 443" in said
    assert "set HTTPS_PROXY to a tunnel through one" in said
    eks.stop(host)
    assert told(proxied=True)


def test_a_public_endpoint_is_reached(store: Store) -> None:
    eks = Eks(store, endpointPublicAccess=True)
    eks.administrator()
    eks.nodes()
    assert told() is None


@pytest.mark.parametrize(
    "entry",
    [
        lambda eks: None,
        lambda eks: eks.administrator(arn=f"arn:aws:iam::{deployer.ACCOUNT}:role/somebody-else"),
        lambda eks: eks.administrator(policy=ADMIN.replace("ClusterAdmin", "View")),
        lambda eks: eks.administrator(scope="namespace"),
    ],
)
def test_who_has_no_administrators_entry_is_unauthorized(store: Store, entry: Callable[[Eks], None]) -> None:
    eks = Eks(store)
    eks.admit(eks.group, **CIDR)
    eks.nodes()
    entry(eks)
    said = told()
    assert said
    assert "401 Unauthorized" in said
    assert deployer.arn() in said


def test_whoever_made_a_cluster_that_says_so_is_in(store: Store) -> None:
    eks = Eks(store)
    eks.admit(eks.group, **CIDR)
    store.put(reach.EKS, AT, {"clusterSecurityGroupId": eks.group})
    assert told() is None


def test_an_entry_counts_only_after_a_while_and_the_next_run_is_let_in(store: Store) -> None:
    eks = Eks(store)
    eks.admit(eks.group, **CIDR)
    eks.administrator()
    said = told()
    assert said
    assert "401 Unauthorized" in said
    assert told() is None, "as on AWS, running again works"


def test_with_nodes_a_while_has_passed(store: Store) -> None:
    eks = Eks(store)
    eks.admit(eks.group, **CIDR)
    eks.administrator()
    eks.nodes()
    assert told() is None


def kubeconfig(**more: str) -> str:
    named = {"name": "c", "cluster": {"server": SERVER, **more}}
    context = {"name": "c", "context": {"cluster": "c", "user": "c"}}
    return json.dumps({"clusters": [named], "contexts": [context], "current-context": "c"})


def test_a_cluster_that_was_refused_stays_so_for_the_whole_run(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pulumi's provider looks once, and takes the cluster for unreachable until its process ends."""
    eks = Eks(store)
    eks.admit(eks.group, **CIDR)
    eks.administrator()
    monkeypatch.setattr(clusters, "access", lambda server: CLUSTER if server == SERVER else None)
    provider = KubernetesProvider()
    provider.configure({"kubeconfig": kubeconfig()})
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    urn = "urn:pulumi:local::india-ai-infra::kubernetes:core/v1:ConfigMap::a"
    for preview in (False, True, False):
        with pytest.raises(ResourceError, match="401 Unauthorized"):
            provider.create(Resource(urn, preview=preview), settings)


def test_a_tunnel_is_in_the_kubeconfig() -> None:
    assert proxy_of(kubeconfig(**{"proxy-url": "socks5://127.0.0.1:1080"})) == "socks5://127.0.0.1:1080"
    assert proxy_of(kubeconfig()) is None


# ── Google Cloud ─────────────────────────────────────────────────────────────────────────────────────────────────────
NETWORK = "projects/p/global/networks/n"
SUBNETWORK = "projects/p/regions/asia-south1/subnetworks/s"
OWN = [{"cidrBlock": "10.64.0.0/20"}, {"cidrBlock": "10.68.0.0/14"}]
VM = {
    "networkInterfaces": [{"subnetwork": SUBNETWORK}],
    "serviceAccount": {"email": "jump@p"},
    "tags": ["jump"],
}
RULE = {
    "network": NETWORK,
    "direction": "INGRESS",
    "sourceRanges": [str(reach.IAP)],
    "targetServiceAccounts": ["jump@p"],
    "allows": [{"protocol": "tcp", "ports": ["22"]}],
}


def gke(store: Store, blocks: list[dict[str, str]], *, dns: bool = False) -> None:
    subnet = {
        "network": NETWORK,
        "ipCidrRange": "10.64.0.0/20",
        "secondaryIpRanges": [{"ipCidrRange": "10.68.0.0/14"}],
    }
    store.put(reach.SUBNET, SUBNETWORK, {"inputs": subnet})
    inputs = {
        "subnetwork": SUBNETWORK,
        "controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"allowExternalTraffic": dns}},
        "masterAuthorizedNetworksConfig": {"cidrBlocks": blocks},
    }
    store.put(reach.GKE, f"projects/p/locations/asia-south1/clusters/{NAME}", {"inputs": inputs})


def test_on_google_the_clusters_own_networks_are_no_deployers(store: Store) -> None:
    gke(store, OWN)
    said = told()
    assert said
    assert "i/o timeout" in said
    gke(store, [*OWN, {"cidrBlock": "10.1.0.0/16"}])
    assert told() is None


def test_on_google_the_dns_endpoint_answers_from_anywhere(store: Store) -> None:
    gke(store, OWN, dns=True)
    assert told() is None


@pytest.mark.parametrize(
    ("vm", "rule", "reached"),
    [
        ({}, {}, True),
        ({}, {"targetServiceAccounts": None, "targetTags": ["jump"]}, True),
        ({}, {"targetServiceAccounts": None}, True),
        ({}, {"allows": [{"protocol": "tcp", "ports": ["20-30"]}]}, True),
        ({}, {"targetServiceAccounts": ["other@p"]}, False),
        ({}, {"sourceRanges": ["10.0.0.0/8"]}, False),
        ({}, {"allows": [{"protocol": "tcp", "ports": ["443"]}]}, False),
        ({}, {"network": "projects/p/global/networks/other"}, False),
        ({}, {"direction": "EGRESS"}, False),
        ({"networkInterfaces": [{"subnetwork": "projects/p/regions/r/subnetworks/gone"}]}, {}, False),
    ],
)
def test_on_google_a_jump_host_leads_there_where_iap_may_come_in(
    store: Store, vm: dict[str, Any], rule: dict[str, Any], reached: bool
) -> None:
    gke(store, OWN)
    store.put(reach.VM, "projects/p/zones/z/instances/jump", {"inputs": VM | vm})
    store.put(reach.FIREWALL, "projects/p/global/firewalls/iap", {"inputs": RULE | rule})
    assert (told(proxied=True) is None) is reached
    assert told(proxied=False)


def test_on_google_a_jump_host_outside_the_authorised_networks_leads_nowhere(store: Store) -> None:
    gke(store, OWN[1:])
    store.put(reach.VM, "projects/p/zones/z/instances/jump", {"inputs": VM})
    store.put(reach.FIREWALL, "projects/p/global/firewalls/iap", {"inputs": RULE})
    assert told(proxied=True)
