"""Which questions are the same, and which answers are whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.workloads.gateway.conftest import event
from workloads.gateway.cache import answers, entries, keys
from workloads.gateway.cache.entries import Answer, PoisonedError
from workloads.gateway.cache.keys import Question, UncachedError, question
from workloads.gateway.cache.options import Options, Tenant, fingerprint

CHAT = "/v1/chat/completions"
TENANTS = {
    fingerprint("bank-key"): Tenant("bank", "internal"),
    fingerprint("shop-key"): Tenant("shop", "internal", above_zero=True),
    fingerprint("lab-key"): Tenant("lab", "personal"),
}
OPTIONS = Options(
    "http://g", "redis://r", TENANTS, b"s" * 32, b"a" * 32, lives={"internal": 60, "personal": 5}
)
BODY: dict[str, Any] = {
    "model": "sarvam",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "₹5 lakh"}],
    "temperature": 0,
    "max_tokens": 10,
    "stream": False,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FEW = settings(max_examples=25, deadline=None)


def asked(
    body: Any = None, key: str = "bank-key", path: str = CHAT, options: Options = OPTIONS, **more: str
) -> Question:
    raw = body if isinstance(body, bytes) else json.dumps(BODY if body is None else body).encode()
    return question(options, path, {"authorization": f"Bearer {key}", **more}, raw)


def why_not(*args: Any, **more: Any) -> str:
    with pytest.raises(UncachedError) as refused:
        asked(*args, **more)
    return str(refused.value)


@FEW
@given(st.text(min_size=1), JSON)
def test_any_field_that_changes_is_another_question(name, value):
    assume(BODY.get(name) is not value and json.dumps(BODY.get(name)) != json.dumps(value))
    assume(
        name not in {"temperature", "model", *keys.PRINCIPAL_FIELDS}
        and not (name not in BODY and value is None)
    )
    assert asked({**BODY, name: value}).key != asked().key


@FEW
@given(st.permutations(list(BODY)), st.sampled_from([None, 2]))
def test_neither_the_order_of_fields_nor_spaces_matter(order, indent):
    raw = json.dumps(
        {name: BODY[name] for name in order}, indent=indent, ensure_ascii=indent is None
    ).encode()
    assert asked(raw) == asked()


def test_tenant_model_revision_adapter_principal_and_path_are_parts_of_the_key():
    newer = Options(**{**vars(OPTIONS), "revisions": {"sarvam": "2026-11"}})
    others = [
        asked(key="shop-key"),
        asked({**BODY, "model": "sarvam-lora"}),
        asked(options=newer),
        asked({**BODY, "user": "asha"}),
        asked({**BODY}, "bank-key", CHAT, OPTIONS, **{keys.PRINCIPAL_HEADER: "ravi"}),
        asked(path="/v1/completions"),
    ]
    assert len({asked().key, *(other.key for other in others)}) == 7


def test_true_and_one_are_two_things():
    assert len({asked({**BODY, "n": n}).key for n in (1, 1.0, True, "1")}) == 4


def test_a_key_in_redis_says_nothing_to_who_has_no_secret():
    of_user = asked({**BODY, "user": "asha@example.in"})
    other = Options(**{**vars(OPTIONS), "secret": b"t" * 32})
    assert not any(word in of_user.key for word in ("asha", "bank", "sarvam", "lakh"))
    assert not set(of_user.key.split(":")[2:]) & set(
        asked({**BODY, "user": "asha@example.in"}, options=other).key.split(":")
    )


@pytest.mark.parametrize(
    ("reason", "body", "more"),
    [
        ("tenant", BODY, {"key": "nobody's"}),
        ("tenant", BODY, {"key": ""}),
        ("asked", BODY, {"cache-control": "No-Store"}),
        ("temperature", {**BODY, "temperature": 0.2}, {}),
        ("temperature", {**BODY, "temperature": False}, {}),
        ("temperature", {name: BODY[name] for name in BODY if name != "temperature"}, {}),
        ("principal", BODY, {"key": "lab-key"}),
        ("principals", {**BODY, "user": "asha"}, {keys.PRINCIPAL_HEADER: "ravi"}),
        ("model", {**BODY, "model": 7}, {}),
        ("json", b'{"model": "a", "temperature": 0, "temperature": 1}', {}),
        ("json", b'{"model": "a", "temperature": NaN}', {}),
        ("json", b"[" * 100_000, {}),
        ("json", b'"text"', {}),
        ("life", BODY, {"options": Options(**{**vars(OPTIONS), "lives": {}})}),
    ],
)
def test_what_is_never_kept(reason, body, more):
    assert why_not(body, **more) == reason


def test_a_tenant_may_opt_in_above_zero_and_embeddings_have_no_temperature():
    assert asked({**BODY, "temperature": 0.9}, key="shop-key").life == 60
    assert asked({"model": "e", "input": "नमस्ते"}, path=keys.EMBEDDINGS).life == 60
    assert asked({**BODY, "user": "asha"}, key="lab-key").life == 5


@FEW
@given(st.lists(st.binary(max_size=20), max_size=5), st.data())
def test_an_entry_opens_in_its_own_place_only(chunks, data):
    answer = Answer("text/event-stream; charset=utf-8", tuple(chunks), 1_790_000_000)
    bank, shop = (entries.tenant_secret(b"s" * 32, name) for name in ("bank", "shop"))
    entry = entries.seal(bank, "key", answer)
    assert entries.opened(bank, "key", entry) == answer
    at = data.draw(st.integers(0, len(entry) - 1))
    broken = entry[:at] + bytes([entry[at] ^ 1]) + entry[at + 1 :]
    for secret, key, other in (
        (shop, "key", entry),
        (bank, "other", entry),
        (bank, "key", broken),
        (bank, "key", entry[:at]),
        (bank, "key", entry + b"x"),
    ):
        with pytest.raises(PoisonedError):
            entries.opened(secret, key, other)


def delta(text: str, end: str | None = None, index: int = 0) -> bytes:
    return event({"choices": [{"index": index, "delta": {"content": text}, "finish_reason": end}]})


STREAM = (
    b": hello\n\n"
    + delta("न")
    + delta("मस्ते", "stop")
    + event({"choices": [], "usage": {}})
    + b"data: [DONE]\n\n"
)


@FEW
@given(st.integers(0, len(STREAM) - 1))
def test_a_stream_that_is_cut_anywhere_is_not_whole(at):
    assert answers.refusal("text/event-stream; charset=utf-8", STREAM) == ""
    assert answers.refusal("text/event-stream", STREAM[:at])


@pytest.mark.parametrize(
    ("reason", "body"),
    [
        ("aborted", delta("a", "abort") + b"data: [DONE]\n\n"),
        ("error", delta("a", "stop") + event({"error": {"message": "died"}}) + b"data: [DONE]\n\n"),
        ("broken", delta("a", "stop") + delta("b", None, 1) + b"data: [DONE]\n\n"),
        ("broken", b"data: [DONE]\n\n"),
        ("broken", delta("a", "stop") + b"data: {\n\ndata: [DONE]\n\n"),
    ],
)
def test_a_stream_with_an_error_in_it_is_not_kept(reason, body):
    assert answers.refusal("text/event-stream", body) == reason


@pytest.mark.parametrize(
    ("fingerprint", "reason"), [("revision:2", ""), ("revision:1", "revision"), ("fp_44", "")]
)
@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
def test_an_answer_of_another_revision_is_not_kept_where_the_server_names_it(fingerprint, reason, kind):
    said = {"choices": [{"index": 0, "finish_reason": "stop"}], "system_fingerprint": fingerprint}
    body = event(said) + b"data: [DONE]\n\n" if kind == answers.STREAM else json.dumps(said).encode()
    assert answers.refusal(kind, body, "2") == reason


@pytest.mark.parametrize(
    ("reason", "kind", "body"),
    [
        ("", "application/json", b'{"choices": [{"index": 0, "finish_reason": "length"}]}'),
        ("", "application/json", b'{"data": [{"embedding": [0.1]}]}'),
        ("aborted", "application/json", b'{"choices": [{"index": 0, "finish_reason": "abort"}]}'),
        ("aborted", "application/json", b'{"choices": [{"index": 0}]}'),
        ("error", "application/json", b'{"error": {"message": "died"}}'),
        ("error", "application/json", b"[]"),
        ("broken", "application/json", b'{"choices": ['),
        ("type", "text/html", b"<html>"),
    ],
)
def test_an_answer_is_kept_when_it_is_whole_and_right(reason, kind, body):
    assert answers.refusal(kind, body) == reason
