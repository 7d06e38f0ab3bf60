"""Versions for phones: published once and whole, small by deltas, and installed only if all of it holds."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from infra import geography
from tests.workloads.edge.conftest import BUNDLE, VERIFY
from tests.workloads.forks import Ended, Forks
from tests.workloads.moto_server import moto
from workloads.compression.package import ROOT

pytestmark = pytest.mark.slow

WEIGHTS = random.Random(0).randbytes(300_000)


def keys(folder: Path, name: str) -> Path:
    """A pair of Ed25519; the path of the private one."""
    private = Ed25519PrivateKey.generate()
    (folder / f"{name}.pub").write_bytes(
        private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    (folder / f"{name}.pem").write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return folder / f"{name}.pem"


@dataclass
class Phone:
    """A bucket, whoever publishes to it, and a phone that reads it."""

    forks: Forks
    folder: Path

    def publish(self, version: int, weights: bytes, env: dict[str, str] | None = None, **more: Any) -> Ended:
        """A version with one file of weights and one that never changes."""
        (files := self.folder / f"files-{version}").mkdir(exist_ok=True)
        (files / "model.pte").write_bytes(weights)
        (files / "tokenizer.json").write_bytes(b"{}" * 499)
        (files / "export.json").write_bytes(b"{}")
        plain = {"name": "assistant", "version": version, "files": str(files), "target": str(self.bucket)}
        (job := self.folder / "job.json").write_text(
            json.dumps({**plain, "key": str(self.folder / "app.pem"), **more})
        )
        return self.forks.main(BUNDLE, "--job", str(job), env=env)

    def update(self, key: str = "app.pub") -> Ended:
        """What the phone does."""
        arguments = ["--from", str(self.bucket), "--home", str(self.home), "--key", str(self.folder / key)]
        return self.forks.main(VERIFY, *arguments)

    @property
    def bucket(self) -> Path:
        return self.folder / "bucket"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def manifest(self, version: int) -> dict[str, Any]:
        return json.loads((self.bucket / str(version) / "manifest.json").read_text())

    def state(self) -> dict[str, bytes]:
        """All that is installed."""
        paths = sorted(path for path in self.home.rglob("*") if path.is_file() and ".part" not in str(path))
        return {str(path.relative_to(self.home)): path.read_bytes() for path in paths}


@pytest.fixture
def phone(forks: Forks, tmp_path: Path) -> Phone:
    """With version 1 published and installed."""
    keys(tmp_path, "app")
    made = Phone(forks, tmp_path)
    assert made.publish(1, WEIGHTS).code == 0
    first = made.update()
    assert (first.code, first.output) == (0, "1\n"), first.errors
    return made


REGIONS = {"home": "ap-south-1", "abroad": "eu-west-1"}


@pytest.fixture(scope="module")
def stores() -> Iterator[dict[str, str]]:
    """The environment of a publisher to a moto with a bucket in each of REGIONS."""
    with moto() as endpoint:
        keys = {"AWS_ACCESS_KEY_ID": "unit", "AWS_SECRET_ACCESS_KEY": "unit"}
        for name, region in REGIONS.items():
            client = boto3.client(
                "s3",
                region_name=region,
                endpoint_url=endpoint,
                aws_access_key_id="unit",
                aws_secret_access_key="unit",
            )
            client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
        yield {**keys, "AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": "ap-south-1"}


def test_a_version_is_published_in_india_alone(phone: Phone, stores: dict[str, str]) -> None:
    made = {name: phone.publish(2, CHANGED, env=stores, target=f"s3://{name}/phones") for name in REGIONS}
    assert (made["home"].code, made["abroad"].code) == (0, 64), made["home"].errors
    assert "s3://abroad/phones is in eu-west-1: publish in India" in made["abroad"].errors
    store = boto3.client(
        "s3",
        endpoint_url=stores["AWS_ENDPOINT_URL"],
        aws_access_key_id="unit",
        aws_secret_access_key="unit",
        region_name="ap-south-1",
    )
    kept = {name: store.list_objects_v2(Bucket=name)["KeyCount"] for name in REGIONS}
    assert kept["home"] and not kept["abroad"]


PLACES = """
import json
from workloads.edge.programs import residency

