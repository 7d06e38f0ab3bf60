"""Fabric: the networks of fast machines, what pods call them, and NCCL's plug-in."""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest

from infra.gcp.fabric import KINDS, Fabric, FabricArgs, installer
from infra.gcp.fabric_pods import fabric_pod
from tests.infra.platform.gpu_cluster import CloudThing


@pytest.fixture(scope="module")
def build(deploy, project):
    def run(kind, zone="asia-south1-c"):
        def program():
            provider = kubernetes.Provider("k8s", kubeconfig="{}")
            args = FabricArgs(project, "train", kind, zone, CloudThing("gke"), provider)
            made = Fabric("fabric", args)
            pairs = [pulumi.Output.all(at.network, at.subnetwork) for at in made.attachments]
            return pulumi.Output.all(*pairs)

        return deploy(program)

    return run


@pytest.fixture(scope="module")
def tcpx(build):
    return build("tcpx")


@pytest.fixture(scope="module")
def rdma(build):
    return build("rdma", "asia-south1-b")


def test_tcpx_has_four_networks_of_their_own(tcpx):
    networks = tcpx.of("compute/network:Network")
    assert len(networks) == len(tcpx.of("compute/subnetwork:Subnetwork")) == 4
    assert {network.inputs["mtu"] for network in networks.values()} == {8244}
    assert not any("networkProfile" in network.inputs for network in networks.values())
    assert len({network for network, _ in tcpx.result}) == 4


def test_rdma_has_one_plain_network_and_one_with_the_profile_of_the_zone(rdma):
    networks = rdma.of("compute/network:Network")
    assert set(networks) == {"fabric-gvnic", "fabric-rdma"}
    assert {network.inputs["mtu"] for network in networks.values()} == {8896}
    assert networks["fabric-rdma"].inputs["networkProfile"] == (
        "projects/unit-project/global/networkProfiles/asia-south1-b-vpc-roce"
    )
    assert set(rdma.of("compute/firewall:Firewall")) == {"fabric-gvnic"}, "the profile takes no rules"
    assert len(rdma.of("compute/subnetwork:Subnetwork")) == 9
    assert len({network for network, _ in rdma.result}) == 2


@pytest.mark.parametrize("kind", list(KINDS))
def test_no_two_cards_of_a_machine_share_an_address(build, kind):
    subnets = [
        IPv4Network(subnet.inputs["ipCidrRange"])
        for subnet in build(kind).of("compute/subnetwork:Subnetwork").values()
    ]
    assert not any(a.overlaps(b) for a in subnets for b in subnets if a is not b)


@pytest.mark.parametrize(
    ("kind", "modes"), [("tcpx", {"NetDevice": 4}), ("rdma", {"NetDevice": 1, "RDMA": 8})]
)
def test_each_card_is_a_network_of_kubernetes(build, kind, modes):
    made = build(kind)
    parameters = made.of("networking.gke.io/v1:GKENetworkParamSet")
    found = [one.inputs["spec"]["deviceMode"] for one in parameters.values()]
    assert {mode: found.count(mode) for mode in found} == modes
    pairs = {(one.inputs["spec"]["vpc"], one.inputs["spec"]["vpcSubnet"]) for one in parameters.values()}
    assert pairs == {tuple(pair) for pair in made.result}
    networks = made.of("networking.gke.io/v1:Network")
    named = {one.inputs["metadata"]["name"] for one in parameters.values()}
    for network in networks.values():
        assert network.inputs["spec"]["type"] == "Device"
        assert network.inputs["spec"]["parametersRef"]["name"] in named
        assert network.deleted_with == made.one("cloud:Thing", "gke").urn
    asked = json.loads(fabric_pod("train", kind).annotations["networking.gke.io/interfaces"])
    assert asked[0] == {"interfaceName": "eth0", "network": "default"}
    assert {card["network"] for card in asked[1:]} == {
        n.inputs["metadata"]["name"] for n in networks.values()
    }
    assert [card["interfaceName"] for card in asked] == [f"eth{n}" for n in range(len(asked))]


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_plug_in_is_pinned_and_installed_on_the_pools_nodes_alone(build, kind):
    daemons = build(kind).one("DaemonSet", "fabric-nccl").inputs
    assert daemons["metadata"]["namespace"] == "kube-system"
    spec = daemons["spec"]["template"]["spec"]
    assert spec["nodeSelector"] == {"india-ai-infra/pool": "train"}
    (install,), (pause,) = spec["initContainers"], spec["containers"]
    assert install["image"].rpartition(":")[2].startswith("v")
    assert "@sha256:" in pause["image"]
    assert {mount["name"] for mount in install["volumeMounts"]} == {
        volume["name"] for volume in spec["volumes"]
    }
    assert spec["automountServiceAccountToken"] is False
    assert installer("a", kind, "train")["selector"] == {"match_labels": {"app.kubernetes.io/name": "a"}}


