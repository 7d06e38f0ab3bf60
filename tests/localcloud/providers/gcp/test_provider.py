"""Every row of the local cloud's Google table against Google's and Pulumi's own models, and what the provider does."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi._types import resource_types

from localcloud.providers.gcp import replaced as gcp_replaced
from localcloud.providers.gcp import shapes as gcp_shapes
from localcloud.providers.gcp import side_effects as gcp_side_effects
from localcloud.providers.gcp import table as gcp_table
from localcloud.providers.gcp.machines import machine_of, taints_of, zones_of
from localcloud.providers.gcp.provider import Gcp
from localcloud.providers.gcp.side_effects import master_version
from localcloud.providers.protocol import UNKNOWN, Diff, InvalidInputsError, Resource, ResourceError, Values

CONFIG = {"project": "ai-team", "region": "asia-south1", "defaultLabels": {"owner": "ml"}}
CLUSTER, POOL = "gcp:container/cluster:Cluster", "gcp:container/nodePool:NodePool"
BUCKET, SUBNET = "gcp:storage/bucket:Bucket", "gcp:compute/subnetwork:Subnetwork"
NETWORK, FIREWALL = "gcp:compute/network:Network", "gcp:compute/firewall:Firewall"
KEY = "projects/ai-team/locations/asia-south1/keyRings/r/cryptoKeys/k"


@pytest.fixture(autouse=True)
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """A store of the test's own, and control planes and nodes that are only noted."""
    monkeypatch.setenv("INDIA_AI_INFRA_RUN", str(tmp_path))
    log: list[tuple[str, str]] = []

    def play(kind: str) -> gcp_side_effects.SideEffect:
        def note(what: str, outputs: Values) -> Any:
            return lambda inputs, scope: log.append((what, inputs["name"])) or outputs

        plane = {"endpoint": "127.0.0.1:6443", "ca": "Q0E=", "version": "1.35.8-gke.1036000"}
        return gcp_side_effects.SideEffect(note(f"made {kind}", plane), note("changed", {}), note("gone", {}))

    monkeypatch.setattr(
        "localcloud.providers.gcp.provider.SIDE_EFFECTS",
        {kind: play(kind) for kind in gcp_side_effects.SIDE_EFFECTS},
    )
    return log


class Stack:
    """What an update does to a provider, resource by resource."""

    def __init__(self, **config: Any) -> None:
        self.provider = Gcp()
        self.provider.configure({**CONFIG, **config})

    def check(self, token: str, inputs: Values, old: Values | None = None, name: str = "one") -> Values:
        return self.provider.check(_resource(token, name), old or {}, inputs)

    def preview(self, token: str, **inputs: Any) -> Values:
        checked = self.check(token, inputs)
        return self.provider.create(Resource(_resource(token, "one").urn, preview=True), checked)[1]

    def make(self, token: str, logical: str = "one", /, **inputs: Any) -> SimpleNamespace:
        checked = self.check(token, inputs, name=logical)
        resource_id, outputs = self.provider.create(_resource(token, logical), checked)
        return SimpleNamespace(
            resource=_resource(token, logical, resource_id), id=resource_id, inputs=checked, outputs=outputs
        )

    def diff(self, made: SimpleNamespace, **changes: Any) -> Diff:
        inputs = self.check(made.resource.type, {**made.inputs, **changes}, made.inputs)
        return self.provider.diff(made.resource, made.inputs, made.outputs, inputs)

    def update(self, made: SimpleNamespace, **changes: Any) -> Values:
        inputs = self.check(made.resource.type, {**made.inputs, **changes}, made.inputs)
        return self.provider.update(made.resource, made.inputs, made.outputs, inputs)

    def delete(self, made: SimpleNamespace) -> None:
        self.provider.delete(made.resource, made.inputs, made.outputs)


@pytest.fixture
def stack() -> Stack:
    return Stack()


def _resource(token: str, name: str, resource_id: str = "") -> Resource:
    return Resource(f"urn:pulumi:local::india-ai-infra::{token}::{name}", resource_id)


def refused(stack: Stack, token: str, **inputs: Any) -> dict[str, str]:
    """Why a preview would fail, by path."""
    with pytest.raises(InvalidInputsError) as invalid:
        stack.check(token, inputs)
    return dict(invalid.value.failures)


