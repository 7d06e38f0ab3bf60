"""A local cloud of the tests' own, built once; nothing here touches the one that `make up` started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud import cloud
from localcloud import directories as paths
from localcloud.providers.aws.habits import ENABLED_REGIONS
from localcloud.toolchain import install
from tests.e2e.shared import Shared

# The longest files are first, so that the processes end together. One that shares a stack with the file before it takes
# what is up where the same process has run both, and brings it up where not.
FIRST = (
    "test_stack",
    "test_day_two",
    "test_make",
    "test_training_survives",
    "test_serving",
    "test_way_in",
    "test_replica",
    "test_components",
    "test_make_questions",
    "test_day_two_google",
    "test_gcp",
    "test_fabrics",
    "test_adopt",
    "test_clusters",
    "test_spot_absent",
    "test_review",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files in their order."""

    def place(item: pytest.Item) -> int:
        return FIRST.index(item.path.stem) if item.path.stem in FIRST else len(FIRST)

    ours = [item for item in items if item.path.parent == Path(__file__).parent]
    items[:] = [item for item in items if item not in ours] + sorted(ours, key=place)


@pytest.fixture(scope="session", autouse=True)
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("localcloud")
    before = os.environ.get("INDIA_AI_INFRA_RUN")
    os.environ["INDIA_AI_INFRA_RUN"] = str(folder)
    install.ensure(lambda done, total, what: None)
    assert paths.run_dir() == folder
    yield folder
    cloud.stop()
    if before is None:
        del os.environ["INDIA_AI_INFRA_RUN"]
    else:
        os.environ["INDIA_AI_INFRA_RUN"] = before


@pytest.fixture(scope="session")
def environment(run_dir: Path) -> dict[str, str]:
    """What a shell has after eval "$(make -s env)"."""
    return {**os.environ, **cloud.environment(cloud.start().aws_endpoint)}


@pytest.fixture(scope="session")
def local(
    environment: dict[str, str], shared: list[Shared], tmp_path_factory: pytest.TempPathFactory
) -> Shared:
    """The stack `local`."""
    return _shared("local", environment, tmp_path_factory, shared, ("test_stack", "test_day_two"))


@pytest.fixture(scope="session")
def dev(
    environment: dict[str, str], shared: list[Shared], tmp_path_factory: pytest.TempPathFactory
) -> Shared:
    """The stack `dev`."""
    return _shared("dev", environment, tmp_path_factory, shared, ("test_way_in", "test_replica"))


@pytest.fixture(scope="session")
def shared(run_dir: Path) -> Iterator[list[Shared]]:
    """The stacks that more than one file drives."""
    kept: list[Shared] = []
    yield kept
    for each in kept:
        each.end()


@pytest.fixture(scope="module", autouse=True)
def alone(request: pytest.FixtureRequest, shared: list[Shared]) -> None:
    """No stack of the files before is up, unless this file goes on with it: tests count what is there."""
    for each in shared:
        if request.path.stem not in each.files:
            each.end()


def _shared(
    name: str,
    environment: dict[str, str],
    folders: pytest.TempPathFactory,
    shared: list[Shared],
    files: tuple[str, ...],
) -> Shared:
    # Hyderabad is open, so that it is not the account that refuses a replica or a move there.
    env = cloud.environment(environment["INDIA_AI_INFRA_AWS_ENDPOINT"]) | {ENABLED_REGIONS: "ap-south-2"}
    kept = Shared(name, folders.mktemp(name) / f"Pulumi.{name}.yaml", env, files)
    shared.append(kept)
    return kept
