"""What tests of erasure share: an S3, the program in an environment that stands already, and jobs for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from localcloud.environments import environment
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
]


@dataclass(frozen=True)
class Program:
    """The program, and the S3 that it finds in its environment."""

    forks: Forks
    url: str

    @property
    def variables(self) -> Mapping[str, str]:
        """What a client of this S3 is told."""
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
        """A new bucket with versions; `call` are calls of S3 that follow, with their arguments."""
        name = f"lake-{uuid4().hex[:12]}"
        self.script(BUCKET, name, json.dumps(call))
        return name

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Write an object."""
        self.script(PUT, bucket, key, content.hex())

    def contents(self, *buckets: str) -> dict[tuple[str, str, str], str]:
        """Every version of texts, by bucket, key and id; the newest of each key also with the id `latest`."""
        return {
            (bucket, key, id): text for bucket, key, id, text in self.script(CONTENTS, json.dumps(buckets))
        }

    def _job(self, do: str, buckets: tuple[str, ...], more: Mapping[str, Any]) -> Ended:
        job = {"do": do, "buckets": [{"name": one, "region": REGION} for one in buckets], "empty": [], **more}
        return self.forks.run_script(self._told(JOB), json.dumps(job))

    def _told(self, text: str) -> str:
        return f"import os; os.environ.update({dict(self.variables)!r})\nimport json, sys\n{text}"


JOB = """
from commands.erase.programs.__main__ import main
print(json.dumps(list(main(json.loads(sys.argv[1])))))
"""
BUCKET = """
from commands.erase.programs.store import Bucket
bucket, calls = Bucket(sys.argv[1], "ap-south-1"), json.loads(sys.argv[2])
where = {"LocationConstraint": "ap-south-1"}
bucket._ask("create_bucket", CreateBucketConfiguration=where, **calls.pop("create_bucket", {}))
first = {"put_bucket_versioning": {"VersioningConfiguration": {"Status": "Enabled"}}}
for call, given in (first | calls).items():
    given and bucket._ask(call, **given)
print("{}")
"""
PUT = """
from commands.erase.programs.store import Bucket
bucket = Bucket(sys.argv[1], "ap-south-1")
bucket._ask("put_object", Key=sys.argv[2], Body=bytes.fromhex(sys.argv[3]), Metadata={"of": "a test"})
print("{}")
"""
CONTENTS = """
import tempfile
from pathlib import Path
from commands.erase.programs.store import Bucket
found = []
for name in json.loads(sys.argv[1]):
    bucket = Bucket(name, "ap-south-1")
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
    """The interpreter with pyarrow and s3fs."""
    return environment(STANDING)


@pytest.fixture(scope="session")
def program(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The program, its libraries imported, beside an S3."""
    with moto() as url:
        forks = Forks(python, PROJECT, MODULES, tmp_path_factory.mktemp("forks"))
        try:
            yield Program(forks, url)
        finally:
            forks.close()