# ── The table ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _fields(
    block: type, place: gcp_shapes.Place, path: str = ""
) -> Iterator[tuple[str, gcp_shapes.Place, str]]:
    """Every field below a block of inputs, with the place of the block and its own name."""
    for name, (kind, _) in gcp_shapes.fields(block).items():
        yield f"{path}{name}", place, name
        container, element = gcp_shapes.inner(kind)
        while container:
            container, element = gcp_shapes.inner(element)
        found = place.find(name)
        if found and gcp_shapes.is_block(element):
            yield from _fields(element, found, f"{path}{name}.")


@pytest.mark.slow
@pytest.mark.parametrize("token", gcp_table.tokens())
def test_every_input_that_pulumi_has_is_in_googles_model_or_in_the_table(token: str):
    row = gcp_table.row(token)
    block = gcp_shapes.args_class(token)
    lost = [path for path, place, name in _fields(block, gcp_shapes.top(row)) if place.find(name) is None]
    assert lost == []


@pytest.mark.slow
@pytest.mark.parametrize("token", gcp_table.tokens())
def test_a_row_names_only_what_pulumi_has(token: str):
    row = gcp_table.row(token)
    module, name = token.split("/")[0].split(":")[1], token.split(":")[-1]
    outputs = resource_types(getattr(import_module(f"pulumi_gcp.{module}"), name))
    paths = {path for path, _, _ in _fields(gcp_shapes.args_class(token), gcp_shapes.top(row))}
    assert set(row.outputs) <= set(outputs)
    assert set(gcp_replaced.declared(token)) <= paths
    assert set(gcp_replaced.declared(token).values()) <= set(gcp_replaced.CONDITIONS)
    assert not row.labels or "effectiveLabels" in outputs


@pytest.mark.slow
def test_every_difference_in_the_table_is_one():
    """A field of the table must be one of Pulumi's, in the schema where it stands."""
    seen: dict[str, set[str]] = {}
    for token in gcp_table.tokens():
        for _, place, name in _fields(gcp_shapes.args_class(token), gcp_shapes.top(gcp_table.row(token))):
            seen.setdefault(place.described, set()).add(name)
    bindings = {"member", "members", "role"}  # of every API alike, whether or not a type has each
    for schema in gcp_table.schemas_that_differ():
        written = set(gcp_table.differences(schema)) - set(gcp_table.differences("*"))
        assert written <= seen.get(schema, set()) | bindings, schema


@pytest.mark.parametrize("token", gcp_table.invokes())
def test_a_function_of_the_table_is_pulumis(token: str):
    module, name = token.split("/")[0].split(":")[1], token.split(":")[-1]
    result = getattr(import_module(f"pulumi_gcp.{module}"), f"{name[0].upper()}{name[1:]}Result")
    known = {_camel(field) for field in dir(result)}
    assert set(gcp_table.invoke(token)["outputs"]) <= known


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


# ── Inputs ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_mistakes_are_told_all_at_once_each_with_its_path_and_what_is_allowed(stack: Stack):
    taints = [{"key": "a", "value": "b", "effect": "NoSchedule"}]
    config = {"machineTyp": "e2-medium", "spot": "yes", "taints": taints, "guestAccelerators": [{"count": 1}]}
    assert refused(stack, POOL, cluster="gke", nodeCount="two", nodeConfig=config) == {
        "nodeCount": 'is "two"; it must be a whole number',
        "nodeConfig.machineTyp": "there is no such field; did you mean machineType?",
        "nodeConfig.spot": 'is "yes"; it must be true or false',
        "nodeConfig.taints[0].effect": 'is "NoSchedule"; it can be NO_SCHEDULE, PREFER_NO_SCHEDULE, NO_EXECUTE',
        "nodeConfig.guestAccelerators[0].type": "must be given",
    }


