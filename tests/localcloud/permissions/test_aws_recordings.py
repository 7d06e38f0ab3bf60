"""The recordings are what the programs do: each is run again, as its pod runs it, with every policy enforced.

The store is moto, behind a gate that asks the policies that the stack renders. INDIA_AI_INFRA_RECORD=1 keeps what was
recorded instead of comparing it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from localcloud.permissions import pod_identity
from localcloud.permissions.aws_account import Account
from localcloud.permissions.gate import Gate
from localcloud.permissions.pod_identity import PodIdentity
from localcloud.permissions.s3_gate import S3Gate, Seen
from tests.localcloud.permissions import clients, recorded, rendered
from tests.localcloud.permissions.programs import ACCOUNTS, PROGRAMS, WORKLOAD_GRANTS, Program
from tests.localcloud.permissions.recorded import Row

pytestmark = pytest.mark.slow

pytest.importorskip("torch")


@dataclass(frozen=True)
class Store:
    """S3 as the account's policies let it be used: the gate's record, and the addresses of gate and agent."""

    gate: S3Gate
    serving: Gate
    agent: Gate


@pytest.fixture(scope="module")
def store(
    account: Account, buckets: dict[str, str], objects: Mapping[tuple[str, str], bytes]
) -> Iterator[Store]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        _fill(f"http://{host}:{port}", account, buckets, objects)
        cluster = f"arn:aws:eks:ap-south-1:{account.id}:cluster/india-ai-infra-unit"
        accounts = {name: ACCOUNTS[name] for name in WORKLOAD_GRANTS}
        roles = {f"{pod.namespace}/{pod.name}": account.roles[name] for name, pod in accounts.items()}
        identity = PodIdentity(account, cluster, roles, f"http://{host}:{port}", "ap-south-1")
        gate = S3Gate(account, identity.role_of, f"{host}:{port}")
        with gate.serve() as serving, identity.agent() as agent:
            yield Store(gate, serving, agent)
    finally:
        server.stop()


def _fill(
    moto: str, account: Account, buckets: dict[str, str], objects: Mapping[tuple[str, str], bytes]
) -> None:
    keys = {"region_name": "ap-south-1", "aws_access_key_id": "unit", "aws_secret_access_key": "unit"}
    s3 = boto3.client("s3", endpoint_url=moto, **keys)
    for bucket in account.buckets.values():
        s3.create_bucket(Bucket=bucket.name, CreateBucketConfiguration={"LocationConstraint": bucket.region})
        if bucket.key:
            by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": bucket.key}
            rules = [{"ApplyServerSideEncryptionByDefault": by_default}]
            s3.put_bucket_encryption(Bucket=bucket.name, ServerSideEncryptionConfiguration={"Rules": rules})
    for (role, key), body in objects.items():
        s3.put_object(Bucket=buckets[role], Key=key, Body=body)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_program_does_what_was_recorded(
    prod: Any, store: Store, buckets: dict[str, str], program: Program, tmp_path: Path
) -> None:
    container = rendered.container(prod, "aws", program.container)
    account = f"{container.namespace}/{container.service_account}"
    environment = {
        **container.environment,
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": store.serving.url,
        **pod_identity.environment(store.agent, account, tmp_path),
    }
    store.gate.seen.clear()
    arguments = program.arguments(container, f"s3://{buckets['models']}")

    clients.run(program.file, arguments, environment, program.image)

    assert not store.gate.unknown
    rows = {row for seen in store.gate.seen for row in _rows(seen, buckets)}
    assert rows
    if os.environ.get("INDIA_AI_INFRA_RECORD"):
        recorded.write(f"aws-{program.name}", rows)
    assert sorted(rows) == recorded.read(f"aws-{program.name}")


def _rows(seen: Seen, buckets: dict[str, str]) -> list[Row]:
    roles = {name: role for role, name in buckets.items()}
    call = seen.call
    return [
        Row(
            call.operation,
            roles[call.bucket],
            recorded.normal(key),
            "-" if call.prefix is None else recorded.normal(call.prefix),
            recorded.normal(f"{roles[call.source[0]]}/{call.source[1]}") if call.source else "",
            recorded.headers(call.headers or {}),
            recorded.answer(seen.status),
        )
        for key in call.keys or ("",)
    ]
