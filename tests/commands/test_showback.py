"""`make showback` over a server that answers as OpenCost's API does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from commands.app import app
from commands.showback import ShowbackError, read

pytestmark = pytest.mark.slow


class OpenCost(BaseHTTPRequestHandler):
    """Answers as allocation_json.go writes: a set of allocations by name, with more fields than are read."""

    body: ClassVar[Any] = {}
    asked: ClassVar[dict[str, list[str]]] = {}

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        type(self).asked = parse_qs(parts.query)
        self.send_response(200 if parts.path == "/allocation" else 404)
        self.end_headers()
        self.wfile.write(json.dumps(self.body).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a test's output is its own."""


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), OpenCost)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def allocation(gpu: float, cpu: float, ram: float) -> dict[str, Any]:
    more = {"minutes": 10080.0, "pvs": None, "properties": {"cluster": "mumbai"}}
    return {"gpuCost": gpu, "cpuCost": cpu, "ramCost": ram, "totalCost": gpu + cpu + ram, **more}


def test_the_dearest_comes_first_and_idle_nodes_are_in_the_sum(address: str):
    spent = {
        "serving": allocation(1000, 100, 50),
        "training": allocation(123456, 500, 44),
        "__idle__": allocation(0, 0, 850),
    }
    OpenCost.body = {"code": 200, "data": [spent]}
    result = CliRunner().invoke(app("showback"), ["showback", "--address", address, "--days", "3"])
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines() if "₹" in line]
    names = [row[0] for row in rows if row[0] in ("training", "serving", "(idle)", "all")]
    assert names == ["training", "serving", "(idle)", "all"]
    assert rows[-1][-1] == "₹1,26,000"
    assert OpenCost.asked == {
        "window": ["3d"],
        "aggregate": ["namespace"],
        "accumulate": ["true"],
        "includeIdle": ["true"],
    }


def test_owners_are_the_pods_label(address: str):
    OpenCost.body = {"code": 200, "data": [{"__unallocated__": allocation(1, 1, 1)}]}
    result = CliRunner().invoke(app("showback"), ["showback", "--address", address, "--by", "owner"])
    assert OpenCost.asked["aggregate"] == ["label:owner"]
    assert "(no label)" in result.output


def test_a_cluster_without_a_day_of_metrics_has_spent_nothing(address: str):
    OpenCost.body = {"code": 200, "data": [None]}
    assert read(address, 1, "namespace") == {}


def test_what_does_not_answer_says_how_to_reach_it(address: str):
    with pytest.raises(ShowbackError, match="port-forward service/opencost 9003"):
        read("http://127.0.0.1:1", 1, "namespace")
    OpenCost.body = {"hello": "world"}
    with pytest.raises(ShowbackError, match="not OpenCost's API"):
        read(address, 1, "namespace")
    result = CliRunner().invoke(app("showback"), ["showback", "--by", "namespaces"])
    assert "the nearest is namespace" in str(result.exception)