@pytest.mark.parametrize(
    ("token", "inputs", "path", "reason"),
    [
        (NETWORK, {"routingMode": "global"}, "routingMode", 'is "global"; it can be GLOBAL, REGIONAL'),
        (NETWORK, {"name": "My_Net"}, "name", "Google takes [a-z](?:[-a-z0-9]{0,61}[a-z0-9])?"),
        (NETWORK, {"mtu": True}, "mtu", "is true; it must be a whole number"),
        (FIREWALL, {"network": "n", "allows": [{"protocol": "tcp", "port": 1}]}, "allows[0].port", "no such field"),
        (CLUSTER, {"datapathProvider": "V2", "initialNodeCount": 1}, "datapathProvider", "it can be LEGACY_DATAPATH"),
        (BUCKET, {"location": "asia-south1", "publicAccessPrevention": "yes"}, "publicAccessPrevention", "inherited"),
        (BUCKET, {"location": "asia-south1", "labels": {"a": 1}}, "labels.a", "is 1; it must be a string"),
        (BUCKET, {}, "location", "must be given"),
        ("gcp:projects/iAMMember:IAMMember", {"project": "p", "role": "roles/viewer", "member": "a@b.in"}, "member",
         "Google takes a kind before the name"),
        ("gcp:projects/iAMMember:IAMMember", {"project": "p", "role": "viewer", "member": "user:a@b.in"}, "role",
         "Google takes roles/NAME"),
        ("gcp:artifactregistry/repository:Repository", {"repositoryId": "r", "format": "docker"}, "format", "DOCKER"),
        ("gcp:kms/cryptoKey:CryptoKey", {"keyRing": "r"}, "keyRing", "Google takes projects/P/locations/L/keyRings/R"),
    ],
)  # fmt: skip
def test_what_google_does_not_take_fails_in_the_preview(
    stack: Stack, token: str, inputs: Values, path: str, reason: str
):
    assert reason in refused(stack, token, **inputs)[path]


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
)


@given(_values)
def test_no_value_breaks_the_checks(value: Any):
    for name in ("nodeConfig", "autoscaling", "nodeLocations", "nodeCount"):
        for path, reason in gcp_shapes.misfits(gcp_table.row(POOL), {"cluster": "c", name: value}):
            assert path.startswith(name)
            assert reason


@pytest.mark.parametrize("token", gcp_table.tokens())
def test_what_is_not_known_yet_is_no_mistake(stack: Stack, token: str):
    inputs = dict.fromkeys(gcp_shapes.fields(gcp_shapes.args_class(token)), UNKNOWN)
    assert stack.check(token, inputs).items() >= inputs.items()


def test_a_type_that_is_not_there_names_the_table(stack: Stack):
    with pytest.raises(
        ResourceError,
        match=r"gcp:sql/sslCert:SslCert is not in the local cloud: add a row .*providers/gcp/types\.yaml",
    ):
        stack.check("gcp:sql/sslCert:SslCert", {})


# ── Life of a resource ───────────────────────────────────────────────────────────────────────────────────────────────
def test_a_network_is_made_seen_changed_imported_and_removed(stack: Stack):
    made = stack.make(NETWORK, "vpc", mtu=8896)
    assert made.id.startswith("projects/ai-team/global/networks/vpc-")
    assert made.outputs["selfLink"] == f"https://www.googleapis.com/compute/v1/{made.id}"
    assert made.outputs["mtu"] == 8896
    assert stack.make(NETWORK, "other", mtu=None).outputs["mtu"] == 1460
    assert made.outputs["numericId"].isdigit()
    assert "__defaults" not in made.outputs
    assert stack.provider.read(made.resource, made.inputs, made.outputs) == (made.inputs, made.outputs)
    assert stack.diff(made).changed == []
    assert stack.diff(made, routingMode="GLOBAL") == Diff(["routingMode"], [], False)
    assert stack.diff(made, description="new").replaces == ["description"]
    assert stack.update(made, routingMode="GLOBAL")["routingMode"] == "GLOBAL"
    imported = stack.provider.read(made.resource, {}, {})
    assert imported is not None
    assert imported[0]["routingMode"] == "GLOBAL"
    stack.delete(made)
    assert stack.provider.read(made.resource, made.inputs, made.outputs) is None
    with pytest.raises(ResourceError, match="Error 404"):
        stack.update(made, mtu=1500)
    stack.delete(made)  # gone already: nothing to do


def test_a_preview_knows_the_inputs_and_nothing_that_google_adds(stack: Stack):
    outputs = stack.preview(SUBNET, network=UNKNOWN, ipCidrRange="10.0.0.0/20", name="nodes")
    assert outputs["ipCidrRange"] == "10.0.0.0/20"
    assert outputs["selfLink"] is UNKNOWN
    assert outputs["network"] is UNKNOWN


