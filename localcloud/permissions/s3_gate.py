"""S3 with every policy enforced: moto behind a gate that asks the account's policies about each call."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from localcloud.permissions.aws_account import Account, Role
from localcloud.permissions.gate import Gate, HttpRequest, HttpResponse, forward
from localcloud.permissions.s3_calls import Call, UnknownCallError, read


@dataclass(frozen=True)
class Seen:
    """A call that came: what S3 answered to it (an HTTP status), and why not, where it was refused."""

    call: Call
    status: int
    refusal: str = ""


@dataclass
class S3Gate:
    """`role_of` finds the role of an access key; `address` is moto's host and port, and `pass_on` how what
    is let through gets there. `seen` are the calls, in order;
    `unknown` the requests that the table of calls does not have, which are answered as not implemented."""

    account: Account
    role_of: Callable[[str], Role | None]
    address: str
    pass_on: Callable[[HttpRequest, str], HttpResponse] = forward
    seen: list[Seen] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def serve(self) -> Gate:
        """The server, to be started with `with`."""
        return Gate(self.answer)

    def answer(self, asked: HttpRequest) -> HttpResponse:
        """What S3 answers."""
        try:
            call = read(asked.method, asked.target, asked.headers, asked.body)
        except UnknownCallError as error:
            self.unknown.append(str(error))
            return HttpResponse(501, {})
        role = self.role_of(_access_key(asked))
        if role is None:
            return _refused(asked, "InvalidAccessKeyId", "nobody was given these credentials")
        if call.bucket not in self.account.buckets:
            # As a bucket of somebody else's: whether it is there is not told.
            return self._note(call, _refused(asked, "AccessDenied", f"no bucket {call.bucket} of ours"))
        if refusal := self._refusal(role, call):
            return self._note(call, _refused(asked, "AccessDenied", refusal), refusal)
        answer = self.pass_on(asked, self.address)
        if answer.status == 404 and (refusal := self._refusal(role, call, missing=True)):
            return self._note(call, _refused(asked, "AccessDenied", refusal), refusal)
        return self._note(call, answer)

    def _refusal(self, role: Role, call: Call, *, missing: bool = False) -> str:
        verdicts = self.account.may(role, call, missing=missing)
        return next((verdict.why for verdict in verdicts if not verdict.allowed), "")

    def _note(self, call: Call, answer: HttpResponse, refusal: str = "") -> HttpResponse:
        self.seen.append(Seen(call, answer.status, refusal))
        return answer


def _access_key(asked: HttpRequest) -> str:
    signature = {name.lower(): value for name, value in asked.headers.items()}.get("authorization", "")
    found = re.search(r"Credential=([^/]+)/", signature)
    return found[1] if found else ""


def _refused(asked: HttpRequest, code: str, why: str) -> HttpResponse:
    resource = escape(urlsplit(asked.target).path)
    body = (
        f"<Error><Code>{code}</Code><Message>{escape(why)}</Message><Resource>{resource}</Resource></Error>"
    )
    return HttpResponse(403, {"Content-Type": "application/xml"}, body.encode())
