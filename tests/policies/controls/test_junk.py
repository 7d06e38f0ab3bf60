"""Values of any shape at any level of what the controls read: never an exception."""

from __future__ import annotations

import json
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.policies.harness import FIXTURES, SAFE, UNKNOWN, Shown, put, run

ROWS = [
    row
    for rows in yaml.load((FIXTURES / "encryption_and_access.yaml").read_text(), SAFE).values()
    for row in rows
]
NAMES = ["name", "value", "protocol", "ports", "cidrBlocks", "Effect", "Action", "Resource", "Condition", "Principal",
         "Statement", "NotAction", "hostPath", "path", "env", "capabilities", "drop", "add", "containers", "spec",
         "redirect", "verbs", "resources", "apiGroups", "Regex", "Operation", "Deidentify"]  # fmt: skip
scalars = st.none() | st.booleans() | st.integers(-9, 9999) | st.text(max_size=6) | st.just(UNKNOWN)
junk = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=examples(400))
@given(st.sampled_from(ROWS), junk, st.data())
def test_junk_at_any_level_of_a_path_breaks_nothing(row: dict[str, Any], value: Any, data: Any) -> None:
    path = row["path"][: data.draw(st.integers(1, len(row["path"])))]
    for found in run(Shown(row["type"], put(row.get("props", {}), path, value))):
        assert "could not be evaluated" not in found.message
        assert "can't run policy" not in found.message


@settings(max_examples=examples(150))
@given(junk, junk, st.sampled_from(["policy", "policyDocument"]))
def test_junk_in_a_policy_breaks_nothing(statement: Any, more: Any, name: str) -> None:
    tree = {
        "Statement": [statement, {"Effect": "Allow", "Action": more, "Resource": more}],
        "Configuration": more,
    }
    types = {
        "policy": ("aws:iam/rolePolicy:RolePolicy", "aws:s3/bucketPolicy:BucketPolicy"),
        "policyDocument": ("aws:cloudwatch/logDataProtectionPolicy:LogDataProtectionPolicy",),
    }
    for type_ in types[name]:
        for given_ in (tree, json.dumps(tree)):
            for found in run(Shown(type_, {name: given_})):
                assert "could not be evaluated" not in found.message
