"""Preflight of what settings name on Google: an HTTP client that answers in the shape of the real APIs."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from httplib2 import Response

from commands.preflight import google_apis, named_google
from commands.preflight.named_google import Image
from infra.settings import reading
from infra.settings.stack import Settings

PROJECT, REGION = "shop-prod", "asia-south1"
REPOSITORY = f"/v1/projects/{PROJECT}/locations/{REGION}/repositories/team"
VPC = f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/global/networks/shared"
COMPUTE = f"/compute/v1/projects/{PROJECT}"


class Answers:
    """What each path answers; a path that is not there is a 404, or `status` where that is set."""

    def __init__(self, paths: dict[str, Any], status: int = 404) -> None:
        self.paths, self.status = paths, status

    def request(self, uri: str, method: str = "GET", **_: Any) -> tuple[Response, bytes]:
        assert method == "GET", "a preflight changes nothing"
        path = urlsplit(uri).path
        there = path in self.paths
        status = 200 if there else self.status
        body = self.paths[path] if there else {"error": {"code": status, "message": "no"}}
        headers = {"status": str(status), "content-type": "application/json"}
        return Response(headers), json.dumps(body).encode()


def read(existing: bool = False, **workloads: Any) -> Settings:
    there = {"existing": {"network": "shared", "subnetwork": "nodes"}} if existing else {}
    cloud = {
        "project": PROJECT,
        "region": REGION,
        "network": there,
        "cluster": {
            "access": {"jumpHost": True},
            "pools": [{"name": "g", "gpu": "L4", "maxNodes": 2}],
        },
    }
    return reading.parse(
        {
            "owner": "ml",
            "environment": "prod",
            "purpose": "tests",
            "budget": {"monthlyInr": 100},
            "currency": {"usdInr": 88.5, "asOf": "2026-11-24"},
            "gcp": cloud,
            "workloads": workloads,
        }
    )


DIGEST = f"sha256:{'a' * 64}"


def test_images_are_those_of_pods_on_google_in_artifact_registry() -> None:
    found = named_google.images(
        read(
            training={"pool": "g", "image": "{registry}/team/tools/train:1", "nodes": 1, "gpusPerNode": 1},
            proof={
                "image": f"asia-south2-docker.pkg.dev/other-project/team/proof@{DIGEST}",
                "dcgmImage": "nvcr.io/nvidia/dcgm:4",
            },
        )
    )
    assert found == [
        Image(REGION, PROJECT, "team", "tools/train", "1"),
        Image("asia-south2", "other-project", "team", "proof", DIGEST),
    ]


IMAGE = Image(REGION, PROJECT, "team", "tools/train", "1")
TAG = f"{REPOSITORY}/packages/tools%2Ftrain/tags/1"


@pytest.mark.parametrize(
    ("paths", "verdict", "there", "fix"),
    [
        ({REPOSITORY: {}, TAG: {}}, "ok", "there", ""),
        ({REPOSITORY: {}}, "missing", "no such image", "push it: docs/registries.md"),
        ({}, "missing", "no such repository", "gcloud artifacts repositories create team"),
    ],
)
def test_an_image_is_there_or_told_with_what_to_do(
    paths: dict[str, Any], verdict: str, there: str, fix: str
) -> None:
    found = named_google.image(IMAGE, google_apis.Google(Answers(paths)))
    assert found.verdict == verdict
    assert there in found.actual
    assert fix in found.fix


def test_an_image_by_digest_is_a_version() -> None:
    wanted = Image(REGION, PROJECT, "team", "proof", DIGEST)
    paths = {REPOSITORY: {}, f"{REPOSITORY}/packages/proof/versions/{DIGEST}": {}}
    assert named_google.image(wanted, google_apis.Google(Answers(paths))).verdict == "ok"


def test_a_project_that_does_not_say_has_no_verdict() -> None:
    found = named_google.image(IMAGE, google_apis.Google(Answers({}, status=403)))
    assert found.verdict == "unknown"
    assert "roles/artifactregistry.reader" in found.fix


# ── A network that exists ────────────────────────────────────────────────────────────────────────────────────────────
ROUTERS, ROUTES = f"{COMPUTE}/regions/{REGION}/routers", f"{COMPUTE}/global/routes"
SUBNET, ZONES = f"{COMPUTE}/regions/{REGION}/subnetworks/nodes", f"/dns/v1/projects/{PROJECT}/managedZones"


def zone(name: str, vpc: str = VPC) -> dict[str, Any]:
    return {"dnsName": f"{name}.", "privateVisibilityConfig": {"networks": [{"networkUrl": vpc}]}}


WELL = {
    SUBNET: {"logConfig": {"enable": True}},
    ROUTERS: {"items": [{"network": VPC, "nats": [{"name": "out"}]}]},
    ROUTES: {},
    ZONES: {"managedZones": [zone(name) for name in ("googleapis.com", "gcr.io", "pkg.dev")]},
}
INTERNET = {
    "name": "default",
    "network": VPC,
    "destRange": "0.0.0.0/0",
    "nextHopGateway": f"https://compute.googleapis.com{COMPUTE}/global/gateways/default-internet-gateway",
}
APPLIANCE = {"name": "firewall", "network": VPC, "destRange": "0.0.0.0/0", "nextHopIlb": "10.0.0.9"}


@pytest.mark.parametrize(
    ("changes", "tight"),
    [
        ({}, []),
        ({SUBNET: {"logConfig": {"enable": False}}}, ["flow logs of nodes"]),
        ({SUBNET: {}}, ["flow logs of nodes"]),
        (
            {ROUTERS: {"items": [{"network": f"{VPC}-2", "nats": [{"name": "out"}]}]}},
            ["the way out of nodes"],
        ),
        ({ROUTERS: {}, ROUTES: {"items": [INTERNET]}}, ["the way out of nodes"]),
        ({ROUTERS: {}, ROUTES: {"items": [APPLIANCE]}}, []),
        ({ZONES: {"managedZones": [zone("googleapis.com")]}}, ["DNS of Google's APIs"]),
        (
            {
                ZONES: {
                    "managedZones": [
                        zone(name, f"{VPC}-2") for name in ("googleapis.com", "gcr.io", "pkg.dev")
                    ]
                }
            },
            ["DNS of Google's APIs"],
        ),
    ],
)
def test_what_its_keeper_must_have_is_looked_at(changes: dict[str, Any], tight: list[str]) -> None:
    found = named_google.check(read(existing=True), google_apis.Google(Answers({**WELL, **changes})))
    assert [one.what for one in found if one.verdict == "tight"] == tight
    assert {one.verdict for one in found} <= {"ok", "tight"}
    assert all(bool(one.fix) is (one.verdict == "tight") for one in found)


def test_a_network_that_may_not_be_read_has_no_verdict() -> None:
    found = named_google.check(read(existing=True), google_apis.Google(Answers({}, status=403)))
    assert [one.verdict for one in found] == ["unknown"] * 3


def test_a_subnet_that_is_not_there_is_missing() -> None:
    paths = {path: answer for path, answer in WELL.items() if path != SUBNET}
    (missing,) = [
        one
        for one in named_google.check(read(existing=True), google_apis.Google(Answers(paths)))
        if one.verdict == "missing"
    ]
    assert "that shop-prod has in asia-south1" in missing.fix
