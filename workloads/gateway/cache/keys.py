"""Which requests may have a kept answer, and the key of it: the same question of the same tenant to the same model.

    gateway-cache:1:<tenant>:<model and revision>:<data principal>:<the whole question>

Each part is a keyed hash (HMAC-SHA256): Redis holds no name, and an operator can tell from no key what was asked. What
has to be erased is found by its part of the key, so that there is no index that could miss an entry.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .options import PERSONAL, Options, Tenant

# With another meaning of keys or entries goes another number: the old ones are misses.
PREFIX = "gateway-cache:1"
EMBEDDINGS = "/v1/embeddings"
PATHS = frozenset({"/v1/chat/completions", "/v1/completions", EMBEDDINGS})
PRINCIPAL_HEADER = "x-data-principal"
# Fields of the request that name whom it is about (OpenAI's API).
PRINCIPAL_FIELDS = ("user", "safety_identifier")


@dataclass(frozen=True)
class Question:
    """A request whose answer may be kept."""

    key: str
    tenant: Tenant
    model: str
    revision: str
    body: Mapping[str, Any]
    erased: tuple[str, str]
    """While one of these keys is in Redis, nothing about the principal or of the revision is kept."""
    life: int
    """Seconds."""


class UncachedError(Exception):
    """The request has no kept answer; the message is the reason, a word of the metric."""


def question(options: Options, path: str, headers: Mapping[str, str], raw: bytes) -> Question:
    """The question that a request asks. Raises UncachedError where no answer may be kept."""
    tenant = options.tenant(api_key(headers))
    if tenant is None:
        raise UncachedError("tenant")
    if any(word in headers.get("cache-control", "").lower() for word in ("no-store", "no-cache")):
        raise UncachedError("asked")
    body = parse(raw)
    model = body.get("model")
    if not isinstance(model, str):
        raise UncachedError("model")
    if path != EMBEDDINGS and not tenant.above_zero and not _is_zero(body.get("temperature")):
        raise UncachedError("temperature")
    principal = _principal(body, headers)
    if tenant.data_class in PERSONAL and not principal:
        raise UncachedError("principal")
    life = options.lives.get(tenant.data_class, 0)
    if life <= 0:
        raise UncachedError("life")
    revision = options.revisions.get(model, "")
    asked = canonical([path, tenant.name, model, revision, principal, body])
    whom, which = principal_tag(options, principal), model_tag(options, model, revision)
    parts = (tenant_tag(options, tenant.name), which, whom, _tag(options.secret, "question", asked, 64))
    erased = (erased_key(whom), erased_key(which))
    return Question(":".join((PREFIX, *parts)), tenant, model, revision, body, erased, life)


def api_key(headers: Mapping[str, str]) -> str:
    """What the client shows (`Authorization: Bearer …`), empty without."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def parse(raw: bytes) -> dict[str, Any]:
    """The request's JSON. What two parsers may read in two ways (a field twice, NaN) is never kept."""
    try:
        body = _DECODER.decode(raw.decode())
    except (ValueError, RecursionError) as error:
        raise UncachedError("json") from error
    if not isinstance(body, dict):
        raise UncachedError("json")
    return body


def canonical(value: Any) -> str:
    """JSON whose text does not depend on the order of fields or on spaces. 1, 1.0 and true stay three things."""
    return _ENCODER.encode(value)


def tenant_tag(options: Options, tenant: str) -> str:
    """A tenant's part of the keys."""
    return _remembered(options.secret, "tenant", tenant)


def principal_tag(options: Options, principal: str) -> str:
    """A data principal's part of the keys."""
    return _tag(options.secret, "principal", principal)


def model_tag(options: Options, model: str, revision: str) -> str:
    """A model revision's part of the keys."""
    return _remembered(options.secret, "model", f"{model}\n{revision}")


def erased_key(tagged: str) -> str:
    """Where Redis remembers that a principal or a revision was just erased."""
    return f"{PREFIX}:erased:{tagged}"


def lock_key(key: str) -> str:
    """Where Redis remembers that a process is getting the answer."""
    return f"{PREFIX}:lock:{key.rpartition(':')[2]}"


def _tag(secret: bytes, kind: str, text: str, length: int = 16) -> str:
    """`length` hexadecimal digits that only who has the secret can compute."""
    return hmac.digest(secret, f"{kind}\n{text}".encode(), "sha256").hex()[:length]


# Of tenants and models, of which there are few; never of what somebody asked, or of who it was.
_remembered = lru_cache(4096)(_tag)


def _is_zero(temperature: Any) -> bool:
    # Without one, engines sample: OpenAI's default is 1.
    return isinstance(temperature, int | float) and not isinstance(temperature, bool) and temperature == 0


def _principal(body: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    named = {str(body[name]) for name in PRINCIPAL_FIELDS if body.get(name)}
    if PRINCIPAL_HEADER in headers:
        named.add(headers[PRINCIPAL_HEADER])
    if len(named) > 1:
        raise UncachedError("principals")
    return next(iter(named), "")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field stands twice")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse)
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
