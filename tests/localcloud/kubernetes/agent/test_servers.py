"""What the agent answers: logs, the kubelet's requests, and instance metadata."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from infra.contracts.labels import INTERRUPTION
from localcloud.kubernetes.agent import logs, metadata
from localcloud.kubernetes.agent.kubelet import Request
from localcloud.kubernetes.agent.metadata import Metadata
from localcloud.permissions.gate import HttpRequest

LINES = [
    "2026-11-27T10:00:00.000001Z stdout F first",
    "2026-11-27T10:00:01.000001Z stdout P half ",
    "2026-11-27T10:00:01.000002Z stderr F a line",
    "2026-11-27T10:00:02.000001Z stdout F last",
]
TIMES = "2026-11-27T10:00:00Z/2026-11-27T10:02:00Z"


def read(folder: Path, ended: bool = True, **query: str) -> str:
    file = folder / "0.log"
    file.write_text("".join(f"{line}\n" for line in LINES))

    async def collect() -> bytes:
        return b"".join([words async for words in logs.read(file, logs.Options.of(query), lambda: ended)])

    return asyncio.run(collect()).decode()


def test_a_log_is_its_words(tmp_path: Path) -> None:
    assert read(tmp_path) == "first\nhalf a line\nlast\n"
    assert read(tmp_path, tailLines="1") == "last\n"
    assert read(tmp_path, tailLines="0") == ""
    assert read(tmp_path, sinceTime="2026-11-27T10:00:02Z", timestamps="true") == f"{LINES[3][:27]} last\n"
    assert read(tmp_path, follow="true") == read(tmp_path)


def test_a_followed_log_has_what_comes_until_the_container_ends(tmp_path: Path) -> None:
    file = tmp_path / "0.log"
    file.write_text(f"{LINES[0]}\n")
    asked: list[int] = []

    def ended() -> bool:
        """The container writes its last line, in two pieces, and ends."""
        asked.append(len(asked))
        with file.open("a") as log:
            log.write(["", LINES[3][:30], LINES[3][30:] + "\n", ""][min(len(asked), 3)])
        return len(asked) > 1

    async def collect() -> bytes:
        options = logs.Options(follow=True)
        return b"".join([words async for words in logs.read(file, options, ended)])

    assert asyncio.run(collect()) == b"first\nlast\n"


def test_a_command_goes_on_under_the_secret_rule_and_into_the_container() -> None:
    asked = Request.read("POST /exec/ml/p/main?command=echo&command=a%20b&output=1&error=1 HTTP/1.1")
    assert asked.to_kwok("secret", ["enter", "7"]) == (
        "POST /exec/node-agent/secret/main?output=1&error=1&command=enter&command=7&command=echo&command=a+b HTTP/1.1"
    )
    forward = Request.read("POST /portForward/ml/p?x=1 HTTP/1.1")
    assert forward.to_kwok("secret", ()) == "POST /portForward/ml/p?x=1 HTTP/1.1"


def node(provider: str, notice: str = "") -> dict[str, Any]:
    labels = {"topology.kubernetes.io/region": "ap-south-1", "karpenter.sh/capacity-type": "spot"}
    annotations = {INTERRUPTION: notice} if notice else {}
    return {
        "metadata": {"name": "n", "labels": labels, "annotations": annotations},
        "spec": {"providerID": provider},
    }


def ask(service: Metadata, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = service.answer(HttpRequest(method, path, given, b""))
    return answer.status, answer.body.decode()


def test_ec2_wants_a_token_and_has_a_notice_only_once_it_is_given() -> None:
    found = {"node": node("aws:///ap-south-1a/i-1")}
    service = Metadata(lambda: found["node"])
    action = "/latest/meta-data/spot/instance-action"
    assert ask(service, action)[0] == 401
    assert ask(service, metadata.TOKEN, "PUT")[0] == 400
    token = ask(service, metadata.TOKEN, "PUT", X_aws_ec2_metadata_token_ttl_seconds="60")[1]
    header = {"X_aws_ec2_metadata_token": token}
    assert ask(service, action, **header)[0] == 404
    found["node"] = node("aws:///ap-south-1a/i-1", TIMES)
    assert json.loads(ask(service, action, **header)[1]) == {
        "action": "terminate",
        "time": "2026-11-27T10:02:00Z",
    }
    rebalance = ask(service, "/latest/meta-data/events/recommendations/rebalance", **header)[1]
    assert json.loads(rebalance) == {"noticeTime": "2026-11-27T10:00:00Z"}
    assert ask(service, "/latest/meta-data/instance-id", **header) == (200, "i-1")
    other = Metadata(lambda: node("aws:///ap-south-1a/i-2"))
    assert ask(other, action, **header)[0] == 401  # another node's token


@pytest.mark.parametrize(("notice", "preempted"), [("", "FALSE"), (TIMES, "TRUE")])
def test_google_wants_its_header(notice: str, preempted: str) -> None:
    service = Metadata(lambda: node("gce://local/asia-south1-a/n", notice))
    path = "/computeMetadata/v1/instance/preempted"
    assert ask(service, path)[0] == 403
    assert ask(service, f"{path}?wait_for_change=false", Metadata_Flavor="Google") == (200, preempted)
    assert ask(service, "/computeMetadata/v1/nothing", Metadata_Flavor="Google")[0] == 404


def test_a_node_that_is_gone_answers_nothing() -> None:
    assert ask(Metadata(lambda: None), metadata.TOKEN, "PUT")[0] == 404
