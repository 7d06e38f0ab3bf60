"""The recordings on Google are what the programs do: each is run again with every binding enforced.

The store is an emulator behind a gate that asks the bindings that the stack renders, with their conditions.
INDIA_AI_INFRA_RECORD=1 keeps what was recorded instead of comparing it. That a client finds the pod's identity at GKE's
metadata server is not tried here: an emulator's clients bring none.
"""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from localcloud.google_objects import Server
from localcloud.permissions.gate import Gate
from localcloud.permissions.gcs_gate import GcsGate, Seen
from tests.localcloud.permissions import clients, recorded, rendered
from tests.localcloud.permissions.programs import PROGRAMS, Program
from tests.localcloud.permissions.recorded import Row

pytestmark = pytest.mark.slow

pytest.importorskip("torch")


@dataclass(frozen=True)
class Store:
    """Cloud Storage as the bindings let it be used: the gate's record and its address."""

    gate: GcsGate
    serving: Gate


@pytest.fixture(scope="module")
def store(
    prod: Any, google_buckets: dict[str, str], objects: Mapping[tuple[str, str], bytes]
) -> Iterator[Store]:
    with Server() as server:
        _fill(server.address, google_buckets, objects)
        gate = GcsGate(
            rendered.google_bindings(prod), server.address, rendered.google_keys(prod, google_buckets)
        )
        with gate.serve() as serving:
            yield Store(gate, serving)


def _fill(address: str, buckets: dict[str, str], objects: Mapping[tuple[str, str], bytes]) -> None:
    connection = http.client.HTTPConnection(address)
    uploads = [
        (f"/upload/storage/v1/b/{buckets[role]}/o?uploadType=media&name={quote(key, safe='')}", body)
        for (role, key), body in objects.items()
    ]
    for target, body in [
        *(("/storage/v1/b", json.dumps({"name": name}).encode()) for name in buckets.values()),
        *uploads,
    ]:
        kind = "application/json" if target.endswith("/b") else "application/octet-stream"
        connection.request("POST", target, body, {"Content-Type": kind})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_program_does_what_was_recorded(
    prod: Any, store: Store, google_buckets: dict[str, str], program: Program, tmp_path: Path
) -> None:
    container = rendered.google_container(prod, program.container)
    store.gate.member = rendered.google_member(container)
    environment = {
        **container.environment,
        "HOME": str(tmp_path),
        "STORAGE_EMULATOR_HOST": store.serving.url,
        "CLOUD_STORAGE_EMULATOR_ENDPOINT": store.serving.url,
        # Nobody is asked for an identity, nor for the place where one is given: there is no metadata server here.
        "FSSPEC_GCS_TOKEN": "anon",
        "GOOGLE_CLOUD_UNIVERSE_DOMAIN": "googleapis.com",
        "RUNAI_STREAMER_GCS_USE_ANONYMOUS_CREDENTIALS": "true",
    }
    store.gate.seen.clear()
    arguments = program.arguments(container, f"gs://{google_buckets['models']}")

    clients.run(program.file, arguments, environment, program.image)

    assert not store.gate.unknown
    rows = {_row(seen, google_buckets) for seen in store.gate.seen}
    assert rows
    if os.environ.get("INDIA_AI_INFRA_RECORD"):
        recorded.write(f"gcp-{program.name}", rows)
    assert sorted(rows) == recorded.read(f"gcp-{program.name}")


def _row(seen: Seen, buckets: dict[str, str]) -> Row:
    roles = {name: role for role, name in buckets.items()}
    call = seen.call
    return Row(
        call.operation,
        roles[call.bucket],
        recorded.normal(call.key),
        "-" if call.prefix is None else recorded.normal(call.prefix),
        recorded.normal(f"{roles[call.source[0]]}/{call.source[1]}") if call.source else "",
        "",
        recorded.answer(seen.status),
    )
