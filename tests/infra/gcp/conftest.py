"""What the components on Google Cloud are told in these tests."""

from __future__ import annotations

import pulumi
import pytest

from infra import contracts
from infra.contracts.governance import DataGovernance
from infra.gcp.iam import Project

PROJECT, NUMBER = "unit-project", "123456789012"


@pytest.fixture(scope="session")
def project() -> Project:
    return Project(PROJECT, NUMBER, "asia-south1")


@pytest.fixture(scope="session")
def personal() -> DataGovernance:
    return DataGovernance("personal", owner="ml-platform", purpose="Credit scoring", retention_days=730)


@pytest.fixture(scope="session")
def internal() -> DataGovernance:
    return DataGovernance("internal", owner="ml-platform", purpose="benchmarks", retention_days=90)


@pytest.fixture(scope="session")
def key():
    """The path of a key, by its use."""

    def path(use: str) -> pulumi.Output[str]:
        return pulumi.Output.from_input(
            f"projects/{PROJECT}/locations/asia-south1/keyRings/ring/cryptoKeys/{use}"
        )

    return path


@pytest.fixture(scope="session")
def bucket(key):
    """A bucket named by its role, as other modules see it."""

    def named(role: str) -> contracts.Bucket:
        def out(text: str) -> pulumi.Output[str]:
            return pulumi.Output.from_input(text)

        return contracts.Bucket(
            out(role), out(f"gs://{role}"), out(f"projects/_/buckets/{role}"), key("lake")
        )

    return named