def test_only_tcpx_needs_devices_given_to_its_daemon(tcpx, rdma):
    injector = tcpx.one("DaemonSet", "fabric-device-injector").inputs
    assert injector["metadata"]["namespace"] == "kube-system"
    assert injector["spec"]["template"]["spec"]["nodeSelector"] == {"india-ai-infra/pool": "train"}
    assert set(rdma.of("DaemonSet")) == {"fabric-nccl"}


def test_rdma_asks_a_pod_for_its_cards_and_nothing_of_the_host():
    pod = fabric_pod("train", "rdma")
    assert not pod.sidecars and not pod.volumes and not pod.mounts
    assert set(pod.annotations) == {"networking.gke.io/default-interface", "networking.gke.io/interfaces"}
    # Where our own installer puts it, below what GKE shows to every container with GPUs.
    seen, host = "/usr/local/nvidia", "/home/kubernetes/bin/nvidia"
    spec: Any = installer("a", "rdma", "train")
    inside = spec["template"]["spec"]
    install = inside["init_containers"][0]
    folders = {mount["mount_path"] for mount in install["volume_mounts"]}
    paths = {volume["host_path"]["path"] for volume in inside["volumes"]}
    assert "/host/nvidia" in folders and host in paths
    assert "cp -r /var/lib/gib/. /host/nvidia/gib" in install["args"][0]
    assert pod.environment["NCCL_TUNER_CONFIG_PATH"].startswith(f"{seen}/gib/configs/")
    assert pod.environment["NCCL_NET"] == "gIB"


def test_tcpx_runs_its_daemon_beside_the_container_and_lets_a_job_end():
    pod = fabric_pod("train", "tcpx")
    (daemon,) = pod.sidecars
    assert daemon["restartPolicy"] == "Always"
    assert daemon["image"].endswith(":v2.0.15") and KINDS["tcpx"].installer.endswith(":v3.1.12"), (
        "one release"
    )
    assert "privileged" not in daemon["securityContext"]
    assert daemon["securityContext"]["capabilities"] == {"add": ["NET_ADMIN"]}
    assert "/dev/nvidia7" in pod.annotations["devices.gke.io/container.tcpx-daemon"]
    (socket,) = pod.mounts
    assert socket in daemon["volumeMounts"]
    assert pod.environment["NCCL_GPUDIRECTTCPX_UNIX_CLIENT_PREFIX"] == socket["mountPath"]
    assert socket["mountPath"] in daemon["args"][0]
    assert {mount["name"] for mount in daemon["volumeMounts"]} == {volume["name"] for volume in pod.volumes}
    cards = json.loads(pod.annotations["networking.gke.io/interfaces"])
    fast = pod.environment["NCCL_GPUDIRECTTCPX_SOCKET_IFNAME"].split(",")
    assert fast == [card["interfaceName"] for card in cards[1:]]
    for bindings in ("TX", "RX"):
        bound = pod.environment[f"NCCL_GPUDIRECTTCPX_{bindings}_BINDINGS"].split(";")
        assert [card.split(":")[0] for card in bound] == fast