class Store:
    def __init__(self, place):
        self.place = place
    def info(self, bucket):
        return {"name": bucket} if self.place is None else {"location": self.place}
    def call_s3(self, call, Bucket):
        return {"LocationConstraint": self.place}

def judged(scheme, place):
    try:
        residency.check(f"{scheme}://bucket/phones", Store(place), "bucket/phones")
    except residency.RecipeError as error:
        return str(error)
    return ""

asked = [("gs", "IN"), ("gs", "ASIA-SOUTH1"), ("gs", "ASIA"), ("gs", None)]
asked += [("s3", None), ("s3", "ap-south-2"), ("file", "")]
print(json.dumps([residency.IN_INDIA, [judged(*one) for one in asked]]))
"""


def test_where_a_bucket_is_is_asked_of_its_store(forks: Forks) -> None:
    known, judged = forks.script(PLACES)
    assert set(known) == {*geography.REGIONS, "in"}
    right, wrong = [judged[at] for at in (0, 1, 5, 6)], [judged[at] for at in (2, 3, 4)]
    assert not any(right)
    assert (
        "is in ASIA:" in wrong[0]
        and "storage.buckets.get" in wrong[1]
        and "is in Amazon's first region:" in wrong[2]
    )


CHANGED = WEIGHTS[:100_000] + b"other weights" + WEIGHTS[100_100:]


def test_an_update_is_a_delta_of_what_changed(phone: Phone) -> None:
    published = phone.publish(2, CHANGED)
    assert published.code == 0, published.errors
    (delta,) = phone.manifest(2)["files"]["model.pte"]["deltas"]
    assert delta["size"] < len(CHANGED) / 100
    # It comes by the delta: the whole file is not there to be had.
    (phone.bucket / "2" / "model.pte").unlink()
    (phone.bucket / "2" / "tokenizer.json").unlink()
    (phone.bucket / "2" / "export.json").unlink()
    updated = phone.update()
    assert (updated.code, updated.output) == (0, "2\n"), updated.errors
    assert phone.state()["2/model.pte"] == CHANGED
    assert not [name for name in phone.state() if name.startswith("1/")]
    assert phone.update().output == "2\n"


def test_a_phone_whose_file_is_another_downloads_it_whole(phone: Phone) -> None:
    phone.publish(2, CHANGED)
    (phone.home / "1" / "model.pte").write_bytes(b"damaged")
    assert phone.update().output == "2\n"
    assert phone.state()["2/model.pte"] == CHANGED


def _signed_by_another(phone: Phone) -> None:
    keys(phone.folder, "app")
    phone.publish(2, CHANGED)


def _unsigned_change(phone: Phone) -> None:
    phone.publish(2, CHANGED)
    path = phone.bucket / "2" / "manifest.json"
    path.write_text(path.read_text().replace("assistant", "assistent"))


def _older(phone: Phone) -> None:
    phone.publish(2, CHANGED)
    phone.update("app.pub")
    (phone.bucket / "latest.json").write_text('{"version": 1}')


def _older_as_newer(phone: Phone) -> None:
    phone.publish(2, CHANGED)
    phone.update("app.pub")
    (phone.bucket / "1").rename(phone.bucket / "3")
    (phone.bucket / "latest.json").write_text('{"version": 3}')


def _damaged_file(phone: Phone) -> None:
    phone.publish(2, CHANGED, deltasFrom=0)
    (phone.bucket / "2" / "model.pte").write_bytes(CHANGED[:-1])


def _damaged_delta(phone: Phone) -> None:
    phone.publish(2, CHANGED)
    (phone.bucket / "2" / "deltas" / "1" / "model.pte").write_bytes(b"damaged")


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        (_signed_by_another, "the manifest is not signed by the key of this app"),
        (_unsigned_change, "the manifest is not signed by the key of this app"),
        (_older, "version 1 is older than the installed 2"),
        (_older_as_newer, "latest.json says version 3, and its manifest 1"),
        (_damaged_file, "model.pte has not the digest of its manifest"),
        (_damaged_delta, "the delta of model.pte has not the digest of its manifest"),
    ],
)
def test_an_update_that_does_not_hold_changes_nothing(phone: Phone, attack: Any, message: str) -> None:
    (phone.folder / "first.pub").write_bytes((phone.folder / "app.pub").read_bytes())
    attack(phone)
    before = phone.state()
    refused = phone.update("first.pub")
    assert refused.code == 64
    assert message in refused.errors
    assert phone.state() == before


PATCHES = """
import json
from workloads.edge.programs.bundle import delta
from workloads.edge.programs.verify import UpdateError, digest, patched
base, new = bytes(range(256)) * 50, bytes(range(256)) * 49 + b"end"
made = delta(base, new)
said = []
for other, body, size in ((base[1:], made, len(new)), (base, made[:-4], len(new)), (base, made, 10), (base, b"", 10)):
    try:
        patched(other, body, digest(base), size)
        said.append("")
    except UpdateError as error:
        said.append(str(error).partition(":")[0])
