"""Props of a shape nobody foresaw: a clear finding at most, never an exception, which would end the whole preview."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.framework.resources import Resource
from policies.pack import CONTROLS
from policies.runner import offline
from tests.examples import examples
from tests.policies.harness import UNKNOWN, Shown, of, run

TYPES = sorted({prefix for control in CONTROLS for prefix in control.types if prefix.count(":") == 2})
NAMES = ["region", "policy", "rules", "tags", "encryptionConfig", "resources", "ebs", "blockDeviceMappings", "acl",
         "retentionInDays", "multiRegion", "kmsKeyId", "bucket", "location", "parameters", "Statement"]  # fmt: skip
scalars = st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
values = st.recursive(
    scalars | st.just(UNKNOWN),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=examples(200))
@given(st.sampled_from(TYPES), st.dictionaries(st.sampled_from(NAMES), values, max_size=5))
def test_no_shape_breaks_the_pack(type_: str, props: dict[str, Any]) -> None:
    for diagnostic in run(Shown(type_, props)):
        assert "could not be evaluated" not in diagnostic.message
        assert "can't run policy" not in diagnostic.message


@pytest.mark.parametrize("depth", [10, 25])
def test_deep_nesting(depth: int) -> None:
    props: dict[str, Any] = {"region": "us-east-1"}
    for _ in range(depth):
        props = {"inner": [props]}
    assert of(run(Shown("aws:never/seen:Before", props)), "DPDP-RES-01")


def test_a_policy_document_nested_beyond_reason() -> None:
    shown = Shown("aws:s3/bucketPolicy:BucketPolicy", {"bucket": "b", "policy": "[" * 200_000})
    (message,) = of(run(shown), "DPDP-ACC-01")
    assert "can't be read" in message
    assert len(message) < 600


def test_a_check_that_breaks_is_a_finding() -> None:
    def breaks(_resource: Resource, _settings: Any) -> Any:
        raise KeyError("surprise")

    by_id = {control.id: control for control in CONTROLS}
    broken = replace(by_id["DPDP-RES-01"], check=breaks)
    found = offline.analyse([Shown("aws:sqs/queue:Queue", {}).shown], controls=(broken,))
    (message,) = of(found[0], broken.id)
    assert "could not be evaluated" in message
    assert "KeyError" in message
