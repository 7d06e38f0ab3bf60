"""Cloud Storage for pods, each with the rights of its own identity: an emulator, and a gate for each service account.

The emulator's clients bring no identity, so the address that a pod is given is its identity: behind it the bindings of
the buckets, with their conditions, are asked about every call. No token is exchanged with Google's metadata server.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from localcloud.kubernetes.agent.references import References
from localcloud.permissions.gate import Gate, HttpRequest, forward

CLUSTER = "gcp:container/cluster:Cluster"
BINDING = "gcp:storage/bucketIAMMember:BucketIAMMember"
BUCKET = "gcp:storage/bucket:Bucket"
# What a bucket says of objects that are replaced or deleted.
RULES = ("versioning", "retentionPolicy", "softDeletePolicy")
JSON = {"Content-Type": "application/json"}

# The inputs of the local cloud's resources of a type, by id, as the engine gave them.
Inputs = Callable[[str], Mapping[str, Mapping[str, Any]]]


@dataclass
class GoogleStores:
    """The store and the identities of a cluster's pods; `folder` keeps the objects. A file beside it, of its name and
    `.url`, has the address for whoever may do all."""

    cluster: str
    folder: Path
    inputs: Inputs
    _gates: dict[str, tuple[Any, Gate]] = field(default_factory=dict)
    _made: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def variables(self, references: References, _folder: Path) -> dict[str, str]:
        """What sends a pod's clients to its store; nothing where its service account has no binding. The gate judges by
        the bindings as they are when a pod starts."""
        granted = self.inputs(BINDING)
        own = self._subject(references)
        member = next((each["member"] for each in granted.values() if each["member"].endswith(own)), None)
        if member is None:
            return {}
        with self._lock:
            url = self._served(member, granted)
        return {
            "STORAGE_EMULATOR_HOST": url,
            "CLOUD_STORAGE_EMULATOR_ENDPOINT": url,
            # Otherwise they would ask the metadata server for a token, which it has not.
            "FSSPEC_GCS_TOKEN": "anon",
            "GOOGLE_CLOUD_UNIVERSE_DOMAIN": "googleapis.com",
            "RUNAI_STREAMER_GCS_USE_ANONYMOUS_CREDENTIALS": "true",
        }

    def _subject(self, references: References) -> str:
        """How the pod's principal ends ("Principal identifiers", Workload Identity Federation for GKE)."""
        pod = references.pod
        account = pod["spec"].get("serviceAccountName") or "default"
        (project,) = {
            each.split("/")[1] for each in self.inputs(CLUSTER) if each.endswith(f"/clusters/{self.cluster}")
        }
        return f"/{project}.svc.id.goog/subject/ns/{pod['metadata']['namespace']}/sa/{account}"

    def _served(self, member: str, granted: Mapping[str, Mapping[str, Any]]) -> str:
        from localcloud.permissions.gcs_gate import GcsGate
        from localcloud.permissions.google_policies import bindings

        buckets = self.inputs(BUCKET)
        for name, inputs in buckets.items():
            self._make(name, inputs)
        keys = {
            name: key
            for name, each in buckets.items()
            if (key := (each.get("encryption") or {}).get("defaultKmsKeyName"))
        }
        if member not in self._gates:
            gate = GcsGate([], self._emulator, keys, member)
            self._gates[member] = gate, gate.serve().__enter__()
        gate, server = self._gates[member]
        gate.bindings, gate.keys = bindings(granted), keys
        return server.url

    def _make(self, bucket: str, inputs: Mapping[str, Any]) -> None:
        """Make a bucket of the stack in the emulator, with what it says of versions and retention, unless it is
        there."""
        if bucket in self._made:
            return
        body = json.dumps({"name": bucket}).encode()
        made = HttpRequest("POST", "/storage/v1/b", JSON, body)
        answer = forward(made, self._emulator)
        # 409: it is from before this agent.
        if answer.status not in (200, 409):
            raise RuntimeError(
                f"the emulator of Cloud Storage answers {answer.status} to a new bucket {bucket}"
            )
        rules = {name: inputs[name] for name in RULES if inputs.get(name)}
        patch = HttpRequest("PATCH", f"/storage/v1/b/{bucket}", JSON, json.dumps(rules).encode())
        if rules and (answer := forward(patch, self._emulator)).status != 200:
            raise RuntimeError(f"the emulator of Cloud Storage answers {answer.status} to rules of {bucket}")
        self._made.add(bucket)

    @cached_property
    def _emulator(self) -> str:
        from localcloud.google_objects import Server

        self.folder.mkdir(parents=True, exist_ok=True)
        # Its thread is a daemon: it must not keep an agent alive that failed.
        address = Server(self.folder).__enter__().address
        self.folder.with_suffix(".url").write_text(f"http://{address}")
        return address