print(json.dumps([patched(base, made, digest(base), len(new)) == new, said]))
"""


def test_a_delta_for_another_base_and_one_that_is_cut_are_refused(forks: Forks) -> None:
    same, said = forks.script(PATCHES)
    assert same
    assert said[0] == "the delta is for another base than the installed file"
    assert set(said[1:]) == {"the delta can't be read"}


@pytest.mark.parametrize(
    ("version", "more", "message"),
    [
        (1, {}, "version 1 is not above the published 1: give 2"),
        (2, {"maxBytes": 100_000}, "version 2 has 301,000 bytes; maxBytes allows 100,000"),
        (2, {"maxSeconds": {"2G": 60}}, "takes 80 s to download by 2G; maxSeconds allows 60"),
        (2, {"maxSeconds": {"6G": 60}}, "maxSeconds names 6G: give 2G, 3G, 4G, 5G"),
        (2, {"name": "another"}, "holds assistant: give another a folder of its own"),
        (2, {"files": "nowhere"}, "files nowhere has no export.json: export a model there, to the end"),
        (0, {}, "version is 0: Input should be greater than or equal to 1"),
    ],
)
def test_a_version_that_is_refused_is_not_published(
    phone: Phone, version: int, more: dict[str, Any], message: str
) -> None:
    before = sorted(phone.bucket.rglob("*"))
    refused = phone.publish(version, WEIGHTS, **more)
    assert refused.code == 64
    assert message in refused.errors
    assert sorted(phone.bucket.rglob("*")) == before


def test_a_version_that_was_never_announced_is_written_again(phone: Phone) -> None:
    phone.publish(2, CHANGED)
    (phone.bucket / "latest.json").write_text('{"version": 1}')
    assert phone.update().output == "1\n"
    assert phone.publish(2, WEIGHTS).code == 0
    assert phone.update().output == "2\n"
    assert phone.state()["2/model.pte"] == WEIGHTS


def test_each_connection_has_a_source_and_is_faster_than_the_one_before() -> None:
    rows = yaml.safe_load((ROOT / "workloads/edge/programs/connections.yaml").read_text())
    assert [row["name"] for row in rows] == ["2G", "3G", "4G", "5G"]
    speeds = [row["bitsPerSecond"] for row in rows]
    assert speeds == sorted(speeds)
    assert all(row["source"].startswith("https://") and row["what"] for row in rows)
