"""Cloud Storage on loopback refuses what Google refuses, and keeps what Google keeps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from localcloud.google_objects import Server
from localcloud.permissions.gate import HttpRequest, forward

pytestmark = pytest.mark.slow

YEAR = {"retentionPolicy": {"retentionPeriod": str(365 * 86_400)}}
VERSIONS = {"versioning": {"enabled": True}}


class Lake:
    """A bucket, by calls of the JSON API; each answers with a status and what is said."""

    def __init__(self, server: Server, **rules: Any) -> None:
        self._server = server
        self.call("POST", "/storage/v1/b", {"name": "lake"})
        self.call("PATCH", "/storage/v1/b/lake", rules)

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        """A call with a body in JSON, or of bytes."""
        plain = isinstance(body, bytes)
        sent = body if plain else json.dumps(body).encode() if body is not None else b""
        kind = {"Content-Type": "text/plain" if plain else "application/json"}
        asked = HttpRequest(method, f"{path}?{urlencode(query)}", kind, sent)
        answer = forward(asked, self._server.address)
        json_said = "json" in answer.headers.get("Content-type", answer.headers.get("Content-Type", ""))
        return answer.status, json.loads(answer.body) if json_said else answer.body

    def put(self, content: bytes, **query: Any) -> tuple[int, Any]:
        """Write the object `a`."""
        upload = "/upload/storage/v1/b/lake/o"
        return self.call("POST", upload, content, uploadType="media", name="a", **query)

    def on(self, method: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        """A call on the object `a`."""
        return self.call(method, "/storage/v1/b/lake/o/a", body, **query)

    def listed(self, **query: Any) -> list[str]:
        """The generations that a list has."""
        _, answer = self.call("GET", "/storage/v1/b/lake/o", **query)
        return [one["generation"] for one in answer["items"]]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def test_only_the_generation_that_was_named_is_written_over(server: Server) -> None:
    lake = Lake(server, **VERSIONS)
    _, first = lake.put(b"1", ifGenerationMatch=0)
    assert lake.put(b"2", ifGenerationMatch=0)[0] == 412
    status, second = lake.put(b"2", ifGenerationMatch=first["generation"])
    assert status == 200 and int(second["generation"]) > int(first["generation"])
    status, said = lake.put(b"3", ifGenerationMatch=first["generation"])
    assert (status, said["error"]["errors"][0]["reason"]) == (412, "conditionNotMet")
    assert lake.on("DELETE", ifGenerationMatch=first["generation"])[0] == 412
    assert lake.on("GET", alt="media", generation=first["generation"])[1] == b"1"
    assert lake.on("GET", alt="media")[1] == b"2"
    assert lake.on("GET", generation="1")[0] == 404


def test_what_makes_way_is_noncurrent_and_what_is_named_is_soft_deleted(server: Server) -> None:
    lake = Lake(server, **VERSIONS)
    generations = [lake.put(content)[1]["generation"] for content in (b"1", b"2")]
    assert lake.listed() == generations[1:] and lake.listed(versions="true") == generations
    assert lake.on("DELETE")[0] == 200, "the live one makes way"
    assert lake.listed() == [] and lake.listed(versions="true") == generations
    assert lake.on("DELETE", generation=generations[0])[0] == 200
    assert lake.on("DELETE", generation=generations[0])[0] == 404, "a soft-deleted one can't be deleted"
    assert lake.listed(versions="true") == generations[1:]
    assert lake.listed(softDeleted="true") == generations[:1]
    _, restored = lake.call("POST", "/storage/v1/b/lake/o/a/restore", generation=generations[0])
    assert lake.on("GET", alt="media", generation=restored["generation"])[1] == b"1"


def test_without_versions_what_is_written_over_is_soft_deleted_too(server: Server) -> None:
    lake = Lake(server)
    first, second = (lake.put(content)[1]["generation"] for content in (b"1", b"2"))
    assert (lake.listed(versions="true"), lake.listed(softDeleted="true")) == ([second], [first])


@pytest.mark.parametrize("hold", ["temporaryHold", "eventBasedHold"])
def test_a_hold_lets_nothing_take_its_place(server: Server, hold: str) -> None:
    lake = Lake(server, **VERSIONS)
    _, first = lake.put(b"1")
    assert lake.on("PATCH", {hold: True})[0] == 200
    for refused in (
        lake.put(b"2"),
        lake.on("DELETE"),
        lake.on("DELETE", generation=first["generation"]),
    ):
        assert refused[0] == 403 and "cannot be deleted, overwritten or archived" in str(refused[1])
    assert lake.put(b"2", ifGenerationMatch=0)[0] == 412, "conditions come first"
    assert lake.on("PATCH", {hold: False})[0] == 200 and lake.put(b"2")[0] == 200


def test_retention_lets_the_live_one_make_way_but_goes_on_for_it(server: Server) -> None:
    lake = Lake(server, **VERSIONS, **YEAR)
    _, first = lake.put(b"1")
    assert lake.on("GET")[1]["retentionExpirationTime"] > first["timeCreated"]
    assert lake.put(b"2")[0] == 200
    status, said = lake.on("DELETE", generation=first["generation"])
    assert (status, said["error"]["errors"][0]["reason"]) == (403, "retentionPolicyNotMet")

    lake.call("PATCH", "/storage/v1/b/lake", {"versioning": {"enabled": False}})
    assert [lake.put(b"3")[0], lake.on("DELETE")[0]] == [403, 403]


def test_a_retention_of_the_object_itself_holds_as_well(server: Server) -> None:
    lake = Lake(server)
    lake.put(b"1")
    lake.on("PATCH", {"retention": {"mode": "Locked", "retainUntilTime": "2999-01-01T00:00:00Z"}})
    assert lake.on("GET")[1]["retentionExpirationTime"].startswith("2999-01-01")
    assert [lake.put(b"2")[0], lake.on("DELETE")[0]] == [403, 403]


def test_what_is_noncurrent_is_there_after_a_restart(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        lake = Lake(server, **VERSIONS)
        generations = [lake.put(content)[1]["generation"] for content in (b"1", b"2")]
    with Server(tmp_path) as server:
        lake = Lake(server)
        assert lake.listed(versions="true") == generations
        assert lake.on("GET", alt="media", generation=generations[0])[1] == b"1"
