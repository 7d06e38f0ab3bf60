"""Preflight on Google: an HTTP client that answers in the shape of the real APIs stands for the project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from googleapiclient import discovery_cache
from httplib2 import Response

from commands.preflight import google, google_apis, google_needs, needs
from commands.preflight.account import Finding
from infra.catalog.tables import read
from infra.pricing.nodes import GKE_POOL
from infra.pricing.resources import Resource, ResourceGraph
from infra.settings.stack import Usage

PROJECT, REGION = "unit-project", "asia-south1"


Quotas = dict[str, tuple[float, float]]


def family(value: str | None, **where: str) -> dict[str, Any]:
    """The limit of H200 in one place, as Cloud Quotas tells it."""
    details = {"value": value} if value else {}
    return {"dimensions": {"gpu_family": "NVIDIA_H200", **where}, "details": details}


class Project:
    """Answers by path; a path that is not there is a 404. `asked` holds the method and path of each request."""

    def __init__(self, **answers: Any) -> None:
        self.enabled = {"compute", "container", "containerfilesystem"}
        self.rights: set[str] | None = None  # every one
        self.quotas: Quotas = {
            "PREEMPTIBLE_NVIDIA_H100_GPUS": (32, 8),
            "INSTANCES": (24, 0),
            "SSD_TOTAL_GB": (500, 0),
        }
        self.whole_quotas: Quotas | None = {"NETWORKS": (5, 1), "GPUS_ALL_REGIONS": (16, 0)}
        self.families: list[Any] = [family("16", region=REGION)]
        self.machines = {("asia-south1-c", "a3-highgpu-8g"), ("asia-south1-a", "g2-standard-4")}
        self.project: Any = {"state": "ACTIVE"}
        self.log_places = {"_Default": "asia-south1", "_Required": "asia-south1"}
        self.customers: list[str] = []
        self.folder_logs = ""
        self.profiles = {"asia-south1-b-vpc-roce"}
        self.status = 200
        self.asked: list[tuple[str, str]] = []
        self.__dict__.update(answers)

    def request(self, uri: str, method: str = "GET", body: Any = None, **_: Any) -> tuple[Response, bytes]:
        url = urlsplit(uri)
        self.asked.append((method, url.path))
        answer = self._answer(url.path, parse_qs(url.query), json.loads(body or "{}"))
        status = self.status if answer is not None else 404
        content = json.dumps(answer if answer is not None else {"error": {"code": 404, "message": "no"}})
        return Response({"status": str(status), "content-type": "application/json"}), content.encode()

    def _of_what_is_there(self, path: str) -> Any:
        if path.endswith("/locations/-/buckets"):
            places = self.log_places.items()
            return {
                "buckets": [{"name": f"projects/{PROJECT}/locations/{at}/buckets/{b}"} for b, at in places]
            }
        if path.endswith("iam.allowedPolicyMemberDomains:getEffectivePolicy"):
            rules = (
                [{"values": {"allowedValues": self.customers}}] if self.customers else [{"allowAll": True}]
            )
            return {"spec": {"rules": rules}}
        if path.endswith("/folders/7/settings"):
            return {"storageLocation": self.folder_logs} if self.folder_logs else {}
        return self._of_compute(path)

    def _of_compute(self, path: str) -> Any:
        if path.endswith(f"/regions/{REGION}"):
            return told(self.quotas)
        if path.endswith(f"/compute/v1/projects/{PROJECT}"):
            return told(self.whole_quotas)
        if "GPUS-PER-GPU-FAMILY" in path:
            return {"dimensionsInfos": self.families}
        if "/networkProfiles/" in path:
            profile = path.rpartition("/")[2]
            return {"name": profile} if profile in self.profiles else None
        if "/machineTypes/" in path:
            zone, machine = path.split("/zones/")[1].split("/machineTypes/")
            return {"name": machine} if (zone, machine) in self.machines else None
        return None

    def _answer(self, path: str, query: dict[str, list[str]], body: dict[str, Any]) -> Any:
        if path.endswith(":testIamPermissions"):
            return {
                "permissions": [r for r in body["permissions"] if self.rights is None or r in self.rights]
            }
        if path.endswith("services:batchGet"):
            names = [name.rpartition("/")[2] for name in query["names"]]
            states = {n: "ENABLED" if n.partition(".")[0] in self.enabled else "DISABLED" for n in names}
            return {"services": [{"config": {"name": n}, "state": s} for n, s in states.items()]}
        if path.endswith(f"/v3/projects/{PROJECT}"):
            return self.project
        return self._of_what_is_there(path)


def told(quotas: Quotas | None) -> Any:
    """Quotas as a region and a project tell theirs; None where they are not there."""
    if quotas is None:
        return None
    return {"quotas": [{"metric": m, "limit": limit, "usage": used} for m, (limit, used) in quotas.items()]}


def pool(name: str, machine: str, gpu: str, nodes: int, zones: list[str], spot: bool = True) -> Resource:
    config = {
        "machineType": machine,
        "spot": spot,
        "guestAccelerators": [{"type": gpu, "count": 8}],
    }
    inputs = {"nodeConfig": config, "nodeCount": nodes, "nodeLocations": zones}
    return made(GKE_POOL, name, **inputs)


def made(type_: str, called: str, /, **inputs: Any) -> Resource:
    return Resource(type_, f"urn:pulumi:prod::shop::{type_}::{called}", inputs, "", "", {})


def asked_of(project: Project, *resources: Resource) -> list[Finding]:
    provider = made("pulumi:providers:gcp", "gcp", region=REGION)
    return google.check(
        ResourceGraph([provider, *resources], Usage()), PROJECT, REGION, google_apis.Google(project)
    )


TRAIN = pool("train", "a3-highgpu-8g", "nvidia-h100-80gb", 3, ["asia-south1-c"])


def test_a_project_that_has_everything_lacks_nothing() -> None:
    project = Project()
    found = asked_of(project, TRAIN)
    kinds = ["project", "API", "API", "rights", "logs", "logs", "quota", "quota", "zones"]
    assert [one.kind for one in found] == kinds
    assert {one.verdict for one in found} == {"ok"}
    quotas = {one.what: (one.needed, one.actual) for one in found if one.kind == "quota"}
    assert quotas == {
        "INSTANCES in asia-south1": ("3", "24"),
        "PREEMPTIBLE_NVIDIA_H100_GPUS in asia-south1": ("24", "32, 8 used"),
    }
    writes = {path for method, path in project.asked if method != "GET"}
    assert all(path.endswith(":testIamPermissions") for path in writes), "a preflight changes nothing"


@pytest.mark.parametrize(
    ("lacks", "kind", "fix"),
    [
        ({"project": None}, "project", "gcp.project"),
        ({"project": {"state": "DELETE_REQUESTED"}}, "project", "undelete"),
        (
            {"enabled": {"compute", "containerfilesystem"}},
            "API",
            "gcloud services enable container.googleapis.com --project",
        ),
        ({"rights": set()}, "rights", "container.clusters.update"),
        (
            {"quotas": {"PREEMPTIBLE_NVIDIA_H100_GPUS": (32, 9), "INSTANCES": (24, 0)}},
            "quota",
            "ask for 33 at https://",
        ),
        ({"machines": set()}, "zones", "a3-highgpu-8g is not in asia-south1-c"),
    ],
)
def test_what_a_project_lacks_is_named_with_what_to_do(lacks: dict[str, Any], kind: str, fix: str) -> None:
    missing = [one for one in asked_of(Project(**lacks), TRAIN) if one.verdict == "missing"]
    assert [one.kind for one in missing] == [kind]
    assert fix in missing[0].fix


def test_newer_gpus_have_a_quota_by_family() -> None:
    bought = pool("pretrain", "a3-ultragpu-8g", "nvidia-h200-141gb", 2, [], spot=False)
    quota = named("NVIDIA_H200", asked_of(Project(), bought))
    assert (quota.needed, quota.actual, quota.verdict) == ("16", "16", "ok")
    quota = named("NVIDIA_H200", asked_of(Project(families=[]), bought))
    assert quota.verdict == "unknown" and quota.actual == "not told"


def named(words: str, found: list[Finding]) -> Finding:
    (one,) = [one for one in found if one.kind == "quota" and words in one.what]
    return one


@pytest.mark.parametrize(
    ("infos", "actual", "verdict"),
    [
        # Of a region its own, else what every region has; -1 is no limit, no value is none at all.
        ([({}, "8"), ({"region": REGION}, "16"), ({"region": "us-central1"}, "0")], "16", "ok"),
        ([({"region": REGION}, "0"), ({}, "16")], "0", "missing"),
        ([({}, "16"), ({"region": "us-central1"}, "0")], "16", "ok"),
        ([({}, "-1")], "no limit", "ok"),
        ([({}, None)], "0", "missing"),
    ],
)
def test_a_family_has_the_limit_of_its_region(infos: Any, actual: str, verdict: str) -> None:
    families = [family(value, **where) for where, value in infos]
    bought = pool("pretrain", "a3-ultragpu-8g", "nvidia-h200-141gb", 2, [], spot=False)
    quota = named("NVIDIA_H200", asked_of(Project(families=families), bought))
    assert (quota.actual, quota.verdict) == (actual, verdict)


T4 = {"machineType": "n1-standard-8", "guestAccelerators": [{"type": "nvidia-tesla-t4", "count": 1}]}
NETWORK, INSTANCE = "gcp:compute/network:Network", "gcp:compute/instance:Instance"
SYSTEM = made(
    GKE_POOL,
    "system",
    nodeConfig={"machineType": "e2-standard-8", "diskSizeGb": 100},
    nodeCount=3,
    nodeLocations=["a"],
)


def test_what_the_regions_and_the_whole_project_hold_is_counted() -> None:
    spot = {**T4, "spot": True, "diskType": "hyperdisk-balanced", "diskSizeGb": 50}
    l4 = [{"type": "nvidia-l4", "count": 1}]
    bought = {"machineType": "g2-standard-4", "guestAccelerators": l4, "diskSizeGb": 10}
    host = {"bootDisk": {"initializeParams": {"type": "pd-balanced", "size": 10}}}
    stack = [
        SYSTEM,
        made(
            GKE_POOL,
            "t4",
            nodeConfig=spot,
            autoscaling={"totalMaxNodeCount": 2},
            nodeLocations=["asia-south1-a"],
        ),
        made(GKE_POOL, "l4", nodeConfig=bought, nodeCount=4),
        made(INSTANCE, "host", **host),
        *(made(NETWORK, str(number)) for number in range(7)),
    ]
    found = asked_of(Project(quotas={}), *stack)
    assert {one.what.partition(" in ")[0]: one.needed for one in found if one.kind == "quota"} == {
        "NETWORKS": "7",
        "GPUS_ALL_REGIONS": "4",
        "CPUS_ALL_REGIONS": "24",
        "CPUS": "24",
        "PREEMPTIBLE_CPUS": "16",
        "SSD_TOTAL_GB": "350",
        "HDB_TOTAL_GB": "100",
        "INSTANCES": "10",
        "PREEMPTIBLE_NVIDIA_T4_GPUS": "2",
        "NVIDIA_L4_GPUS": "4",
    }
    networks = named("NETWORKS", found)
    assert (networks.what, networks.actual, networks.verdict) == (
        "NETWORKS in all regions",
        "5, 1 used",
        "missing",
    )
    assert networks.fix.startswith("ask for 8 at https://")


def test_without_preemptible_processors_the_regular_ones_are_taken() -> None:
    spot = made(GKE_POOL, "t4", nodeConfig={**T4, "spot": True}, nodeCount=1)
    quotas: Quotas = {"PREEMPTIBLE_CPUS": (0, 0), "CPUS": (24, 0)}
    assert named("CPUS", asked_of(Project(quotas=quotas), spot)).what == "CPUS in asia-south1"
    quotas["PREEMPTIBLE_CPUS"] = (4, 0)
    assert named("CPUS", asked_of(Project(quotas=quotas), spot)).verdict == "missing"


def test_what_only_the_project_does_not_say_is_not_known() -> None:
    found = asked_of(Project(whole_quotas=None), SYSTEM, made(NETWORK, "a"))
    assert named("NETWORKS", found).verdict == "unknown" and "404" in named("NETWORKS", found).actual
    assert named("INSTANCES", found).verdict == "ok"


def test_every_metric_is_one_that_compute_engine_knows() -> None:
    document = json.loads(
        Path(discovery_cache.__file__).with_name("documents").joinpath("compute.v1.json").read_text()
    )
    known = set(document["schemas"]["Quota"]["properties"]["metric"]["enum"])
    rows = read(needs.HERE / "gcp_quotas.csv", google_needs.QuotaRow)
    assert len(rows) > 10
    assert {metric for row in rows for metric in row.metrics} <= known
    models = read(needs.HERE / "gcp_gpu_quotas.csv", google_needs.GpuQuotaRow)
    assert {row.metric for row in models if row.source == "compute.v1 discovery document"} <= known


def test_a_pool_that_one_of_its_zones_lacks_is_to_be_looked_at() -> None:
    wide = pool("serve", "g2-standard-4", "nvidia-l4", 0, ["asia-south1-a", "asia-south1-b"])
    (zones,) = [one for one in asked_of(Project(), wide) if one.kind == "zones"]
    assert (zones.verdict, zones.actual) == ("tight", "not in asia-south1-b")


def test_a_project_that_says_nothing_is_not_known_and_never_well() -> None:
    found = asked_of(Project(status=500), TRAIN)
    assert {one.verdict for one in found} == {"unknown"}
    assert all("500" in one.actual for one in found)


def test_a_type_that_the_table_lacks_is_named() -> None:
    found = asked_of(Project(), TRAIN, made("gcp:new/thing:Thing", "thing"))
    assert [one.what for one in found if one.verdict == "unknown"] == ["gcp:new/thing:Thing"]


def test_one_call_asks_for_all_that_the_table_names() -> None:
    table = yaml.safe_load((needs.HERE / "gcp_needs.yaml").read_text())
    apis, rights, unlisted = google.needed(table)
    assert not unlisted
    assert len(apis) <= 20, "serviceusage.services.batchGet takes 20"
    assert len(rights) <= 100, "testIamPermissions takes 100"


SINK, GRANT = "gcp:logging/projectSink:ProjectSink", "gcp:storage/bucketIAMMember:BucketIAMMember"


@pytest.mark.parametrize(
    ("places", "sink", "verdicts"),
    [
        ({"_Default": "asia-south1", "_Required": "asia-south2"}, False, ["ok", "ok"]),
        ({"_Default": "global", "_Required": "global"}, False, ["missing", "tight"]),
        ({"_Default": "global", "_Required": "global"}, True, ["ok", "tight"]),
        ({"_Default": "us-central1", "_Required": "asia-south1"}, False, ["missing", "ok"]),
        ({}, False, ["unknown", "unknown"]),
    ],
)
def test_it_tells_where_the_projects_own_logs_are(places: Any, sink: bool, verdicts: list[str]) -> None:
    stack = [TRAIN, *([made(SINK, "audit", name="_Default")] if sink else [])]
    found = [one for one in asked_of(Project(log_places=places), *stack) if one.kind == "logs"]
    assert [one.verdict for one in found] == verdicts
    assert all(bool(one.fix) is (one.verdict != "ok") for one in found)


@pytest.mark.parametrize(
    ("folder_logs", "verdict", "fix"),
    [
        ("asia-south2", "ok", ""),
        ("", "tight", "gcloud logging settings update --folder=7 --storage-location=asia-south1"),
        ("us", "tight", "gcloud logging settings update --folder=7 --storage-location=asia-south1"),
    ],
)
def test_logs_abroad_have_it_tell_where_new_projects_would_have_theirs(
    folder_logs: str, verdict: str, fix: str
) -> None:
    inside = {"state": "ACTIVE", "parent": "folders/7"}
    abroad = {"_Default": "global", "_Required": "global"}
    found = asked_of(Project(project=inside, folder_logs=folder_logs, log_places=abroad), TRAIN)
    (beside,) = [one for one in found if one.what == "new projects of folders/7"]
    assert (beside.verdict, beside.fix) == (verdict, fix)
    at_home = asked_of(Project(project=inside), TRAIN)
    assert not [one for one in at_home if one.what.startswith("new projects")]


@pytest.mark.parametrize(
    ("members", "customers", "verdict"),
    [
        (["group:ml@example.in"], [], "ok"),
        (["group:ml@example.in"], ["C01abcdef"], "ok"),
        (["group:ml@example.in", "user:a@elsewhere.in"], [], "ok"),
        (["group:ml@example.in", "user:a@elsewhere.in"], ["C01abcdef"], "tight"),
        (["serviceAccount:a@p.iam.gserviceaccount.com"], ["C01abcdef"], None),
    ],
)
def test_members_of_several_organisations_are_to_be_looked_at(
    members: list[str], customers: list[str], verdict: str | None
) -> None:
    grants = [made(GRANT, str(number), member=member) for number, member in enumerate(members)]
    found = [one for one in asked_of(Project(customers=customers), *grants) if one.kind == "members"]
    assert [one.verdict for one in found] == ([verdict] if verdict else [])


def test_a_zone_without_the_profile_of_rdma_networks_is_named() -> None:
    def network(zone: str) -> Resource:
        profile = f"projects/{PROJECT}/global/networkProfiles/{zone}-vpc-roce"
        return made("gcp:compute/network:Network", zone, networkProfile=profile)

    found = asked_of(Project(), network("asia-south1-b"), network("asia-south1-a"))
    told = {one.what: one.verdict for one in found if one.kind == "network"}
    assert told == {"asia-south1-b-vpc-roce": "ok", "asia-south1-a-vpc-roce": "missing"}


def test_calls_count_against_the_project_that_they_ask_about(monkeypatch: pytest.MonkeyPatch) -> None:
    from google.oauth2.credentials import Credentials

    monkeypatch.setattr(google_apis.google.auth, "default", lambda scopes: (Credentials("token"), None))
    headers: dict[str, str] = {}
    google_apis.of_login("unit-project").http.credentials.apply(headers)
    assert headers["x-goog-user-project"] == "unit-project"
    assert "serviceusage.services.use" in google.needed([GKE_POOL])[1]
