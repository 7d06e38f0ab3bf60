"""What tests of erasure share: an S3 and a Cloud Storage, the program in an environment that stands already, and its
jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from localcloud.environments import environment
from localcloud.google_objects import Server
from tests.workloads.forks import Ended, Forks
from tests.workloads.moto_server import moto

PROJECT = Path(__file__).parents[3]
# Has all that commands/erase/requirements.txt pins (test_command.py), so that no environment is built for it.
STANDING = PROJECT / "workloads" / "features" / "requirements-tests.txt"
REGION = "ap-south-1"
MODULES = [
    "commands.erase.programs.__main__",
    "commands.erase.programs.parquet",
    "commands.erase.programs.lines",
    "commands.erase.programs.s3",
    "commands.erase.programs.gcs",
]


@dataclass(frozen=True)
class Program:
    """The program, and the store that it finds in its environment: `s3` or `gs`."""

    forks: Forks
    url: str
    store: str = "s3"

    @property
    def variables(self) -> Mapping[str, str]:
        """What a client of this store is told."""
        if self.store == "gs":
            # The one of Google in the same process knows no S3.
            return {"STORAGE_EMULATOR_HOST": self.url}
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        return {"AWS_ENDPOINT_URL": self.url, "AWS_DEFAULT_REGION": REGION, **keys}

    def script(self, text: str, *arguments: str) -> Any:
        """What a script in the program's environment prints last, as JSON."""
        return self.forks.script(self._told(text), *arguments)

    def job(self, do: str, *buckets: str, **more: Any) -> list[Any]:
        """The answers to a job."""
        ended = self._job(do, buckets, more)
        assert ended.code == 0, ended.errors
        return json.loads(ended.output.splitlines()[-1])

    def refused(self, do: str, *buckets: str, **more: Any) -> str:
        """What a job that is refused says."""
        ended = self._job(do, buckets, more)
        assert ended.code, ended.output
        return ended.errors

    def bucket(self, **call: Mapping[str, Any]) -> str:
        """A new bucket with versions; `call` are calls of S3 that follow, with their arguments, or the properties that
        a bucket of Cloud Storage has besides."""
        name = f"lake-{uuid4().hex[:12]}"
        self.script(BUCKET[self.store], name, json.dumps(call))
        return name

    def put(self, bucket: str, key: str, content: bytes, **about: Any) -> None:
        """Write an object; `about` are more properties of one of Cloud Storage."""
        self.write([(bucket, key, content)], **about)

    def write(self, objects: Sequence[tuple[str, str, bytes]], **about: Any) -> None:
        """Write objects, and hide those without content."""
        named = [(bucket, key, content.hex()) for bucket, key, content in objects]
        self.script(WRITE[self.store], json.dumps(named), json.dumps(about))

    def contents(self, *buckets: str) -> dict[tuple[str, str, str], str]:
        """Every version of texts, by bucket, key and id; the newest of each key also with the id `latest`."""
        return {
            (bucket, key, id): text
            for bucket, key, id, text in self.script(CONTENTS, json.dumps(buckets), self.store)
        }

    def _job(self, do: str, buckets: tuple[str, ...], more: Mapping[str, Any]) -> Ended:
        job = {
            "do": do,
            "buckets": [
                {"store": self.store, "name": one, "region": REGION, "endpoint": None} for one in buckets
            ],
            "empty": [],
            **more,
        }
        return self.forks.run_script(self._told(JOB), json.dumps(job))

    def _told(self, text: str) -> str:
        return f"import os; os.environ.update({dict(self.variables)!r})\nimport json, sys\n{text}"


JOB = """
from commands.erase.programs.__main__ import main
print(json.dumps(list(main(json.loads(sys.argv[1])))))
"""
BUCKET = {}
BUCKET["s3"] = """
from commands.erase.programs.s3 import Bucket
bucket, calls = Bucket(sys.argv[1], "ap-south-1"), json.loads(sys.argv[2])
where = {"LocationConstraint": "ap-south-1"}
bucket._ask("create_bucket", CreateBucketConfiguration=where, **calls.pop("create_bucket", {}))
first = {"put_bucket_versioning": {"VersioningConfiguration": {"Status": "Enabled"}}}
for call, given in (first | calls).items():
    given and bucket._ask(call, **given)
print("{}")
"""
BUCKET["gs"] = """
from google.cloud import storage
client = storage.Client(project="test")
bucket = client.create_bucket(sys.argv[1])
bucket._properties |= {"versioning": {"enabled": True}} | json.loads(sys.argv[2])
bucket._changes |= set(bucket._properties) & {"versioning", "retentionPolicy", "softDeletePolicy"}
bucket.patch()
print("{}")
"""
WRITE = {}
WRITE["s3"] = """
from commands.erase.programs.s3 import Bucket
for name, key, content in json.loads(sys.argv[1]):
    bucket = Bucket(name, "ap-south-1")
    if content:
        bucket._ask("put_object", Key=key, Body=bytes.fromhex(content), Metadata={"of": "a test"})
    else:
        bucket._ask("delete_object", Key=key)
print("{}")
"""
WRITE["gs"] = """
from google.cloud import storage
client, about = storage.Client(project="test"), json.loads(sys.argv[2])
for name, key, content in json.loads(sys.argv[1]):
    blob = client.bucket(name).blob(key)
    if not content:
        blob.delete()
        continue
    blob.metadata = {"of": "a test"}
    for property, value in about.items():
        setattr(blob, property, value)
    blob.upload_from_string(bytes.fromhex(content), about.get("content_type", "text/plain"))
    # The client puts no hold into an upload.
    for property, value in about.items():
        setattr(blob, property, value)
    blob.patch()
print("{}")
"""
CONTENTS = """
import tempfile
from pathlib import Path
from commands.erase.programs.store import opened
found = []
for name in json.loads(sys.argv[1]):
    bucket = opened(sys.argv[2], name, "ap-south-1", None)
    with tempfile.TemporaryDirectory() as folder:
        for version in bucket.versions():
            file = Path(folder) / "object"
            bucket.fetch(version, file)
            ids = [version.id, *(["latest"] if version.latest else [])]
            found += [(name, version.key, each, file.read_bytes().decode()) for each in ids]
print(json.dumps(found))
"""


@pytest.fixture(scope="session")
def python() -> Path:
    """The interpreter with pyarrow and the stores' clients."""
    return environment(STANDING)


@pytest.fixture(scope="session")
def forks(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Processes that have imported the program's libraries."""
    made = Forks(python, PROJECT, MODULES, tmp_path_factory.mktemp("forks"))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def program(forks: Forks) -> Iterator[Program]:
    """The program beside an S3."""
    with moto() as url:
        yield Program(forks, url)


@pytest.fixture(scope="session")
def google(forks: Forks) -> Iterator[Program]:
    """The program beside a Cloud Storage."""
    with Server() as server:
        yield Program(forks, f"http://{server.address}", "gs")


@pytest.fixture(scope="session", params=["program", "google"])
def either(request: pytest.FixtureRequest) -> Program:
    """The program beside the one store, and then beside the other."""
    return request.getfixturevalue(request.param)
