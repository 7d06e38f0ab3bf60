"""A local cloud of the tests' own, built once; nothing here touches the one that `make up` started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud import cloud
from localcloud import directories as paths
from localcloud.toolchain import install


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
