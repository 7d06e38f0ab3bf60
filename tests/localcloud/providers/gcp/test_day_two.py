"""Changes of what stands on Google: in place, by a new resource as the provider declares, or refused with the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.providers.gcp import replaced as gcp_replaced
from localcloud.providers.gcp import shapes as gcp_shapes
from localcloud.providers.gcp import table as gcp_table
from localcloud.providers.gcp.provider import Gcp
from localcloud.providers.gcp.replaced import declared, replaced
from localcloud.providers.gcp.side_effects import SIDE_EFFECTS, SideEffect, master_version, raised_version
from localcloud.providers.protocol import UNKNOWN, InvalidInputsError, Resource, ResourceError, Values

CLUSTER, POOL = "gcp:container/cluster:Cluster", "gcp:container/nodePool:NodePool"
SUBNET, BUCKET, NETWORK = (
    "gcp:compute/subnetwork:Subnetwork",
    "gcp:storage/bucket:Bucket",
    "gcp:compute/network:Network",
)


class Stack:
    """One stack in a provider: `preview` and `up` take every resource in order, as the engine does."""

    def __init__(self) -> None:
        self.provider = Gcp()
        self.provider.configure({"project": "ai-team", "region": "asia-south1"})
        self.made: dict[str, tuple[Resource, Values, Values]] = {}

    def apply(self, preview: bool, **wanted: tuple[str, Values]) -> None:
        for name, (token, inputs) in wanted.items():
            resource, seen, outputs = self.made.get(name, (Resource(_urn(token, name)), {}, {}))
            checked = self.provider.check(resource, seen, inputs)
            doing = Resource(resource.urn, resource.id, preview=preview)
            if not resource.id:
                resource_id, outputs = self.provider.create(doing, checked)
            elif checked == seen:
                continue
            else:
                resource_id, outputs = resource.id, self.provider.update(doing, seen, outputs, checked)
            if not preview:
                self.made[name] = (Resource(resource.urn, resource_id), checked, outputs)

    def preview(self, **wanted: tuple[str, Values]) -> None:
        self.apply(True, **wanted)

    def up(self, **wanted: tuple[str, Values]) -> None:
        self.preview(**wanted)
        self.apply(False, **wanted)


def _urn(token: str, name: str) -> str:
    return f"urn:pulumi:local::india-ai-infra::{token}::{name}"


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    monkeypatch.setenv("INDIA_AI_INFRA_RUN", str(tmp_path))

    def start(inputs: Values, scope: Any) -> Values:
        return {"endpoint": "127.0.0.1:1", "ca": "Q0E=", "version": master_version(inputs)}

    cluster = SideEffect(start, SIDE_EFFECTS["cluster"].updated, lambda inputs, scope: None)
    pool = SideEffect(lambda i, s: {"version": "", "zones": []}, lambda i, s: {}, lambda i, s: None)
    monkeypatch.setattr(
        "localcloud.providers.gcp.provider.SIDE_EFFECTS", SIDE_EFFECTS | {"cluster": cluster, "pool": pool}
    )
    yield Stack()


def cluster(version: str, **more: Any) -> tuple[str, Values]:
    channel = {"releaseChannel": {"channel": "EXTENDED"}, "datapathProvider": "ADVANCED_DATAPATH"}
    return CLUSTER, {"name": "gke", "initialNodeCount": 1, "minMasterVersion": version, **channel, **more}


def pool(notice: int | None = None, **more: Any) -> tuple[str, Values]:
    kubelet = {"kubeletConfig": {"shutdownGracePeriodSeconds": notice}} if notice else {}
    config = {"machineType": "g2-standard-4", "spot": True, **kubelet}
    return POOL, {"name": "serve", "cluster": "gke", "nodeConfig": config, **more}


# ── Kubernetes ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_pool_is_judged_by_what_the_same_update_makes_of_its_cluster(stack):
    stack.up(gke=cluster("1.34"), serve=pool())
    with pytest.raises(InvalidInputsError, match=r"needs GKE 1\.35"):
        stack.preview(serve=pool(120))
    stack.up(gke=cluster("1.35"), serve=pool(120))
    version = stack.made["gke"][2]["masterVersion"]
    assert version.startswith("1.35.")


def test_a_preview_that_was_not_carried_out_counts_for_nothing_in_the_next_one(stack):
    stack.up(gke=cluster("1.34"), serve=pool())
    stack.preview(gke=cluster("1.35"), serve=pool(120))
    later = Stack()  # another run of the engine: another process
    later.made = stack.made
    with pytest.raises(InvalidInputsError, match=r"needs GKE 1\.35"):
        later.preview(serve=pool(120))


@pytest.mark.parametrize(
    ("old", "new", "steps"), [("1.33", "1.35", "1.34, then 1.35"), ("1.32", "1.35", "1.33, ")]
)
def test_two_minors_at_once_are_refused_with_the_steps(stack, old, new, steps):
    stack.up(gke=cluster(old))
    with pytest.raises(
        InvalidInputsError, match=rf"more than a minor version at a time.*an update to {steps}"
    ):
        stack.preview(gke=cluster(new))


def test_a_lower_version_is_asked_for_in_vain(stack):
    stack.up(gke=cluster("1.35"))
    before = stack.made["gke"][2]["masterVersion"]
    stack.up(gke=cluster("1.34"))
    assert stack.made["gke"][2]["masterVersion"] == before


_versions = st.builds(
    "{}.{}-gke.{}".format, st.sampled_from(["1.33", "1.34", "1.35"]), st.integers(0, 30), st.integers(1, 9)
)


@given(_versions, _versions)
def test_a_control_plane_never_goes_back(asked, stands):
    def order(version: str) -> list[int]:
        return [int(part) for part in version.replace("-gke", "").split(".")]

    after = raised_version({"minMasterVersion": asked}, stands)
    assert order(after) == max(order(asked), order(stands))


# ── Networks ─────────────────────────────────────────────────────────────────────────────────────────────────────────
EXTRA: Values = {
    "name": "fast",
    "networkConfig": {"additionalNodeNetworkConfigs": [{"network": "gpu", "subnetwork": "gpu"}]},
}


def test_a_first_fabric_is_an_addition_to_a_cluster_that_gets_multi_networking_in_the_same_update(stack):
    stack.up(gke=cluster("1.35"), serve=pool())
    with pytest.raises(InvalidInputsError, match="has no multi-networking"):
        stack.preview(fast=pool(**EXTRA))
    assert replaced(CLUSTER, {}, {"enableMultiNetworking": True}) == [], "the provider updates it in place"
    stack.up(gke=cluster("1.35", enableMultiNetworking=True), fast=pool(**EXTRA))


@pytest.mark.parametrize("name", ["pods", "services"])
def test_a_range_that_a_cluster_uses_is_neither_changed_nor_removed(stack, name):
    def subnet(**ranges: str) -> tuple[str, Values]:
        secondary = [{"rangeName": key, "ipCidrRange": cidr} for key, cidr in ranges.items()]
        fixed = {"name": "nodes", "network": "vpc", "ipCidrRange": "10.64.0.0/20"}
        return SUBNET, {**fixed, "secondaryIpRanges": secondary}

    ranges = {"pods": "10.68.0.0/14", "services": "10.65.0.0/20"}
    uses = {"clusterSecondaryRangeName": "pods", "servicesSecondaryRangeName": "services"}
    net = "projects/ai-team/regions/asia-south1/subnetworks/nodes"
    stack.up(net=subnet(**ranges), gke=cluster("1.35", subnetwork=net, ipAllocationPolicy=uses))
    with pytest.raises(InvalidInputsError, match=rf"range {name} .* is in use by cluster gke"):
        stack.preview(net=subnet(**{**ranges, name: "10.80.0.0/16"}))
    with pytest.raises(InvalidInputsError, match=rf"range {name} .* is in use by cluster gke"):
        stack.preview(net=subnet(**{key: cidr for key, cidr in ranges.items() if key != name}))
    stack.up(net=subnet(**ranges, more="10.96.0.0/16"))


# ── What only a new resource can change ──────────────────────────────────────────────────────────────────────────────
def test_every_type_of_the_local_cloud_has_its_rows_and_no_other():
    assert set(gcp_replaced._table()) == set(gcp_table.tokens())


@pytest.mark.parametrize(
    ("token", "old", "new", "properties"),
    [
        (CLUSTER, {"ipAllocationPolicy": {"clusterSecondaryRangeName": "a"}},
         {"ipAllocationPolicy": {"clusterSecondaryRangeName": "b"}}, ["ipAllocationPolicy"]),
        (CLUSTER, {"privateClusterConfig": {"masterIpv4CidrBlock": "172.16.0.0/28"}},
         {"privateClusterConfig": {"masterIpv4CidrBlock": "172.16.1.0/28"}}, ["privateClusterConfig"]),
        (CLUSTER, {"privateClusterConfig": {"enablePrivateEndpoint": True}},
         {"privateClusterConfig": {"enablePrivateEndpoint": False}}, []),
        (CLUSTER, {"enableFqdnNetworkPolicy": True}, {"enableFqdnNetworkPolicy": False}, ["enableFqdnNetworkPolicy"]),
        (CLUSTER, {"enableFqdnNetworkPolicy": False}, {"enableFqdnNetworkPolicy": True}, []),
        (POOL, {"nodeConfig": {"labels": {"a": "b"}}}, {"nodeConfig": {"labels": {"a": "c"}}}, []),
        (POOL, {"nodeConfig": {"metadata": {"a": "b"}}}, {"nodeConfig": {"metadata": {"a": "c"}}}, ["nodeConfig"]),
        (POOL, {"nodeConfig": {"guestAccelerators": [{"type": "nvidia-l4", "count": 1}]}},
         {"nodeConfig": {"guestAccelerators": [{"type": "nvidia-l4", "count": 2}]}}, ["nodeConfig"]),
        (POOL, {}, {"placementPolicy": {"type": "COMPACT"}}, ["placementPolicy"]),
        (SUBNET, {"ipCidrRange": "10.0.0.0/20"}, {"ipCidrRange": "10.0.0.0/16"}, []),
        (SUBNET, {"ipCidrRange": "10.0.0.0/16"}, {"ipCidrRange": "10.0.0.0/20"}, ["ipCidrRange"]),
        (SUBNET, {"ipCidrRange": "10.0.0.0/20"}, {"ipCidrRange": "10.1.0.0/16"}, ["ipCidrRange"]),
        (BUCKET, {"customPlacementConfig": {"dataLocations": ["A", "B"]}},
         {"customPlacementConfig": {"dataLocations": ["A", "C"]}}, ["customPlacementConfig"]),
        (BUCKET, {"storageClass": "STANDARD"}, {"storageClass": "NEARLINE"}, []),
        (BUCKET, {"location": "A"}, {"location": UNKNOWN}, ["location"]),
        (POOL, {"nodeConfig": {"spot": True}}, {"nodeConfig": UNKNOWN}, ["nodeConfig"]),
    ],
)  # fmt: skip
def test_a_change_needs_a_new_resource_where_the_provider_declares_it(token, old, new, properties):
    assert replaced(token, old, new) == properties


@settings(deadline=None)
@given(st.sampled_from(gcp_table.tokens()), st.data())
def test_one_changed_property_replaces_exactly_where_it_is_listed(token, data):
    """Each property that holds no other is changed alone, at its own depth."""
    path = data.draw(st.sampled_from(list(_leaves(gcp_shapes.args_class(token), ""))))
    old, new = _holding(path, "10.0.0.0/16"), _holding(path, "10.9.0.0/24")
    when = declared(token).get(path)
    fires = when is not None and gcp_replaced.CONDITIONS[when]("10.0.0.0/16", "10.9.0.0/24")
    assert replaced(token, old, new) == ([path.split(".")[0]] if fires else [])


def _leaves(block: type, above: str, depth: int = 0) -> Iterator[str]:
    for name, (kind, _) in gcp_shapes.fields(block).items():
        path = f"{above}.{name}" if above else name
        element = gcp_replaced._element(kind)
        if gcp_shapes.is_block(element):
            yield from _leaves(element, path, depth + 1) if depth < 4 else ()
        else:
            yield path


def _holding(path: str, value: str) -> Values:
    first, _, rest = path.partition(".")
    return {first: _holding(rest, value)} if rest else {first: value}


@settings(deadline=None)
@given(st.sampled_from(gcp_table.tokens()), st.data())
def test_nothing_changed_replaces_nothing(token, data):
    inputs = _holding(data.draw(st.sampled_from(list(_leaves(gcp_shapes.args_class(token), "")))), "same")
    assert replaced(token, inputs, dict(inputs)) == []


def test_an_update_that_google_refuses_is_refused_when_it_is_made_too(stack):
    stack.up(gke=cluster("1.33"))
    made = stack.made["gke"]
    with pytest.raises(ResourceError, match="more than a minor version at a time"):
        stack.provider.update(*made, {**made[1], "minMasterVersion": "1.35"})
