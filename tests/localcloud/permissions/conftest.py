"""The shipped stack with every workload, its account as policies see it, and what lies in its lake."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from localcloud.permissions.aws_account import Account
from tests.localcloud.permissions import clients, rendered
from tests.localcloud.permissions.programs import RELEASED, SOME_FEATURES, TINY_MODEL
from tests.workloads.linear_model import linear

# More tokens than a language is judged by, a byte each.
TEXT = b"The lake is near the hills, and the road to it is long.\n" * 40


@pytest.fixture(scope="session")
def prod(deploy: Any) -> Any:
    """What the program registers for `prod` with every workload."""
    return rendered.deployed(deploy, "prod")


@pytest.fixture(scope="session")
def account(prod: Any, account_id: str) -> Account:
    return rendered.aws_account(prod, account_id)


@pytest.fixture(scope="session")
def buckets(account: Account) -> dict[str, str]:
    """The names of the lake's buckets, by what they are."""
    return {role: name for name, role in rendered.by_role(account).items()}


@pytest.fixture(scope="session")
def google_buckets(prod: Any) -> dict[str, str]:
    """The names of the lake's buckets on Google, by what they are."""
    return rendered.google_buckets(prod)


@pytest.fixture(scope="session")
def objects(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], bytes]:
    """What lies in the lake before a program runs, by bucket and key."""
    folder = tmp_path_factory.mktemp("tiny")
    clients.run(TINY_MODEL, [str(folder)], {"HOME": str(folder)}, "compression")
    tiny = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    features = tmp_path_factory.mktemp("features")
    clients.run(SOME_FEATURES, [], {"FEATURES_LAKE": str(features)}, "features")
    classifier = {"model.onnx": linear([[1, 0], [0, 1]], [0, 0])}
    job = rendered.ASKED["compression"]
    folders = {
        job["source"]: tiny,
        job["distillation"]["student"]: tiny,
        job["held"]: {"en.txt": TEXT},
        job["texts"]: {"en.txt": TEXT},
        f"{{models}}/{RELEASED}": _weights(),
        **{
            f"{{features}}/feast/loan_risk/{path.parent.relative_to(features)}": {
                path.name: path.read_bytes()
            }
            for path in features.rglob("*.parquet")
        },
        **{f"{{models}}/{rendered.ASKED[name]['model']}": classifier for name in ("bento", "rayserve")},
    }
    return {
        (uri.partition("}")[0].removeprefix("{"), f"{uri.partition('/')[2]}/{name}"): body
        for uri, files in folders.items()
        for name, body in files.items()
    }


def _weights() -> dict[str, bytes]:
    """The files of the least model that vLLM's streamer reads, by name."""
    header = json.dumps({"weight": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    weights = struct.pack("<Q", len(header)) + header + struct.pack("<4f", 1, 2, 3, 4)
    return {"model.safetensors": weights, "config.json": b"{}"}
