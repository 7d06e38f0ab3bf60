"""Pods of a Google cluster run, and reach Cloud Storage as the Google identity of their own service account."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.kubernetes import clusters
from localcloud.kubernetes.agent import namespaces
from localcloud.kubernetes.api import Api
from localcloud.providers.gcp.provider import Gcp
from localcloud.providers.protocol import Resource
from tests.e2e.waiting import wait

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(namespaces.refused()), reason=namespaces.refused()),
]

NAME, LOCATION, PROJECT = "gke-pods", "asia-south1", "ai-team"
LAKE = "gke-pods-lake"
SECONDS = 150
POOL = f"{PROJECT}.svc.id.goog"
IDENTITIES = f"principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/{POOL}"
STACK: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "container/cluster:Cluster",
        "cluster",
        {
            "name": NAME,
            "location": LOCATION,
            "initialNodeCount": 1,
            "removeDefaultNodePool": True,
            "deletionProtection": False,
            "workloadIdentityConfig": {"workloadPool": POOL},
        },
    ),
    (
        "container/nodePool:NodePool",
        "pool",
        {
            "name": "small",
            "location": LOCATION,
            "cluster": NAME,
            "nodeCount": 1,
            "nodeLocations": [f"{LOCATION}-a"],
            "nodeConfig": {"machineType": "e2-standard-4"},
        },
    ),
    ("storage/bucket:Bucket", "lake", {"name": LAKE, "location": LOCATION}),
    (
        "storage/bucketIAMMember:BucketIAMMember",
        "own",
        {
            "bucket": LAKE,
            "role": "roles/storage.objectUser",
            "member": f"{IDENTITIES}/subject/ns/default/sa/trainer",
            "condition": {
                "title": "own",
                "expression": f'resource.name.startsWith("projects/_/buckets/{LAKE}/objects/own/")',
            },
        },
    ),
)
PROGRAM = f"""
import os, urllib.error, urllib.request
store = os.environ.get("STORAGE_EMULATOR_HOST")
print("store", bool(store))
def ask(path, body=None):
    try:
        with urllib.request.urlopen(urllib.request.Request(store + path, body)) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, b""
if store:
    for name in ("own/a", "other/a"):
        print("wrote", name, ask(f"/upload/storage/v1/b/{LAKE}/o?uploadType=media&name={{name}}", b"mine")[0])
    print("read", *ask("/storage/v1/b/{LAKE}/o/own%2Fa?alt=media"))
"""


@pytest.fixture(scope="module")
def api(run_dir: object) -> Iterator[Api]:
    provider = Gcp()
    provider.configure({"project": PROJECT, "region": LOCATION})
    made: list[tuple[Resource, dict[str, Any], dict[str, Any]]] = []
    for token, name, inputs in STACK:
        urn = f"urn:pulumi:local::india-ai-infra::gcp:{token}::{name}"
        checked = provider.check(Resource(urn), {}, inputs)
        resource_id, outputs = provider.create(Resource(urn), checked)
        made.append((Resource(urn, resource_id), checked, outputs))
    access = clusters.access(f"https://{made[0][2]['endpoint']}")
    assert access is not None
    yield access.api()
    for resource in reversed(made):
        provider.delete(*resource)
    assert clusters.processes_of(NAME) == []


def run(api: Api, account: str) -> str:
    """What the program prints in a pod of a service account."""
    metadata = {"name": account, "namespace": "default"}
    api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    container = {"name": "main", "image": "python:3.12-slim"}
    command = ["python", "-u", "-c", textwrap.dedent(PROGRAM)]
    spec = {
        "restartPolicy": "Never",
        "serviceAccountName": account,
        "containers": [{**container, "command": command}],
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    api.apply(pod)

    def ended() -> bool:
        return (api.get(pod) or {}).get("status", {}).get("phase") in ("Succeeded", "Failed")

    wait(ended, SECONDS)
    (folder,) = (clusters.folder(NAME) / "pods").glob(f"default_{account}_*")
    return "".join(file.read_text() for file in (folder / "logs" / "main").glob("*.log"))


def test_a_pod_has_the_rights_of_its_own_google_identity(api: Api) -> None:
    printed = run(api, "trainer")
    assert "store True" in printed
    assert "wrote own/a 200" in printed and "wrote other/a 403" in printed
    assert "read 200 b'mine'" in printed


def test_a_pod_whose_identity_is_bound_to_nothing_has_no_store(api: Api) -> None:
    assert "store False" in run(api, "nobody")
