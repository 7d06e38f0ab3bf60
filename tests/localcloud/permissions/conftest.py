"""The shipped stack with the most in it, its account as policies see it, and a released model to load."""

from __future__ import annotations

import json
import struct
from typing import Any
from urllib.parse import urlsplit

import pytest

from localcloud.permissions.aws_account import Account
from tests.localcloud.permissions import rendered


@pytest.fixture(scope="session")
def prod(deploy: Any) -> Any:
    """What the program registers for `prod`."""
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
    lake = rendered.container(prod, "gcp", "lake")
    named = {urlsplit(uri).netloc for uri in (*lake.options("uri"), *lake.options("refused-uri"))}
    return {name.removeprefix("lake-").rpartition("-")[0]: name for name in named}


@pytest.fixture(scope="session")
def model() -> dict[str, bytes]:
    """The files of a small model, by name."""
    header = json.dumps({"weight": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    weights = struct.pack("<Q", len(header)) + header + struct.pack("<4f", 1, 2, 3, 4)
    return {"model.safetensors": weights, "config.json": b"{}"}
