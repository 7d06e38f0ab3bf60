"""A moto, clusters that are played, and a provider on both: each file has its own."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from urllib.request import Request, urlopen

import pytest

import localcloud.kubernetes

os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"  # moto reads it when it makes an account

from moto.server import ThreadedMotoServer

from localcloud.providers.aws.api import ENDPOINT
from tests.localcloud.providers.aws.world import Played, World


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    # All servers of a process share what moto has made.
    urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    calls = Played()
    clusters, nodes = SimpleNamespace(ClusterError=RuntimeError), SimpleNamespace()

    def start(name: str, region: str) -> SimpleNamespace:
        calls.append(("start", name, region))
        return SimpleNamespace(endpoint="https://127.0.0.1:6443", ca_data="Q0E=")

    clusters.start = start
    clusters.stop = lambda name: calls.append(("stop", name))
    nodes.add_nodes = lambda *args: calls.append(("add", *args))
    nodes.remove_nodes = lambda *args: calls.append(("remove", *args))
    nodes.join_nodes = lambda *args: calls.append(("join", *args))
    nodes.leave = lambda *args: calls.append(("leave", *args))
    with pytest.MonkeyPatch.context() as patch:
        for name, module in (("clusters", clusters), ("nodes", nodes)):
            patch.setitem(sys.modules, f"localcloud.kubernetes.{name}", module)
            patch.setattr(localcloud.kubernetes, name, module, raising=False)
        yield calls


@pytest.fixture(scope="module")
def world(endpoint: str, played: Played, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ENDPOINT, endpoint)
        patch.setenv("INDIA_AI_INFRA_RUN", str(tmp_path_factory.mktemp("run")))
        yield World()
