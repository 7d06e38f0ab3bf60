"""The protocol that every local provider speaks, through a real gRPC server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime import proto, rpc
from pulumi.runtime.proto import provider_pb2_grpc

from localcloud.providers import protocol as serve
from localcloud.providers.protocol import UNKNOWN, changed_keys, to_python, to_struct

pytestmark = pytest.mark.slow

PROVIDER = """
from localcloud.providers.protocol import *

class Shop(Provider):
    def check(self, resource, old_inputs, inputs):
        if inputs.get("size") == "huge":
            raise InvalidInputsError([("size", "huge is not sold"), ("colour", "say one")])
        return {**inputs, "checked": True}

    def create(self, resource, inputs):
        if inputs.get("size") == "none":
            raise ResourceError("the shop is empty")
        if inputs.get("size") == "late":
            raise NotReadyError("late-1", inputs, ["still on its way"])
        return "box-1", {**inputs, "arn": UNKNOWN if resource.preview else "arn:box"}

    def read(self, resource, inputs, outputs):
        return None

    def update(self, resource, old_inputs, old_outputs, inputs):
        return {**old_outputs, **inputs}

serve(Shop(), "1.2.3")
"""
URN = "urn:pulumi:local::shop::shop:index/box:Box::mine"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    script = tmp_path_factory.mktemp("shop") / "shop.py"
    script.write_text(PROVIDER)
    root = str(Path(__file__).parents[3])
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": root}
    ) as child:
        assert child.stdout
        with grpc.insecure_channel(f"127.0.0.1:{child.stdout.readline().strip()}") as channel:
            yield provider_pb2_grpc.ResourceProviderStub(channel)
        child.terminate()
        assert child.wait(10) == 0, "the provider did not end quietly"


def test_check_returns_every_failure_at_once(shop: Any) -> None:
    answer = shop.Check(proto.CheckRequest(urn=URN, news=to_struct({"size": "huge"})))
    assert [(f.property, f.reason) for f in answer.failures] == [
        ("size", "huge is not sold"),
        ("colour", "say one"),
    ]


def test_a_preview_creates_nothing_and_knows_less(shop: Any) -> None:
    request = proto.CreateRequest(urn=URN, properties=to_struct({"size": "small"}), preview=True)
    assert to_python(shop.Create(request).properties)["arn"] is UNKNOWN


def test_a_refusal_is_one_clean_message(shop: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        shop.Create(proto.CreateRequest(urn=URN, properties=to_struct({"size": "none"})))
    assert caught.value.details() == "the shop is empty"


def test_what_is_not_ready_is_kept_in_the_state(shop: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        shop.Create(proto.CreateRequest(urn=URN, properties=to_struct({"size": "late"})))
    failed: Any = caught.value
    details = dict(failed.trailing_metadata())["grpc-status-details-bin"]
    assert b"late-1" in details
    assert b"still on its way" in details


def test_a_resource_that_is_gone_reads_as_nothing(shop: Any) -> None:
    assert shop.Read(proto.ReadRequest(urn=URN, id="box-1")).id == ""


def test_ignored_changes_keep_their_old_value(shop: Any) -> None:
    request = proto.UpdateRequest(
        urn=URN,
        id="box-1",
        old_inputs=to_struct({"size": "small", "colour": "red"}),
        news=to_struct({"size": "big", "colour": "blue"}),
        ignoreChanges=["size"],
    )
    assert to_python(shop.Update(request).properties) == {"size": "small", "colour": "blue"}


def test_diff_names_what_changed(shop: Any) -> None:
    request = proto.DiffRequest(
        urn=URN,
        id="box-1",
        old_inputs=to_struct({"size": "small", "colour": "red"}),
        news=to_struct({"size": "small", "colour": "blue"}),
    )
    assert list(shop.Diff(request).diffs) == ["colour"]


def values_of(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )


texts = st.text().filter(lambda text: text != UNKNOWN)
known = values_of(st.none() | st.booleans() | st.integers(-(2**50), 2**50) | texts)
with_unknowns = st.lists(known, max_size=2).map(lambda some: [*some, UNKNOWN]) | st.just(UNKNOWN)


@given(st.dictionaries(st.text(), known | with_unknowns, max_size=4))
def test_values_survive_the_wire(values: dict[str, Any]) -> None:
    assert to_python(to_struct(values)) == values


@given(st.dictionaries(st.text(min_size=1), known, max_size=4), st.text(min_size=1), with_unknowns)
def test_nothing_differs_from_itself_but_the_unknown(values: dict[str, Any], key: str, unknown: Any) -> None:
    assert changed_keys(values, values) == []
    with_it = {**values, key: unknown}
    assert changed_keys(with_it, with_it) == [key]
    assert changed_keys(values, with_it) == [key]


def test_a_secret_of_a_providers_configuration_arrives_as_it_is() -> None:
    secret = json.dumps({rpc._special_sig_key: rpc._special_secret_sig, "value": "hush"})
    given = {"secretKey": secret, "endpoints": '[{"s3": "https://s3.site.example"}]', "region": "ap-south-1"}
    assert serve._decode_config(given) == {
        "secretKey": "hush",
        "endpoints": [{"s3": "https://s3.site.example"}],
        "region": "ap-south-1",
    }
