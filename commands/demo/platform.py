"""The stack `demo` on the local cloud, as its stages use it: updates, the API server, the lake, programs."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import yaml

from commands.up.command import open_stack, run
from infra import stacks
from localcloud import cloud
from localcloud.directories import PROJECT, run_dir
from localcloud.engine import Stack
from localcloud.environments import environment
from localcloud.kubernetes import clusters
from localcloud.kubernetes.agent.claims import HEAVY
from localcloud.kubernetes.agent.stores import BESIDE
from localcloud.kubernetes.api import Api

STACK = "demo"
REGION = "ap-south-1"
WORKLOADS = "india-ai-infra:workloads"
# Where the servers beside a program are wheels of its tests (localcloud/kubernetes/agent/images.yaml).
REQUIREMENTS = {"features": "requirements-tests.txt", "gateway": "requirements-tests.txt"}


class DemoError(Exception):
    """A stage cannot go on; the message says why, and where to look."""


@dataclass
class Platform:
    """The stack, as the stages before have left it: its workloads are in a file of the local cloud."""

    file: Path = field(default_factory=lambda: run_dir() / "state" / f"Pulumi.{STACK}.yaml")

    def open(self) -> None:
        """Start the local cloud, anew where a run was killed within an update."""
        open_stack(STACK)

    def update(self, workloads: Mapping[str, Mapping[str, Any]], title: str) -> None:
        """Bring the stack up with these workloads too; a mapping has what differs from the stack's file."""
        whole = yaml.safe_load(stacks.file_of(STACK, PROJECT).read_text())
        asked = self._asked()
        for name, changed in workloads.items():
            asked[name] = {**whole["config"][WORKLOADS][name], **changed}
        whole["config"][WORKLOADS] = asked
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(yaml.safe_dump(whole, allow_unicode=True))
        # The agent of the cluster, which the first update starts, runs pods with torch.
        os.environ[HEAVY] = "1"
        self.__dict__.pop("stack", None)
        run(self.stack.up, title)

    def _asked(self) -> dict[str, Any]:
        return yaml.safe_load(self.file.read_text())["config"][WORKLOADS] if self.file.exists() else {}

    @cached_property
    def stack(self) -> Stack:
        """The stack, of a local cloud that runs."""
        return open_stack(STACK, config_file=self.file)

    @property
    def cluster(self) -> clusters.ClusterAccess:
        """The stack's one cluster."""
        found = clusters.named(f"india-ai-infra-{STACK}")
        if found is None:
            raise DemoError(
                "the cluster of the stack demo is not up: `make down STACK=demo`, then `make demo`"
            )
        return found

    @property
    def api(self) -> Api:
        """Its API server."""
        return self.cluster.api()

    @cached_property
    def buckets(self) -> Mapping[str, str]:
        """The lake's buckets by role, as objects of pods are kept here."""
        return {role: name + BESIDE for role, name in self.stack.outputs()["buckets"].items()}

    def folder(self, role: str, path: str) -> str:
        """The address of a folder of the lake, for an engineer's programs, which may be the first to write there."""
        return f"s3://{self._made(self.buckets[role])}/{path}"

    def put(self, role: str, key: str, body: str) -> None:
        """Write an object as a data engineer."""
        self._s3.put_object(Bucket=self._made(self.buckets[role]), Key=key, Body=body.encode())

    def get(self, role: str, key: str) -> bytes:
        """Read an object."""
        return self._s3.get_object(Bucket=self.buckets[role], Key=key)["Body"].read()

    def keys(self, role: str, prefix: str) -> list[str]:
        """The objects below a prefix."""
        listed = self._s3.list_objects_v2(Bucket=self.buckets[role], Prefix=prefix)
        return [each["Key"] for each in listed.get("Contents", ())]

    def secret(self, namespace: str, name: str) -> Mapping[str, str]:
        """What a Secret has, as one who may read it."""
        found = self.api.request("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")
        return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}

    def program(self, workload: str, module: str, *arguments: str) -> str:
        """What a program of a workload prints, run by an engineer on this machine.

        Raises:
            DemoError: it failed, with its last words.
        """
        return self.script(workload, "-m", module, *arguments)

    def script(self, workload: str, *words: str) -> str:
        """The same of a program that no workload has."""
        folder = PROJECT / "workloads" / workload
        python = environment(requirements(workload))
        ended = subprocess.run(
            [python, *words], cwd=folder, env=self._engineer(), capture_output=True, text=True
        )
        if ended.returncode:
            raise DemoError(f"{' '.join(words[:2])}: {ended.stderr.strip()[-2000:]}")
        return ended.stdout

    def _engineer(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            "PYTHONPATH": str(PROJECT),
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "DO_NOT_TRACK": "1",
            "AWS_ENDPOINT_URL": cloud.aws_endpoint() or "",
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        }

    def _made(self, bucket: str) -> str:
        if all(each["Name"] != bucket for each in self._s3.list_buckets()["Buckets"]):
            self._s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        return bucket

    @property
    def _s3(self) -> Any:
        keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": REGION}
        return boto3.client("s3", endpoint_url=cloud.aws_endpoint(), **keys)


def requirements(workload: str) -> Path:
    """The pins of the environment in which pods of a workload run here."""
    return PROJECT / "workloads" / workload / REQUIREMENTS.get(workload, "requirements.txt")


def environments(workloads: Sequence[str]) -> None:
    """Build what pods and programs run in, once per user."""
    for workload in workloads:
        environment(requirements(workload))
