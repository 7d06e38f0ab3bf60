"""Cloud Storage for pods of Google clusters: each has the rights of its own bindings, by Google's own clients."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from localcloud.kubernetes.agent.google_stores import BINDING, BUCKET, CLUSTER, GoogleStores
from localcloud.kubernetes.agent.references import References
from tests.localcloud.permissions import clients

pytestmark = pytest.mark.slow

LAKE, PROJECT = "stack-features", "acme"
POOL = (
    f"principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/{PROJECT}.svc.id.goog"
)
PROGRAM = """
from google.api_core.exceptions import Forbidden
from google.cloud import storage

bucket = storage.Client(project="acme").bucket("stack-features")
for act in (
    lambda: bucket.blob("own/a").upload_from_string("mine"),
    lambda: bucket.blob("other/a").upload_from_string("not mine"),
    lambda: print("read", bucket.blob("own/a").download_as_bytes()),
):
    try:
        act()
    except Forbidden as error:
        print("refused", error)
"""


def pod(account: str | None, namespace: str = "ml") -> References:
    spec = {"serviceAccountName": account} if account else {}
    return References(None, {"metadata": {"namespace": namespace}, "spec": spec})  # type: ignore[arg-type]


@pytest.fixture
def records() -> dict[str, dict[str, dict[str, Any]]]:
    def binding(account: str, role: str, prefix: str) -> dict[str, Any]:
        name = f"projects/_/buckets/{LAKE}/objects/{prefix}"
        return {
            "bucket": LAKE,
            "member": f"{POOL}/subject/ns/ml/sa/{account}",
            "role": role,
            "condition": {"expression": f'resource.name.startsWith("{name}")'},
        }

    return {
        CLUSTER: {f"projects/{PROJECT}/locations/asia-south1/clusters/train": {}},
        BUCKET: {LAKE: {"name": LAKE, "versioning": {"enabled": True}}},
        BINDING: {
            "write": binding("trainer", "roles/storage.objectCreator", "own/"),
            "read": binding("reader", "roles/storage.objectViewer", "own/"),
        },
    }


@pytest.fixture
def stores(records: Mapping[str, Any], tmp_path: Path) -> GoogleStores:
    return GoogleStores("train", tmp_path / "objects", lambda kind: records[kind])


def run(stores: GoogleStores, account: str, folder: Path) -> list[str]:
    file = folder / "program.py"
    file.write_text(PROGRAM)
    return clients.run(file, [], stores.variables(pod(account), folder), "proof").splitlines()


def test_a_pod_does_what_its_bindings_hold_and_nothing_else(stores: GoogleStores, tmp_path: Path) -> None:
    wrote = run(stores, "trainer", tmp_path)
    assert [line.split()[0] for line in wrote] == ["refused", "refused"], "neither other/ nor to read"
    read = run(stores, "reader", tmp_path)
    assert [line.split()[0] for line in read] == ["refused", "refused", "read"]
    assert read[-1] == "read b'mine'"


def test_bindings_that_come_later_count_for_the_next_pod(
    stores: GoogleStores, records: dict[str, dict[str, dict[str, Any]]], tmp_path: Path
) -> None:
    stores.variables(pod("trainer"), tmp_path)
    records[BINDING]["write"]["condition"] = None
    assert [line.split()[0] for line in run(stores, "trainer", tmp_path)] == ["refused"], "to read"


def test_buckets_keep_what_they_say_and_their_operator_sees_it(stores: GoogleStores, tmp_path: Path) -> None:
    stores.variables(pod("trainer"), tmp_path)
    url = (tmp_path / "objects.url").read_text()
    for content in (b"1", b"2"):
        upload = f"{url}/upload/storage/v1/b/{LAKE}/o?uploadType=media&name=own/a"
        requests.post(upload, content, timeout=60).raise_for_status()
    listed = requests.get(f"{url}/storage/v1/b/{LAKE}/o?versions=true", timeout=60).json()
    assert ["timeDeleted" in one for one in listed["items"]] == [True, False]


@pytest.mark.parametrize("references", [pod(None), pod("nobody"), pod("trainer", "other")])
def test_a_pod_without_a_binding_is_sent_to_no_store(
    stores: GoogleStores, references: References, tmp_path: Path
) -> None:
    assert stores.variables(references, tmp_path) == {}