def test_a_cluster_shows_its_control_plane_beside_what_the_program_says_of_it(stack: Stack):
    endpoints = {"dnsEndpointConfig": {"allowExternalTraffic": False}}
    inputs = {"name": "gke", "initialNodeCount": 1, "controlPlaneEndpointsConfig": endpoints}
    planned = stack.preview(CLUSTER, **inputs)["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]
    assert planned == {"allowExternalTraffic": False, "endpoint": UNKNOWN}
    outputs = stack.make(CLUSTER, **inputs).outputs
    told = outputs["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]
    assert told == {"allowExternalTraffic": False, "endpoint": "127.0.0.1:6443"}
    assert outputs["masterAuth"] == {"clusterCaCertificate": "Q0E="}


def test_a_name_is_made_up_once_and_one_of_the_program_replaces_in_turn(stack: Stack):
    made = stack.make(BUCKET, location="asia-south1")
    again = stack.check(BUCKET, {"location": "asia-south1"}, made.inputs)
    assert again == made.inputs
    assert (
        not stack.diff(made, hierarchicalNamespace={"enabled": False}).delete_first or "name" in made.inputs
    )
    named = stack.make(BUCKET, "two", location="asia-south1", name="lake-of-a-team")
    assert stack.diff(named, location="asia-south2") == Diff(["location"], ["location"], True)


def test_a_change_inside_a_block_replaces_only_where_google_has_no_call_for_it(stack: Stack):
    made = stack.make(
        POOL, cluster="gke", name="p", nodeConfig={"machineType": "e2-medium", "labels": {"a": "b"}}
    )
    assert stack.diff(made, nodeConfig={"machineType": "e2-medium", "labels": {"a": "c"}}).replaces == []
    assert stack.diff(made, nodeConfig={"machineType": "e2-standard-4"}).replaces == []  # GKE rolls them
    assert stack.diff(made, nodeConfig={"spot": True}).replaces == ["nodeConfig"]
    assert stack.diff(made, nodeConfig=UNKNOWN).replaces == ["nodeConfig"]


def test_another_project_of_the_provider_replaces(stack: Stack):
    made = stack.make(NETWORK)
    stack.provider.configure({**CONFIG, "project": "other"})
    assert stack.diff(made).replaces == ["project"]
    alert = stack.make("gcp:monitoring/notificationChannel:NotificationChannel", type="email")
    assert alert.id.startswith("projects/other/notificationChannels/")
    assert stack.diff(alert, enabled=False) == Diff(["enabled"], [], False)


def test_two_can_not_have_one_name_but_a_member_is_taken_over(stack: Stack):
    stack.make(BUCKET, location="asia-south1", name="taken-by-us")
    with pytest.raises(ResourceError, match="Error 409: The resource 'taken-by-us' already exists"):
        stack.make(BUCKET, "two", location="asia-south1", name="taken-by-us")
    member = {"bucket": "b", "role": "roles/storage.objectViewer", "member": "group:ml@example.in"}
    first = stack.make("gcp:storage/bucketIAMMember:BucketIAMMember", **member)
    assert stack.make("gcp:storage/bucketIAMMember:BucketIAMMember", "two", **member).id == first.id


def test_protected_resources_are_not_deleted(stack: Stack, played: list[tuple[str, str]]):
    made = stack.make(CLUSTER, name="gke", initialNodeCount=1)
    with pytest.raises(
        ResourceError, match="Cannot destroy cluster because deletion_protection is set to true"
    ):
        stack.delete(made)
    made.outputs = stack.update(made, deletionProtection=False)
    stack.delete(made)
    assert played == [("made cluster", "gke"), ("changed", "gke"), ("gone", "gke")]
    kept = stack.make(NETWORK, deletionPolicy="PREVENT")
    with pytest.raises(ResourceError, match="deletionPolicy is PREVENT"):
        stack.delete(kept)


def test_a_cluster_that_does_not_start_leaves_no_record(stack: Stack, monkeypatch: pytest.MonkeyPatch):
    def fail(inputs: Values, scope: Any) -> Values:
        raise ResourceError("no control plane")

    monkeypatch.setattr(
        "localcloud.providers.gcp.provider.SIDE_EFFECTS",
        {"cluster": gcp_side_effects.SideEffect(fail, fail, lambda i, s: None)},
    )
    with pytest.raises(ResourceError, match="no control plane"):
        stack.make(CLUSTER, name="gke", initialNodeCount=1)
    made = Resource(_resource(CLUSTER, "one").urn, "projects/ai-team/locations/asia-south1/clusters/gke")
    assert stack.provider.read(made, {}, {}) is None


def test_labels_of_the_provider_and_of_pulumi_are_shown_as_the_real_one_does(stack: Stack):
    made = stack.make(BUCKET, location="asia-south1", labels={"data": "personal"})
    every = {"owner": "ml", "data": "personal", "goog-pulumi-provisioned": "true"}
    assert made.outputs["effectiveLabels"] == made.outputs["pulumiLabels"] == every
    assert made.outputs["labels"] == {"data": "personal"}
    assert stack.preview(BUCKET, location="asia-south1", labels=UNKNOWN)["effectiveLabels"] is UNKNOWN


def test_without_a_project_it_says_where_to_set_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("GOOGLE_PROJECT", raising=False)
    with pytest.raises(ResourceError, match=r"set `project` on gcp\.Provider"):
        Stack(project=None).make(NETWORK)


def test_the_functions_that_programs_call(stack: Stack):
    project = stack.provider.invoke("gcp:organizations/getProject:getProject", {})
    agent = stack.provider.invoke("gcp:storage/getProjectServiceAccount:getProjectServiceAccount", {})
    assert agent["emailAddress"] == f"service-{project['number']}@gs-project-accounts.iam.gserviceaccount.com"
    zones = stack.provider.invoke("gcp:compute/getZones:getZones", {"region": "asia-south2"})
    assert zones["names"] == ["asia-south2-a", "asia-south2-b", "asia-south2-c"]
    versions = stack.provider.invoke(
        "gcp:container/getEngineVersions:getEngineVersions", {"location": "asia-south1"}
    )
    assert versions["releaseChannelDefaultVersion"]["REGULAR"] in versions["validMasterVersions"]
    with pytest.raises(ResourceError, match="does not know the argument filter"):
        stack.provider.invoke("gcp:organizations/getProject:getProject", {"filter": "x"})
    with pytest.raises(ResourceError, match=r"providers/gcp/types\.yaml"):
        stack.provider.invoke("gcp:compute/getImage:getImage", {})


def test_service_agents_have_googles_names(stack: Stack):
    token = "gcp:projects/serviceIdentity:ServiceIdentity"
    emails = [
        stack.make(token, api, service=f"{api}.googleapis.com").outputs["email"]
        for api in ("compute", "pubsub")
    ]
    assert [email.split("@")[1] for email in emails] == [
        "compute-system.iam.gserviceaccount.com",
        "gcp-sa-pubsub.iam.gserviceaccount.com",
    ]


# ── What Google refuses ──────────────────────────────────────────────────────────────────────────────────────────────
SQL, SQL_17 = "gcp:sql/databaseInstance:DatabaseInstance", {"databaseVersion": "POSTGRES_17"}
SQL_SETTINGS = {"tier": "db-custom-1-3840", "edition": "ENTERPRISE"}
BUCKET_IN_MUMBAI = {"location": "ASIA-SOUTH1"}
OPEN = {"consumeReservationType": "ANY_RESERVATION"}
HELD = {"consumeReservationType": "SPECIFIC_RESERVATION", "key": "compute.googleapis.com/reservation-name"}
A3 = {"machineType": "a3-ultragpu-8g"}
L4 = {"type": "nvidia-l4", "count": 1}


@pytest.mark.parametrize(
    ("token", "inputs", "path", "reason"),
    [
        (BUCKET, {**BUCKET_IN_MUMBAI, "hierarchicalNamespace": {"enabled": True}, "versioning": {"enabled": True},
                  "uniformBucketLevelAccess": True},
         "versioning.enabled", "a bucket with a hierarchical namespace can't have versioning"),
        (BUCKET, {**BUCKET_IN_MUMBAI, "hierarchicalNamespace": {"enabled": True}},
         "uniformBucketLevelAccess", "needs uniform bucket-level access"),
        (BUCKET, {"location": "ASIA-SOUTH2", "encryption": {"defaultKmsKeyName": KEY}}, "encryption.defaultKmsKeyName",
         "Cloud KMS region 'asia-south1' not available for use with GCS region 'ASIA-SOUTH2'."),
        (CLUSTER, {"initialNodeCount": 1, "enableMultiNetworking": True}, "enableMultiNetworking", "ADVANCED_DATAPATH"),
        (CLUSTER, {"initialNodeCount": 1, "datapathProvider": "ADVANCED_DATAPATH", "networkPolicy": {"enabled": True}},
         "networkPolicy.enabled", "Enabling NetworkPolicy for clusters with DatapathProvider=ADVANCED_DATAPATH"),
        (CLUSTER, {"initialNodeCount": 1, "minMasterVersion": "1.25.16-gke.1041000"}, "minMasterVersion",
         'Master version "1.25.16-gke.1041000" is unsupported. It can be 1.33, 1.34, 1.35, 1.36'),
        (CLUSTER, {"initialNodeCount": 1, "minMasterVersion": "1.36", "releaseChannel": {"channel": "STABLE"}},
         "minMasterVersion", 'one of "STABLE" channel supported versions It can be 1.33, 1.34, 1.35'),
        (CLUSTER, {"initialNodeCount": 1, "releaseChannel": {"channel": "FAST"}}, "releaseChannel.channel", "RAPID"),
        (CLUSTER, {}, "initialNodeCount", "Cluster.initial_node_count must be greater than zero."),
        (CLUSTER, {"initialNodeCount": 1, "location": "asia-south2",
                   "databaseEncryption": {"state": "ENCRYPTED", "keyName": KEY}},
         "databaseEncryption.keyName", "the key is in asia-south1; it must be in asia-south2"),
        (POOL, {"nodeConfig": {"spot": True, "flexStart": True}}, "nodeConfig.flexStart", "can't be spot"),
        (POOL, {"nodeConfig": {"spot": True}, "queuedProvisioning": {"enabled": True}},
         "queuedProvisioning.enabled", "queued provisioning can't be had with spot nodes"),
        (POOL, {"nodeConfig": {"flexStart": True}}, "management.autoRepair", "set it to false"),
        (POOL, {"nodeConfig": {"flexStart": True, "maxRunDuration": "604801s"}, "management": {"autoRepair": False}},
         "nodeConfig.maxRunDuration", "run for a week at most: 604800s"),
        (POOL, {"nodeConfig": {"flexStart": True, "reservationAffinity": OPEN}},
         "nodeConfig.reservationAffinity.consumeReservationType", "flexStart nodes use no reservation"),
        (POOL, {"nodeConfig": {"spot": True, "reservationAffinity": OPEN}},
         "nodeConfig.reservationAffinity.consumeReservationType", "spot nodes use no reservation"),
        (POOL, {"nodeConfig": {"kubeletConfig": {"shutdownGracePeriodSeconds": 120}}},
         "nodeConfig.kubeletConfig.shutdownGracePeriodSeconds", "only valid for Spot VMs"),
        (POOL, {"nodeConfig": {"spot": True, "kubeletConfig": {"shutdownGracePeriodSeconds": 60}}},
         "nodeConfig.kubeletConfig.shutdownGracePeriodSeconds", "is 60; it can be 0, 30, 120"),
        (POOL, {"nodeConfig": {"spot": True, "kubeletConfig": {"shutdownGracePeriodSeconds": 30,
                                                               "shutdownGracePeriodCriticalPodsSeconds": 31}}},
         "nodeConfig.kubeletConfig.shutdownGracePeriodCriticalPodsSeconds", "more than the 30 for all pods"),
        (POOL, {"nodeConfig": A3, "nodeLocations": ["asia-south1-a"]}, "nodeLocations",
         "a3-ultragpu-8g is not in asia-south1-a; it is in asia-south1-b"),
        (POOL, {"nodeConfig": {"machineType": "n2-standard-4"}, "placementPolicy": {"type": "COMPACT"}},
         "placementPolicy.type", "in one zone; this pool is in asia-south1-a, asia-south1-b, asia-south1-c"),
        (POOL, {"nodeConfig": {"ephemeralStorageLocalSsdConfig": {"localSsdCount": 1},
                               "localNvmeSsdBlockConfig": {"localSsdCount": 1}}},
         "nodeConfig.localNvmeSsdBlockConfig", "local SSDs are used one way"),
        (POOL, {"nodeConfig": {"guestAccelerators": [L4]}}, "nodeConfig.guestAccelerators", "can't have GPUs"),
        (POOL, {"nodeConfig": {"machineType": "g2-standard-24", "guestAccelerators": [L4]}},
         "nodeConfig.guestAccelerators[0].count", "is 1; g2-standard-24 has 2"),
        (POOL, {"nodeConfig": {"machineType": "a3-highgpu-1g", "guestAccelerators": [L4]},
                "nodeLocations": ["asia-south1-c"]},
         "nodeConfig.guestAccelerators[0].type", "is nvidia-l4; a3-highgpu-1g has nvidia-h100-80gb"),
        (POOL, {"nodeConfig": {"machineType": "a2-highgpu-1g"}}, "nodeConfig.machineType", "is not offered in"),
        (POOL, {"nodeConfig": A3, "location": "asia-south2"}, "nodeLocations", "it is in asia-south2-c"),
        (POOL, {"nodeConfig": A3, "nodeLocations": ["asia-south1-b"]}, "nodeConfig.machineType",
         "can't be had on demand: it is sold as reserved or spot or flex-start"),
        (POOL, {"nodeConfig": {"machineType": "a3-highgpu-2g", "reservationAffinity": HELD},
                "nodeLocations": ["asia-south1-c"]},
         "nodeConfig.machineType", "can't be had reserved: it is sold as spot or flex-start"),
        (SQL, {**SQL_17, "region": "asia-south2", "encryptionKeyName": KEY, "settings": SQL_SETTINGS},
         "encryptionKeyName", "the key is in asia-south1; it must be in asia-south2, where the database is"),
        (SQL, {**SQL_17, "settings": {**SQL_SETTINGS, "ipConfiguration": {"ipv4Enabled": False}}},
         "settings.ipConfiguration", "At least one of Public IP or Private IP or PSC connectivity must be enabled."),
        (SQL, {**SQL_17, "settings": {"tier": "db-custom-1-3840"}}, "settings.tier",
         "Invalid Tier (db-custom-1-3840) for (ENTERPRISE_PLUS) Edition"),
        (SQL, {**SQL_17, "settings": {**SQL_SETTINGS, "backupConfiguration": {"transactionLogRetentionDays": 8}}},
         "settings.backupConfiguration.transactionLogRetentionDays", "is 8; logs are kept 1 to 7 days"),
        (SUBNET, {"network": "n", "ipCidrRange": "10.0.0.1/24"}, "ipCidrRange", "has host bits set"),
    ],
)  # fmt: skip
def test_rules_that_google_enforces(stack: Stack, token: str, inputs: Values, path: str, reason: str):
    given_too = {"cluster": "gke", "location": "asia-south1"} if token == POOL else {}
    assert reason in refused(stack, token, **{**given_too, **inputs})[path]


def test_subnets_of_one_network_do_not_overlap_in_any_region(stack: Stack):
    network = "projects/ai-team/global/networks/n"
    stack.make(SUBNET, "first", name="mumbai", network=network, ipCidrRange="10.0.0.0/16")
    said = refused(stack, SUBNET, name="delhi", region="asia-south2", network="n", ipCidrRange="10.0.1.0/24")
    assert said["ipCidrRange"] == (
        "Invalid IPCidrRange: 10.0.1.0/24 conflicts with existing subnetwork 'mumbai' in region 'asia-south1'."
    )
    stack.make(SUBNET, "other", name="other", network="m", ipCidrRange="10.0.1.0/24")


def test_a_subnet_that_is_replaced_conflicts_with_itself_only_when_it_is_made(stack: Stack):
    """As with Google: no preview knows whether the old one is gone by then."""
    made = stack.make(SUBNET, name="a", network="n", ipCidrRange="10.0.0.0/16")
    elsewhere = {**made.inputs, "region": "asia-south2"}
    moved = stack.check(SUBNET, elsewhere, made.inputs)
    # As the engine checks what it will make instead: without the old inputs.
    anew = stack.check(SUBNET, {**elsewhere, "name": "a2"})
    for inputs in (moved, anew):
        with pytest.raises(
            ResourceError, match="conflicts with existing subnetwork 'a' in region 'asia-south1'"
        ):
            stack.provider.create(_resource(SUBNET, "one"), inputs)
    stack.delete(made)
    stack.provider.create(_resource(SUBNET, "one"), anew)


def test_two_subnets_that_overlap_in_one_update_fail_when_the_second_is_made(stack: Stack):
    first, second = (
        stack.check(SUBNET, {"name": n, "network": "n", "ipCidrRange": "10.0.0.0/16"}) for n in "ab"
    )
    stack.provider.create(_resource(SUBNET, "a"), first)
    with pytest.raises(ResourceError, match=r"ipCidrRange: Invalid IPCidrRange: 10\.0\.0\.0/16 conflicts"):
        stack.provider.create(_resource(SUBNET, "b"), second)


_networks = st.builds(
    lambda address, bits: ipaddress.ip_network((address, bits), strict=False),
    st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address), st.integers(8, 29),
)  # fmt: skip


@given(_networks, _networks)
def test_ranges_inside_a_subnet_conflict_exactly_when_they_overlap(one: Any, other: Any):
    from localcloud.providers.gcp.refusals import refusals

    inputs = {
        "name": "s",
        "network": "n",
        "ipCidrRange": str(one),
        "secondaryIpRanges": [{"ipCidrRange": str(other)}],
    }
    wrong = refusals(SUBNET, inputs, {"id": "s", "region": "asia-south1"}, lambda token: {})
    assert bool(wrong) == one.overlaps(other)


@pytest.mark.parametrize(
    "open_part", ["location", "nodeLocations", "nodeConfig", "machineType", "guestAccelerators"]
)
def test_a_machine_that_is_not_known_yet_is_not_judged(stack: Stack, open_part: str):
    spot = {**A3, "spot": True}
    inputs: Values = {"cluster": "gke", "nodeLocations": ["asia-south1-a", UNKNOWN], "nodeConfig": spot}
    in_config = open_part in ("machineType", "guestAccelerators")
    (inputs["nodeConfig"] if in_config else inputs)[open_part] = UNKNOWN
    assert stack.check(POOL, inputs)["nodeConfig"] == inputs["nodeConfig"]
    assert refused(stack, POOL, cluster="gke", nodeLocations=["asia-south1-b"], nodeConfig=A3), (
        "if it is known"
    )


def test_a_place_outside_india_is_refused(stack: Stack):
    said = refused(stack, POOL, cluster="gke", location="us-central1")
    assert "us-central1 is not a region in India" in said["nodeConfig.machineType"]


def test_extra_networks_need_a_cluster_that_has_them(stack: Stack):
    cluster = stack.make(CLUSTER, name="gke", initialNodeCount=1)
    extra = {"additionalNodeNetworkConfigs": [{"network": "gpu-0", "subnetwork": "gpu-0"}]}
    said = refused(stack, POOL, cluster=cluster.id, networkConfig=extra)
    path = "networkConfig.additionalNodeNetworkConfigs"
    assert said == {path: "cluster gke has no multi-networking: set enableMultiNetworking on it"}


# ── Machines ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_machine_is_the_catalogues_with_its_gpus():
    t4 = {"machineType": "n1-standard-4", "guestAccelerators": [{"type": "nvidia-tesla-t4", "count": 1}]}
    assert machine_of(t4, "asia-south1").machine_type == "n1-standard-4+1xT4"
    assert machine_of({}, "asia-south2").machine_type == "e2-medium"
    assert taints_of(t4, machine_of(t4, "asia-south1")) == [
        {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    ]


def test_zones_are_the_pools_or_the_locations():
    assert zones_of("asia-south1", None) == ["asia-south1-a", "asia-south1-b", "asia-south1-c"]
    assert zones_of("asia-south1-b", None) == ["asia-south1-b"]
    assert zones_of("asia-south1", ["asia-south1-c"]) == ["asia-south1-c"]


def test_a_control_plane_has_a_version_of_its_channel():
    assert master_version({}) == "1.35.8-gke.1036000"
    assert master_version({"minMasterVersion": "1.35"}) == "1.35.8-gke.1036000"
    assert master_version({"minMasterVersion": "1.34.9-gke.1287000"}) == "1.34.9-gke.1287000"


def test_the_store_holds_json(stack: Stack, tmp_path: Path):
    made = stack.make(NETWORK)
    json.dumps(stack.provider.read(made.resource, {}, {}))
    assert (tmp_path / "store.sqlite").exists()
