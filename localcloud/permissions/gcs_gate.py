"""Cloud Storage with every binding enforced: an emulator behind a gate that asks the bindings about each call."""

from __future__ import annotations

import email.parser
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from localcloud.permissions.gate import Gate, HttpRequest, HttpResponse, forward
from localcloud.permissions.gcs_calls import Call, UnknownCallError, read
from localcloud.permissions.google_policies import Binding, refusals

_MAKES_OBJECTS = ("objects.insert", "objects.rewrite", "objects.copy", "objects.move")


@dataclass(frozen=True)
class Seen:
    """A call that came, and the HTTP status that was answered."""

    call: Call
    status: int
    refusal: str = ""


@dataclass
class GcsGate:
    """`address` is the emulator's host and port. `member` is who calls: an emulator's clients bring no identity.

    `keys` are the customer keys of buckets: the emulator knows none, so the gate says which one an object is under.
    """

    bindings: Sequence[Binding]
    address: str
    keys: Mapping[str, str]
    member: str = ""
    seen: list[Seen] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def serve(self) -> Gate:
        """The server, to be started with `with`."""
        return Gate(self._answer)

    def _answer(self, asked: HttpRequest) -> HttpResponse:
        if asked.target.startswith("/batch/"):
            return self._batch(asked)
        if "upload_id=" in asked.target:
            # The rest of an upload that was let in when it began.
            return forward(asked, self.address)
        try:
            call = read(asked.method, asked.target, _named(asked))
        except UnknownCallError as error:
            self.unknown.append(str(error))
            return HttpResponse(501, {})
        exists = call.operation in _MAKES_OBJECTS and self._exists(call)
        if found := refusals(self.bindings, self.member, call, exists=exists):
            return self._note(call, _refused(found[0]), found[0])
        answer = self._move(call) if call.operation == "objects.move" else forward(asked, self.address)
        if answer.status == 404:
            found = refusals(self.bindings, self.member, call, missing=True)
            if found:
                return self._note(call, _refused(found[0]), found[0])
        # An object that is JSON itself is not what is known of it.
        content = "alt=media" in asked.target or asked.target.startswith("/download/")
        return self._note(call, answer if content else self._under_key(call, answer))

    def _under_key(self, call: Call, answer: HttpResponse) -> HttpResponse:
        json_of_one = call.operation == "objects.get" and "json" in answer.headers.get("Content-type", "")
        if not json_of_one or call.bucket not in self.keys:
            return answer
        known = {"kmsKeyName": f"{self.keys[call.bucket]}/cryptoKeyVersions/1", **json.loads(answer.body)}
        return replace(answer, body=json.dumps(known).encode())

    def _move(self, call: Call) -> HttpResponse:
        """What the emulator does not know: a rewrite, and the source removed."""
        assert call.source is not None
        begin, end = (f"/b/{call.bucket}/o/{quote(key, safe='')}" for key in (call.source[1], call.key))
        moved = forward(HttpRequest("POST", f"/storage/v1{begin}/rewriteTo{end}", {}, b""), self.address)
        if moved.status != 200:
            return moved
        forward(HttpRequest("DELETE", f"/storage/v1{begin}", {}, b""), self.address)
        return replace(moved, body=json.dumps(json.loads(moved.body)["resource"]).encode())

    def _exists(self, call: Call) -> bool:
        target = f"/storage/v1/b/{call.bucket}/o/{quote(call.key, safe='')}"
        return forward(HttpRequest("GET", target, {}, b""), self.address).status == 200

    def _batch(self, asked: HttpRequest) -> HttpResponse:
        """Each call of a batch by itself, and their answers as one ("Batch requests", Cloud Storage)."""
        parts = [self._answer(inner) for inner in _inner(asked)]
        boundary = "batch_answers"
        lines = [
            f"--{boundary}\r\nContent-Type: application/http\r\n\r\n"
            f"HTTP/1.1 {part.status} -\r\nContent-Type: application/json\r\nContent-Length: {len(part.body)}\r\n\r\n"
            f"{part.body.decode()}\r\n"
            for part in parts
        ]
        kind = {"Content-Type": f"multipart/mixed; boundary={boundary}"}
        return HttpResponse(200, kind, ("".join(lines) + f"--{boundary}--").encode())

    def _note(self, call: Call, answer: HttpResponse, refusal: str = "") -> HttpResponse:
        self.seen.append(Seen(call, answer.status, refusal))
        return answer


def _named(asked: HttpRequest) -> str:
    """The object's name in the metadata that an upload begins with."""
    if asked.method != "POST" or "/upload/" not in asked.target:
        return ""
    found = re.search(rb'\{[^{}]*"name"[^{}]*\}', asked.body)
    return json.loads(found[0]).get("name", "") if found else ""


def _inner(asked: HttpRequest) -> list[HttpRequest]:
    kind = {name.lower(): value for name, value in asked.headers.items()}["content-type"]
    whole = email.parser.BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + asked.body)
    parts = [part for part in whole.walk() if not part.is_multipart()]
    requests = [str(part.get_payload()).lstrip().splitlines()[0].split() for part in parts]
    return [
        HttpRequest(method, re.sub(r"^https?://[^/]+", "", target), {}, b"")
        for method, target, *_ in requests
    ]


def _refused(why: str) -> HttpResponse:
    error = {"error": {"code": 403, "message": why, "errors": [{"reason": "forbidden", "message": why}]}}
    return HttpResponse(403, {"Content-Type": "application/json"}, json.dumps(error).encode())
