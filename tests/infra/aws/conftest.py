"""What the components on AWS are told in these tests."""

from __future__ import annotations

import pytest

from infra.aws.iam import Account
from infra.contracts.governance import DataGovernance


@pytest.fixture(scope="session")
def account(account_id: str) -> Account:
    return Account(account_id, "ap-south-1")


@pytest.fixture(scope="session")
def personal() -> DataGovernance:
    return DataGovernance("personal", owner="ml-platform", purpose="credit scoring", retention_days=730)


@pytest.fixture(scope="session")
def internal() -> DataGovernance:
    return DataGovernance("internal", owner="ml-platform", purpose="benchmarks", retention_days=90)
